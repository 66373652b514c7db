import type { Index } from './units.ts';

/**
 * Consecutive entries as bytes. Entry `k` has the index `first + k` and is `bytes[starts[k] … ends[k]]`:
 * one line of UTF-8 JSON without a line break. What lies between two entries is not theirs.
 * The bytes of a batch never change once it has been handed out.
 */
export interface Batch {
  readonly first: Index;
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** The envelope of an entry as its JSON says it. `event` is the producer's own JSON. */
export interface Entry {
  readonly v: 1;
  readonly source: string;
  /** Counts the entries of this source from 0 without gaps. */
  readonly n: number;
  readonly partition: string | null;
  readonly position: string | null;
  /** RFC 3339 in UTC with milliseconds. It never decreases from one entry to the next. */
  readonly received_at: string;
  readonly id: string;
  readonly schema: string;
  /** Present when the source keeps what fails its schema: what was wrong with the event. */
  readonly faults?: readonly Fault[];
  readonly event: unknown;
}

/** One thing wrong with one event: where in it, which rule, and what to do about it. */
export interface Fault {
  /** A JSON Pointer (RFC 6901) into the event; empty for the event as a whole. */
  readonly path: string;
  readonly code: string;
  readonly message: string;
}
