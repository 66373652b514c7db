import { WaybillError } from '../contracts/errors.ts';
import type { Run } from '../contracts/ledger.ts';
import type { Position } from '../contracts/units.ts';
import { asPosition, CONTROL_SOURCE, ENTRY_BYTES_MAX, NAME_PATTERN } from '../contracts/units.ts';
import { SOURCE_RENAMED } from '../intake/sequencer-fold.ts';

/** What a ledger has to know of an entry that it did not number itself. */
export interface RestoredEnvelope {
  readonly source: string;
  readonly n: number;
  readonly partition: string | null;
  readonly position: Position | null;
  /** RFC 3339 in UTC with milliseconds: texts are ordered like times. */
  readonly receivedAt: string;
  /** Present where the entry says that a source has another name from here on. */
  readonly moves: Run['moves'];
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/**
 * Reads the envelope of an entry that comes from outside. It has to be byte for byte as a ledger writes it (`docs/formats/entry-v1.md`).
 * Rejects with `RESTORE_INVALID`.
 */
export function envelopeAt(index: number, bytes: Uint8Array): RestoredEnvelope {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const entry = parsed(text);
  const { v, source, n, partition, position, received_at: receivedAt, id, event } = entry ?? {};
  const isEntry =
    v === 1 &&
    typeof source === 'string' &&
    typeof n === 'number' &&
    (partition === null || typeof partition === 'string') &&
    (position === null || typeof position === 'string') &&
    typeof receivedAt === 'string' &&
    TIME.test(receivedAt) &&
    typeof id === 'string' &&
    event !== undefined;
  if (!isEntry || bytes.length > ENTRY_BYTES_MAX || text.includes('\n')) throw invalid(index);
  const place = `"partition":${JSON.stringify(partition)},"position":${JSON.stringify(position)},`;
  const head = `{"v":1,"source":${JSON.stringify(source)},"n":${n},${place}`;
  if (!text.startsWith(`${head}"received_at":"${receivedAt}","id":"`)) throw invalid(index);
  const moves = source === CONTROL_SOURCE ? movesOf(event) : undefined;
  return { source, n, partition, position: position === null ? null : asPosition(position), receivedAt, moves };
}

function movesOf(event: unknown): Run['moves'] {
  const { type, from, to } = (event ?? {}) as Readonly<Record<string, unknown>>;
  if (type !== SOURCE_RENAMED || !isName(from) || !isName(to)) return undefined;
  return { from, to };
}

function isName(name: unknown): name is string {
  return typeof name === 'string' && NAME_PATTERN.test(name);
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function invalid(index: number): WaybillError {
  return new WaybillError('RESTORE_INVALID', `entry ${index} cannot be taken over: it is not as a ledger writes it`);
}
