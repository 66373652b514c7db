import type { Fault } from '../contracts/entry.ts';

/**
 * The events of one submission after checking, in columns. Event k is bytes[starts[k]…ends[k]]; its identity's canonical JSON text
 * without quotes is bytes[idStarts[k]…idEnds[k]]; idStarts[k] === idEnds[k] means that it has none.
 */
export interface Checked {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly idStarts: Uint32Array;
  readonly idEnds: Uint32Array;
  /**
   * Faults by the event's place in the submission. A faulty event keeps its range, so that it can be stored as it came
   * where the source wants that.
   */
  readonly faults: ReadonlyMap<number, readonly Fault[]>;
  /** `producer` objects by the event's place (waybill/1 only). */
  readonly producers: ReadonlyMap<number, { readonly id: string; readonly epoch: number; readonly seq: number }>;
  /** Present when the body as a whole could not be read: nothing else is meaningful then. */
  readonly unreadable?: { readonly at: number; readonly message: string };
}
