/**
 * The memory that the main thread and a disk thread share, layout version 1.
 *
 * `control` counts: how many requests were submitted, how many are done. Both wrap around; only their difference counts.
 * `slots` is a ring of requests of 8 numbers each: the operation, the file descriptor, the buffer's number, where the bytes begin in it,
 * how many there are, where they go in the file (or its new length), and the answer: the step that failed (0: none) and its error number.
 *
 * The main thread writes a slot before it counts it as submitted and reads its answer after it was counted as done;
 * the disk thread does the opposite. The counters are only touched by `Atomics`, which makes the plain numbers visible too.
 */
export const SUBMITTED = 0;

/** The counter of requests that the disk thread has answered. */
export const DONE = 1;

/** How many requests the ring holds: a power of two, so that the counters may wrap around. */
export const SLOTS = 64;

/** How many numbers a request has. */
export const SLOT_NUMBERS = 8;

/** The places of a request's numbers in its slot. */
export const FIELD = { operation: 0, descriptor: 1, buffer: 2, offset: 3, length: 4, at: 5, failedStep: 6, errno: 7 } as const;

/** What a disk thread does. `commit` writes and flushes the data; `sync` flushes data and all facts about the file. */
export const OPERATION = { write: 1, commit: 2, commitAll: 3, sync: 4, truncate: 5, stop: 6 } as const;

/** One of the numbers in `OPERATION`. */
export type Operation = (typeof OPERATION)[keyof typeof OPERATION];

/** Which part of a request failed. A failed flush leaves nobody knowing what is on the disk. */
export const STEP = { none: 0, write: 1, flush: 2, truncate: 3 } as const;

/** What the main thread hands to a disk thread when it starts. */
export interface DiskThreadData {
  readonly control: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
}

/** A message that makes a buffer known to the disk thread, and tells it which one to forget. */
export interface BufferMessage {
  readonly id: number;
  readonly buffer: SharedArrayBuffer;
  readonly forget: number | null;
}
