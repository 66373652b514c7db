/** A 0-based place in the ledger. */
export type Index = number & { readonly unit: 'index' };

/** A count of entries. The entry at `index` exists once the size is greater than `index`. */
export type Size = number & { readonly unit: 'size' };

/** A place in a source's own terms, opaque to everybody else: at most 1,024 bytes of UTF-8. */
export type Position = string & { readonly unit: 'position' };

/** Brands a safe integer as an index. It does not check: values from outside are checked where they enter. */
export function asIndex(value: number): Index {
  return value as Index;
}

/** Brands a safe integer as a size. It does not check: values from outside are checked where they enter. */
export function asSize(value: number): Size {
  return value as Size;
}

/** Brands a string as a position. It does not check: values from outside are checked where they enter. */
export function asPosition(value: string): Position {
  return value as Position;
}

/** The largest entry in bytes, so that its length fits the two bytes that an entry bundle gives it. */
export const ENTRY_BYTES_MAX = 65_535;

/** The largest event in bytes. With its envelope it always fits an entry. */
export const EVENT_BYTES_MAX = 64_000;

/** The longest identity in bytes of UTF-8, counted as JSON text without the quotes. */
export const IDENTITY_BYTES_MAX = 512;

/** The longest position in bytes of UTF-8. */
export const POSITION_BYTES_MAX = 1_024;

/** How many partitions of one source may be open at a time. */
export const PARTITIONS_MAX = 10_000;

/** What the name of a source or a destination looks like. */
export const NAME_PATTERN = /^[a-z][a-z0-9_-]{0,63}$/;

/** The source name under which the pipeline writes its own control entries. No configured source may use it. */
export const CONTROL_SOURCE = 'waybill';
