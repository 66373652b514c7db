import { TlogError } from './error.ts';

/** The largest entry in bytes: its length has two bytes in front of it. */
export const BUNDLE_ENTRY_BYTES_MAX = 65_535;

/**
 * An entry bundle of C2SP tlog-tiles: every entry with its length as a big-endian u16 before it. Entry `k` is `bytes[starts[k] … ends[k]]`.
 */
export function encodeBundle(bytes: Uint8Array, starts: Uint32Array, ends: Uint32Array): Uint8Array {
  let total = 0;
  for (let k = 0; k < starts.length; k += 1) {
    const length = (ends[k] ?? 0) - (starts[k] ?? 0);
    if (length > BUNDLE_ENTRY_BYTES_MAX) throw new RangeError(`an entry of ${length} bytes does not fit a bundle`);
    total += 2 + length;
  }
  const bundle = new Uint8Array(total);
  let at = 0;
  for (let k = 0; k < starts.length; k += 1) {
    const start = starts[k] ?? 0;
    const end = ends[k] ?? 0;
    bundle[at] = (end - start) >> 8;
    bundle[at + 1] = (end - start) & 0xff;
    bundle.set(bytes.subarray(start, end), at + 2);
    at += 2 + end - start;
  }
  return bundle;
}

/**
 * Where the entries of a bundle are: entry `k` is `bundle[starts[k] … ends[k]]`. Throws `TlogError` unless it holds exactly `count` of
 * them.
 */
export function readBundle(bundle: Uint8Array, count: number): { readonly starts: Uint32Array; readonly ends: Uint32Array } {
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let at = 0;
  for (let k = 0; k < count; k += 1) {
    const start = at + 2;
    const end = start + (((bundle[at] ?? 0) << 8) | (bundle[at + 1] ?? 0));
    if (end > bundle.length) {
      throw new TlogError(`the bundle ends within entry ${k} of ${count}: it has ${bundle.length} bytes`);
    }
    starts[k] = start;
    ends[k] = end;
    at = end;
  }
  if (at !== bundle.length) throw new TlogError(`the bundle has ${bundle.length - at} bytes after its ${count} entries`);
  return { starts, ends };
}
