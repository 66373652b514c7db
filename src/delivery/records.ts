import { WaybillError } from '../contracts/errors.ts';
import type { Receipt } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';

/** The two streams of a destination: the live one, and one at a time that sends old entries again. */
export type Lane = 'live' | 'side';

/** Which control entries a destination gets: all, those about itself, or none. */
export type ControlChoice = 'all' | 'own' | 'none';

/**
 * Why old entries are sent again. `replay`: once more, under identities of its own. `recover`: what the destination lost, under the
 * original identities. `redeliver`: entries that were set aside.
 */
export type SideKind = 'replay' | 'recover' | 'redeliver';

/**
 * One fact about a destination. `docs/formats/journal-v1.md` says what each means; `applyRecord` is the only code that gives them an
 * effect. Every range has both of its ends inside.
 */
export type JournalRecord =
  | { readonly type: 'began'; readonly v: 1; readonly cursor: Index; readonly at: number }
  | { readonly type: 'width'; readonly inFlight: number }
  | {
      readonly type: 'epoch';
      readonly epoch: number;
      readonly format: string;
      readonly control: ControlChoice;
      /** The name of the destination, which tells its own control entries from others. */
      readonly name: string;
    }
  | IntentRecord
  | TakenRecord
  | { readonly type: 'rejected'; readonly lane: Lane; readonly from: Index; readonly code: string; readonly fences: readonly Index[] }
  | { readonly type: 'withdrawn'; readonly lane: Lane; readonly from: Index; readonly doubt: boolean }
  | AsideRecord
  | { readonly type: 'restored' }
  | { readonly type: 'adopted'; readonly lane: Lane; readonly from: Index; readonly through: Index }
  | { readonly type: 'omitted'; readonly lane: Lane; readonly from: Index; readonly through: Index }
  | { readonly type: 'paused' | 'resumed' | 'retried' }
  | SideRecord
  | { readonly type: 'ended'; readonly how: 'done' | 'refused' | 'cancelled'; readonly index: Index | null; readonly code: string | null }
  | { readonly type: 'declared'; readonly record: number }
  | { readonly type: 'waived'; readonly from: Index; readonly through: Index }
  | { readonly type: 'detached' | 'attached'; readonly through: Index }
  | TargetRecord
  | RenamedRecord;

/** A batch is fixed before its first attempt: whatever happens, these bytes go under this identity. */
export interface IntentRecord {
  readonly type: 'intent';
  readonly lane: Lane;
  readonly from: Index;
  readonly through: Index;
  readonly count: number;
  readonly epoch: number;
  readonly sha256: string;
  /** Entries of the range that are set aside, ascending. */
  readonly omit: readonly Index[];
  /** The last entry at the beginning of the range that was not in the ledger any more when it was cut; `null`: all were. */
  readonly gone: Index | null;
  /** The checkpoint that the batch carries, a signed note; absent: none. */
  readonly checkpoint?: string | undefined;
}

/** An entry was refused alone. `message`: what the destination answered, in the words of the fault. */
export interface AsideRecord {
  readonly type: 'aside';
  readonly index: Index;
  readonly code: string;
  readonly message: string;
  readonly control: boolean;
  readonly at: number;
}

/** Old entries are sent again. `gone`: those through here are not in the ledger any more; `null`: all are. */
export interface SideRecord {
  readonly type: 'side';
  readonly kind: SideKind;
  readonly name: string;
  readonly from: Index;
  readonly through: Index;
  readonly gone: Index | null;
}

/** What `target_changed` in the configuration may say. */
export type TargetChange = 'continue' | 'restart';

/**
 * The destination writes to this target. `used`: the word of the configuration that led there; it does not act a second time.
 * `cursor`: where a restarted destination begins; `null`: it goes on.
 */
export interface TargetRecord {
  readonly type: 'target';
  readonly target: string;
  readonly used: TargetChange | null;
  readonly cursor: Index | null;
}

/** The first record of a destination that was called `from` before: everything that was known about it. */
export interface RenamedRecord {
  readonly type: 'renamed';
  readonly from: string;
  readonly account: unknown;
}

/** The destination has answered that it took a batch. */
export interface TakenRecord {
  readonly type: 'taken';
  readonly lane: Lane;
  readonly from: Index;
  readonly through: Index;
  readonly count: number;
  readonly bytes: number;
  /** How often it was sent again while nobody knew whether it had been taken. */
  readonly again: number;
  readonly receipt: Receipt;
}

/** Writes records as the text of one journal entry. `first` is the number of the first of them; a destination counts its records from 1. */
export function recordsText(first: number, records: readonly JournalRecord[]): string {
  return JSON.stringify([first, ...records]);
}

/** Reads the text of one journal entry. Rejects with `JOURNAL_INVALID` what is not one. */
export function parseRecords(text: string): { readonly first: number; readonly records: readonly JournalRecord[] } {
  const parsed = parseJournal(text);
  if (!Array.isArray(parsed) || !Number.isSafeInteger(parsed[0])) throw journalInvalid('a delivery record does not begin with its number');
  const records: unknown[] = parsed.slice(1);
  for (const record of records) {
    if (typeof record !== 'object' || record === null || !('type' in record) || typeof record.type !== 'string') {
      throw journalInvalid('a delivery record has no type');
    }
  }
  return { first: parsed[0] as number, records: records as readonly JournalRecord[] };
}

/** Parses JSON text from the journal. Throws `JOURNAL_INVALID` for anything else. */
export function parseJournal(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw journalInvalid('a delivery record is not JSON', error);
  }
}

/** The error for a journal that does not add up. */
export function journalInvalid(message: string, cause?: unknown): WaybillError {
  return new WaybillError('JOURNAL_INVALID', message, cause === undefined ? {} : { cause });
}

/** Under which key the journal holds the records of a destination. */
export function journalKey(name: string): string {
  return `delivery:${name}`;
}
