import type { Batch } from './entry.ts';
import type { Index, Position, Size } from './units.ts';

/**
 * Events that are appended together, already in the form of entries: all of them become entries, or none.
 * A run without entries is allowed: its position still becomes durable.
 */
export interface Run {
  readonly source: string;
  readonly partition: string | null;
  /** Where the source resumes after this run; `null` where the source has no positions. */
  readonly position: Position | null;
  /** True when the source will never use this partition again: its position is forgotten. */
  readonly closesPartition?: boolean;
  /** A source that has another name from this run on: its positions, all of them, are those of `to`, which has none of its own. */
  readonly moves?: { readonly from: string; readonly to: string };
  /** The entries in their order: entry `k` is `bytes[offsets[k] … offsets[k + 1]]`. */
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  readonly count: number;
}

/** Room in the ledger that was reserved for one run. It is used by one `append`, or released. */
export interface Room {
  readonly bytes: number;
  release(): void;
}

/** How much `read` may return. At least one entry is returned if there is one, however large it is. */
export interface ReadLimits {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * The durable, append-only order of entries. It gives order and durability, and knows nothing of sinks, codecs or trees.
 * Two sizes matter: the *assigned* size counts every run that was numbered; `size()` counts what is durable.
 */
export interface Ledger {
  /** The name of the log, a schema-less URL. */
  readonly origin: string;

  /**
   * Makes sure that a run of `bytes` entry bytes in `count` entries can be written, before it is numbered.
   * Rejects with `LEDGER_FULL` (the configured limit or the disk): pushback, nothing is lost by it.
   * `purpose` `control` may also use the part that is reserved for control entries and the journal.
   */
  reserve(count: number, bytes: number, purpose?: 'events' | 'control'): Promise<Room>;

  /**
   * Numbers a run and appends it. The numbering happens before the call returns, so that `assigned()` is already larger;
   * the promise resolves with the index of the run's first entry (or where it would be) once the run survives the loss of this process
   * and of power.
   * Rejects with `LEDGER_FENCED`, and numbers nothing, when the assigned size is not `expected`.
   * Any other failure is fatal: the ledger takes nothing more until it is opened again.
   * Appends resolve in the order in which they were numbered. The bytes and offsets of the run are copied before the call returns,
   * so the caller may write over them at once.
   */
  append(run: Run, expected: Size, room: Room): Promise<Index>;

  /** How many entries have been numbered, durable or not. */
  assigned(): Size;

  /** How many entries are durable. It never shrinks. */
  size(): Size;

  /** The oldest index that can still be read. */
  beginning(): Index;

  /** Reads durable entries from `from`. Empty only when `from` is at `size()`. Rejects with `LEDGER_PRUNED` below `beginning()`. */
  read(from: Index, limits: ReadLimits): Promise<Batch>;

  /** Resolves with the size once it is greater than `size`, or rejects with the signal's reason. */
  waitBeyond(size: Size, signal: AbortSignal): Promise<Size>;

  /** Where each open partition of a source resumes; the key of a source without partitions is the empty string. */
  positions(source: string): ReadonlyMap<string, Position>;

  /** How many durable or numbered entries a source has: the `n` of its next entry. */
  sequence(source: string): number;

  readonly journal: Journal;

  readonly register: Register;

  /** Resolves with the reason once the ledger has failed for good, and never otherwise. */
  readonly failed: Promise<Error>;

  /** Waits for what was appended to become durable, then lets go of the directory. */
  close(): Promise<void>;
}

/**
 * Facts about deliveries, in the same commit stream as the entries: one flush makes both durable.
 * A record is a short string that the ledger does not read. Records of one key keep their order.
 */
export interface Journal {
  /** The folded state that was last handed to `compact` for this key (or `null`), and the records appended since. */
  load(key: string): { readonly state: string | null; readonly records: readonly string[] };
  /** Every key that has a state or a record. */
  keys(): readonly string[];
  /** Resolves once the record is durable. It is not refused for lack of space before the reserved part is used up. */
  append(key: string, record: string): Promise<void>;
  /**
   * Registers who can fold: the ledger asks for the state of `key` when it writes a snapshot, so that older records may go.
   * The state must hold what every record of the key adds that was handed to `append`, durable or not. It may be ahead of them:
   * then a record that comes after it must change nothing that it holds already.
   * Who also reads entries to go on from its state says with `needs` from which one on, at the moment of the fold: retention keeps those.
   * Such a key is folded with every snapshot, the others only when they have records.
   */
  compact(key: string, fold: () => string, needs?: () => Index): void;
  /** Forgets a key for good. */
  forget(key: string): Promise<void>;
  /**
   * The durable records of a key in their order, also those that were folded away: all that were appended once the entry `from` had been
   * numbered, so that everything that was ever recorded about retained entries from `from` on is among them. It reads the ledger from
   * there on, so a caller asks for as little as it needs and stops early. Rejects with `LEDGER_PRUNED` when `from` is below the
   * beginning, and with the signal's reason.
   */
  history(key: string, from: Index, signal: AbortSignal): AsyncIterable<PastRecord>;
}

/** What the past of a journal key holds: a record as it was appended, or that everything before belongs to another life of the key. */
export type PastRecord = { readonly kind: 'record'; readonly record: string } | { readonly kind: 'forgotten' };

/** A tiny durable map with compare-and-set, for tree heads and key facts only. */
export interface Register {
  get(key: string): string | null;
  /** Rejects with `REGISTER_CONFLICT` when the value is no longer `expected`. Durable once resolved. */
  set(key: string, value: string, expected: string | null): Promise<void>;
}

/**
 * Which identities the ledger holds, for its whole life: (source, identity) → index. Derived from the entries and rebuilt when lost.
 * It answers with candidates: a caller must compare with the stored entry before it calls something a duplicate.
 */
export interface Identities {
  /**
   * Indexes that may hold this identity, newest first; an empty list means that it is certainly not there.
   * The identity is `bytes[start … end]`.
   */
  find(source: string, bytes: Uint8Array, start: number, end: number): readonly Index[];
  /** Remembers an identity from the moment it is numbered. Indexes are added in ascending order. */
  add(source: string, bytes: Uint8Array, start: number, end: number, index: Index): void;
  close(): Promise<void>;
}
