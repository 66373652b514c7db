import { WaybillError } from '../contracts/errors.ts';
import type { LogKey, Signer } from '../contracts/heads.ts';
import type { Register } from '../contracts/ledger.ts';
import { asSize, type Index } from '../contracts/units.ts';
import { type KeyRanges, readKeys, recordKeys } from './head-register.ts';
import type { LogSigners } from './key-store.ts';

/** One key takes over from another one: in a head that both sign, or, where the old one is gone, in one that the new one signs alone. */
export interface Handover {
  readonly old: string;
  readonly to: Signer;
  readonly lost: boolean;
}

/** How the keys that are there stand to those that the log knows. */
export interface KeyPlan {
  readonly ranges: KeyRanges;
  /** Who signs heads before there is a handover. */
  readonly log: Signer;
  readonly handover: Handover | null;
  /** True when the handover of an earlier life is over, and the key that took over is not yet the one that is loaded first. */
  readonly adopts: boolean;
}

/** Writes the control entry of a key that took over, once, and answers where it is. */
export type DeclareKey = (facts: Readonly<Record<string, unknown>>, key: string) => Promise<Index>;

/**
 * Compares the keys that are there with those that the log knows. The first ones are believed; another one has to be announced as the next,
 * or as taking over from one that is gone. Rejects with `KEY_FOREIGN`.
 */
export async function planKeys(register: Register, signers: LogSigners): Promise<KeyPlan> {
  const { log, freshness, next, lost } = signers;
  const known = readKeys(register);
  const current = known.log.at(-1)?.verifierKey ?? null;
  if (current === null) {
    const ranges = { log: [inUse(log.verifierKey, 0)], freshness: [inUse(freshness.verifierKey, 0)] };
    await recordKeys(register, ranges);
    return planned(ranges, log, next === null ? null : { old: log.verifierKey, to: next, lost: false });
  }
  if (current === log.verifierKey)
    return planned(known, log, next === null ? null : { old: current, to: next, lost: false }, lost !== null);
  if (current === next?.verifierKey) return { ranges: known, log: next, handover: null, adopts: true };
  if (lost === current || lost === log.verifierKey) return planned(known, log, { old: current, to: log, lost: true });
  throw new WaybillError('KEY_FOREIGN', `this log is signed with ${current}, and the key that is there is ${log.verifierKey}`);
}

/** The entry of a handover. */
export function declareHandover(declare: DeclareKey, { old, to, lost }: Handover): Promise<Index> {
  return declare({ use: 'log', old, new: to.verifierKey, ...(lost ? { lost: true } : {}) }, `log:${to.verifierKey}`);
}

/**
 * Records that the head over `size` entries was signed by the one that took over. Where the old key is gone, its last head is the one over
 * `before` entries.
 */
export async function recordHandover(
  register: Register,
  { to, lost }: Handover,
  { size, before }: { readonly size: number; readonly before: number },
): Promise<KeyRanges> {
  const { log, freshness } = readKeys(register);
  const ended = log.map((key) => (key.through === null ? { ...key, through: asSize(lost ? before : size) } : key));
  const ranges = { log: [...ended, inUse(to.verifierKey, size)], freshness };
  await recordKeys(register, ranges);
  return ranges;
}

/** Another freshness key proves nothing by itself: it is declared, and takes over from the head over `size` entries on. */
export async function changeFreshness(register: Register, freshness: Signer, declare: DeclareKey, size: number): Promise<KeyRanges> {
  const known = readKeys(register);
  const old = known.freshness.at(-1)?.verifierKey ?? null;
  if (old === freshness.verifierKey) return known;
  await declare({ use: 'freshness', old, new: freshness.verifierKey }, `freshness:${freshness.verifierKey}`);
  const ended = known.freshness.map((key) => (key.through === null ? { ...key, through: asSize(size) } : key));
  const ranges = { log: known.log, freshness: [...ended, inUse(freshness.verifierKey, size)] };
  await recordKeys(register, ranges);
  return ranges;
}

function planned(ranges: KeyRanges, log: Signer, handover: Handover | null, adopts = false): KeyPlan {
  return { ranges, log, handover, adopts };
}

function inUse(verifierKey: string, from: number): LogKey {
  return { verifierKey, from: asSize(from), through: null };
}
