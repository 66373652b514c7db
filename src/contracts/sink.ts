import type { Ports } from './ports.ts';
import type { Schema } from './schema.ts';
import type { Index, Size } from './units.ts';

/** One kind of destination. Adding one is this value in one file, and its row in `table.ts`. */
export interface SinkDefinition<Config = unknown> {
  readonly type: string;
  readonly title: string;
  readonly summary: string;
  readonly config: Schema<Config>;
  /** What the core may rely on under this configuration. It asks for traits, never for a sink's type. */
  traits(config: Config): SinkTraits;
  /** Which place this configuration writes to, in words. A change of it is a change of target. */
  target(config: Config): string;
  /**
   * Makes what is at the place this destination's own, because an operator says so after its journal was lost: `open` takes it up then.
   * Absent where `open` needs no such thing.
   */
  claim?(config: Config, context: Pick<SinkContext, 'name' | 'origin' | 'ports'>): Promise<void>;
  /** Connects. It may do I/O, and repair what a crash left at the destination; it must not write an entry. */
  open(config: Config, context: SinkContext): Promise<Sink>;
  /**
   * Finds out what can be known without writing anything, for `check --connect`, and says it in words. Rejects with what is wrong. Absent:
   * `open` is tried.
   */
  probe?(config: Config, context: ProbeContext): Promise<readonly string[]>;
  /**
   * Sends something that is marked as a test and is no entry, for `check --send-test`, and says what came of it. Rejects like `write`.
   * Absent: there is nothing of the kind.
   */
  sendTest?(config: Config, context: ProbeContext): Promise<string>;
}

/** What a sink may use while it only looks. */
export interface ProbeContext extends Pick<SinkContext, 'name' | 'origin' | 'ports'> {
  readonly signal: AbortSignal;
}

/** What a sink promises about its writes, truthfully and under test. */
export interface SinkTraits {
  /** What a resolved `write` means. `none`: the protocol cannot say. */
  readonly ack: 'durable' | 'received' | 'none';
  /**
   * What happens when a batch is written twice. `position`: a write that does not begin at the destination's next index changes
   * nothing there (the write itself is conditional). `key`: the destination drops an identity that it has. `none`: it keeps both.
   */
  readonly dedupe: 'position' | 'key' | 'none';
  readonly batch: { readonly entries: number; readonly bytes: number; readonly waitMs: number };
  /** How many batches may be in flight at once without any risk to the order. */
  readonly inFlightMax: number;
  /** Whether a batch without an entry can be carried, so that an idle destination still learns that nothing is missing. */
  readonly carriesEmpty: boolean;
  /** For `key`: how long the destination remembers an identity. */
  readonly horizonMs?: number;
  /** How checkpoints reach the destination. Absent: it gets none. */
  readonly checkpoints?: CheckpointTraits;
}

/** How checkpoints reach a destination. */
export interface CheckpointTraits {
  /**
   * Whether a batch can carry one. Then one goes by itself only while there is nothing else to send; otherwise it goes whenever it is
   * due.
   */
  readonly inBatch: boolean;
  /** The shortest time between two, in milliseconds. */
  readonly everyMs: number;
}

/** A published head of the tree on its way to a destination that has every entry below `size`. */
export interface SinkCheckpoint {
  readonly size: Size;
  /** The checkpoint whole: the signed note of C2SP tlog-checkpoint. The same head made fresh has the same text and other lines under it. */
  readonly note: string;
}

/** What a sink may use. */
export interface SinkContext {
  /** The name of the destination. */
  readonly name: string;
  /** The origin of the ledger. */
  readonly origin: string;
  readonly ports: Ports;
  /**
   * The index that the destination needs next, as the journal has it: while a loss is being filled, where that has come to, which belongs
   * to `receipt`.
   */
  readonly cursor: Index;
  /**
   * How many entries the ledger has. Where it is known, a sink that repairs can see that it holds more than the ledger, and leaves
   * it alone.
   */
  readonly size?: Size;
  /** What `write` last answered before the journal noted that it was taken; `null` before the first batch. */
  readonly receipt: Receipt | null;
}

/** What a destination answered about a batch that it took. It is kept in the journal: a few short facts. */
export type Receipt = Readonly<Record<string, string | number>>;

/** Entries of a range that were not sent, and why. */
export interface Omitted {
  /** How many did not match the destination's filter. */
  readonly filtered: number;
  /** Which ones are set aside. */
  readonly quarantined: readonly Index[];
  /** How many were control entries that the destination does not want. */
  readonly control: number;
  /** How many at the beginning of the range were no longer in the ledger when the destination was to get them. */
  readonly detached: number;
}

/** One delivery: it accounts for every index of a range, sent or omitted. The same batch always has the same bytes. */
export interface SinkBatch {
  /** The first index that this batch accounts for. */
  readonly from: Index;
  /** The last index that this batch accounts for. */
  readonly through: Index;
  /** How many records `body` has. */
  readonly count: number;
  readonly omitted: Omitted;
  /** The records in order, framed and uncompressed. Record `k` is `body[offsets[k] … offsets[k + 1]]`. */
  readonly body: Uint8Array;
  readonly offsets: Uint32Array;
  readonly contentType: string;
  /** SHA-256 of `body` in lower-case hexadecimal; empty for a sink that conditions its writes on their position. */
  readonly sha256: string;
  /** The same for the same batch, also after a crash. */
  readonly id: string;
  /** The name of the replay that this batch belongs to; absent on the live stream. */
  readonly replay?: string;
  /**
   * The newest checkpoint whose entries the destination has once it has this batch: the signed note whole. It belongs to the bytes of the
   * batch. Absent on most batches, and where the traits say that a batch carries none.
   */
  readonly checkpoint?: string;
}

/** A destination that was opened. */
export interface Sink {
  /** The traits after `open` has looked: it may lower what the definition promises and never raise it. */
  readonly traits: SinkTraits;
  /**
   * Writes one batch, in order, and resolves once the destination has answered for all of it. It never retries, reorders or splits:
   * delivery does. Rejects with a `WaybillError`, whose code says what delivery does next. When the signal ends it, it rejects with
   * `SINK_ANSWER_LOST`.
   */
  write(batch: SinkBatch, signal: AbortSignal): Promise<Receipt>;
  /**
   * Takes a checkpoint that no batch carries. It may be called while a batch is being written, never twice at a time, and again with the
   * same one. Whatever it rejects with, delivery goes on, and the next checkpoint takes its place. Present when the traits say that
   * checkpoints reach the destination.
   */
  checkpoint?(checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<void>;
  /** The index that the destination needs next. Present when `dedupe` is `position`. */
  next?(signal: AbortSignal): Promise<Index>;
  /** Reads back what the destination holds, so that it can be compared with the ledger. */
  readBack?(signal: AbortSignal): AsyncIterable<{ readonly index: Index; readonly bytes: Uint8Array }>;
  close(): Promise<void>;
}
