import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { LogKey } from '../contracts/heads.ts';
import type { Register } from '../contracts/ledger.ts';
import { asSize } from '../contracts/units.ts';
import type { KeyUse } from './signing-key.ts';

/** The register keys of heads and of the keys that signed them; `docs/formats/heads-v1.md` has their form. */
const HEAD_KEY = 'tree.head';
const KEYS_KEY = 'tree.keys';

/** The newest head that was signed, as the register has it. */
export interface HeadRecord {
  readonly size: number;
  /** In base64. */
  readonly root: string;
  /** The whole note. */
  readonly checkpoint: string;
  /** Whether it was published, or was about to be: nobody is waited for any more. */
  readonly complete: boolean;
  /** What was published last while this one is not complete; `null` for nothing. */
  readonly published: string | null;
}

/** The recorded head; `null` before the first. Throws `LEDGER_CORRUPT` when the register holds something else. */
export function readHead(register: Pick<Register, 'get'>): HeadRecord | null {
  const text = register.get(HEAD_KEY);
  if (text === null) return null;
  const value = parsed(text, HEAD_KEY) as Partial<HeadRecord> | null;
  const { size, root, checkpoint, complete, published } = value ?? {};
  if (typeof size !== 'number' || typeof root !== 'string' || typeof checkpoint !== 'string') throw unreadable(HEAD_KEY);
  return { size, root, checkpoint, complete: complete === true, published: published ?? null };
}

/**
 * Records a head, durably, before anybody outside sees it. Rejects with `REGISTER_CONFLICT` when somebody else has recorded one.
 * A size never shrinks, and one size never has two roots.
 */
export async function recordHead(register: Register, { size, root, checkpoint, complete, published }: HeadRecord): Promise<void> {
  const before = register.get(HEAD_KEY);
  const old = readHead(register);
  assert(
    old === null || size > old.size || (size === old.size && root === old.root),
    `a head of ${size} entries after one of ${old?.size}`,
  );
  await register.set(HEAD_KEY, JSON.stringify({ v: 1, size, root, checkpoint, complete, published }), before);
}

/** Which keys signed for which sizes, the newest last. */
export type KeyRanges = Readonly<Record<KeyUse, readonly LogKey[]>>;

/** The recorded ranges; without any before the first start. Throws `LEDGER_CORRUPT` when the register holds something else. */
export function readKeys(register: Pick<Register, 'get'>): KeyRanges {
  const text = register.get(KEYS_KEY);
  if (text === null) return { log: [], freshness: [] };
  const value = parsed(text, KEYS_KEY) as Partial<Record<KeyUse, unknown>> | null;
  return { log: rangesOf(value?.log), freshness: rangesOf(value?.freshness) };
}

/** Records the ranges, durably. Rejects with `REGISTER_CONFLICT` when somebody else has changed them. */
export async function recordKeys(register: Register, { log, freshness }: KeyRanges): Promise<void> {
  await register.set(KEYS_KEY, JSON.stringify({ v: 1, log: shown(log), freshness: shown(freshness) }), register.get(KEYS_KEY));
}

function shown(keys: readonly LogKey[]) {
  return keys.map(({ verifierKey, from, through }) => ({ verifier_key: verifierKey, from, through }));
}

function rangesOf(value: unknown): readonly LogKey[] {
  if (!Array.isArray(value)) throw unreadable(KEYS_KEY);
  return value.map((item: unknown) => {
    const { verifier_key: verifierKey, from, through } = (item ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof verifierKey !== 'string' || typeof from !== 'number') throw unreadable(KEYS_KEY);
    return { verifierKey, from: asSize(from), through: typeof through === 'number' ? asSize(through) : null };
  });
}

function parsed(text: string, key: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw unreadable(key);
  }
}

function unreadable(key: string): WaybillError {
  return new WaybillError('LEDGER_CORRUPT', `the register of the ledger has no readable value of ${key}`);
}
