import type { Ports } from './ports.ts';
import type { Schema } from './schema.ts';
import type { Position } from './units.ts';

/** One kind of source. Adding one is this value in one file, and its row in `table.ts`. */
export interface SourceDefinition<Config = unknown> {
  readonly type: string;
  readonly title: string;
  readonly summary: string;
  readonly config: Schema<Config>;
  /** `resumable`: it can read again from a position. `pushed`: it is called, and its caller waits for the answer. */
  readonly traits: { readonly delivery: 'resumable' | 'pushed'; readonly recountable: boolean };
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
  close(): Promise<void>;
}

/** Events of one partition that travel together. */
export interface SourceBatch {
  readonly partition: string | null;
  /** Where the source resumes after this batch. */
  readonly position: Position | null;
  /** May be empty: a position that moved without an event still has to become durable. */
  readonly events: readonly SourceEvent[];
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
}
