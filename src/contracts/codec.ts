import type { Batch } from './entry.ts';

/** Records of one format, ready to be written: record `k` is `bytes[offsets[k] … offsets[k + 1]]`, its framing included. */
export interface Encoded {
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  readonly count: number;
}

/**
 * Turns entries into records of a format. Pure: the same entries always give the same bytes.
 * `pick` holds the places in the batch that are wanted, ascending; absent: all.
 */
export interface Codec {
  readonly type: string;
  readonly contentType: string;
  encode(batch: Batch, pick?: readonly number[]): Encoded;
}
