import type { ErrorCode } from './errors.ts';
import type { Index } from './units.ts';

/**
 * Is told what happened to batches, for metrics and traces. It is called once for a batch and never for an event; its calls return at
 * once, never throw, and change nothing. No fact holds an event's content.
 */
export interface Observer {
  /** Events of a source are durable. */
  accepted?(fact: Accepted): void;
  /** A destination has answered for a batch, or failed to. */
  attempted?(fact: Attempted): void;
  /** A destination stopped, and a person has to act. */
  halted?(fact: { readonly destination: string; readonly code: ErrorCode }): void;
  /** A head was published over entries that were under none: `ms` after the oldest of them was received, by the wall clock. */
  published?(fact: { readonly size: number; readonly ms: number }): void;
}

/** Those who observe: everybody hears every fact. */
export interface Observers extends Required<Observer> {
  /** Adds an observer; what it answers takes it away again. */
  add(observer: Observer): () => void;
}

/** Events of one source that were taken together. */
export interface Accepted {
  readonly source: string;
  /** How many became entries; they lie from `first` on. With 0 all were entries already, and `first` is `null`. */
  readonly count: number;
  readonly first: Index | null;
  /** When their request was taken up, in milliseconds since 1970, and how long it took until they were durable. */
  readonly beganAt: number;
  readonly ms: number;
  /** How much of it was the way into the ledger: numbering, writing and flushing. */
  readonly appendMs: number;
  /** The header `traceparent` of the request as it came; `null` without one. */
  readonly traceparent: string | null;
}

/** One attempt to write one batch. */
export interface Attempted {
  readonly destination: string;
  readonly from: Index;
  readonly through: Index;
  readonly count: number;
  readonly bytes: number;
  /** Which attempt for this batch it was since the start, from 1. */
  readonly attempt: number;
  /** Whether it belongs to a stream of old entries. */
  readonly replay: boolean;
  /** What went wrong; `null`: the destination took it. */
  readonly code: ErrorCode | null;
  /** When it was begun, in milliseconds since 1970, and how long it took. */
  readonly beganAt: number;
  readonly ms: number;
  /** From when its oldest entry was received until now, by the wall clock; `null` for a batch without entries. */
  readonly ageMs: number | null;
}
