import type { Fault } from './entry.ts';
import type { Ports } from './ports.ts';
import type { Schema } from './schema.ts';
import type { Position } from './units.ts';

/** What an event may be checked against. */
export type EventSchema = 'json' | 'waybill/1';

/** One kind of source. Adding one is this value in one file, and its row in `table.ts`. */
export interface SourceDefinition<Config = unknown> {
  readonly type: string;
  readonly title: string;
  readonly summary: string;
  readonly config: Schema<Config>;
  /** `resumable`: it can read again from a position. `pushed`: it is called, and its caller waits for the answer. */
  readonly traits: { readonly delivery: 'resumable' | 'pushed'; readonly recountable: boolean };
  /** The schemas that its events can fit under this configuration. Absent: any. */
  schemas?(config: Config): readonly EventSchema[];
  /** Where this configuration can lose or repeat an event although nothing failed, one sentence each. Absent: nowhere. */
  caveats?(config: Config): readonly string[];
  /** Whether it reads a file at this path. Absent: it reads no files. */
  reads?(config: Config, path: string): boolean;
  /** Connects. It may do I/O and must not change anything at the source. Pushed sources have none: the API calls the intake for them. */
  open?(config: Config, context: SourceContext): Promise<Source>;
}

/** What a source may use. */
export interface SourceContext {
  readonly name: string;
  readonly ports: Ports;
}

/** A pull source that was opened. */
export interface Source {
  /**
   * Yields batches, each partition in its own order, beginning after the given position of each partition (absent: from its first event).
   * Many batches may be unsettled at once: the next is asked for while earlier ones wait.
   */
  batches(after: ReadonlyMap<string, Position>, signal: AbortSignal): AsyncIterable<SourceBatch>;
  /** Lists what the source holds in (`after`, `through`], for verification. Present when `recountable`. */
  recount?(partition: string, after: Position | null, through: Position, signal: AbortSignal): AsyncIterable<SourceEvent>;
  /** What an operator wants to know. It waits for nothing. */
  facts?(): SourceFacts;
  close(): Promise<void>;
}

/** A pull source as an operator sees it. */
export interface SourceFacts {
  /** How many bytes wait to be read; `null` when nobody can tell. */
  readonly lagBytes: number | null;
  /** What cannot be read at this moment and is tried again: places with the reason, the first few. */
  readonly problems: readonly { readonly place: string; readonly message: string }[];
}

/** Events of one partition that travel together. */
export interface SourceBatch {
  readonly partition: string | null;
  /** Where the source resumes after this batch. */
  readonly position: Position | null;
  /** May be empty: a position that moved without an event still has to become durable. */
  readonly events: readonly SourceEvent[];
  /** What has to be told about the source itself: a control entry each, durable before the position. */
  readonly notes?: readonly SourceNote[];
  /** True when the partition will never be used again: its position is forgotten. */
  readonly closes?: boolean;
  /**
   * Called exactly once and in the order in which the batches were sequenced: `accepted` after everything is durable,
   * `refused` when nothing of it is in the ledger and nothing ever will be under this call.
   */
  settle(outcome: 'accepted' | 'refused'): Promise<void>;
}

/** One event as its source has it: `bytes[start … end]` is JSON text in UTF-8 that nobody has checked yet. */
export interface SourceEvent {
  readonly position: Position | null;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Why the source could not make an event of it; absent: it is one. The bytes are then kept as they are, and declared. */
  readonly fault?: Fault;
}

/** Something that happened at a source, for the ledger. Facts never hold an event's content. */
export interface SourceNote {
  /** The type of the control entry: `source.` and a word. */
  readonly type: `source.${string}`;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
}
