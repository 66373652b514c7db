/** A filter is made of blocks of this many bytes: one look touches one line of the processor's cache. */
export const FILTER_BLOCK_BYTES = 64;

const BLOCK_WORDS = FILTER_BLOCK_BYTES / 4;

/** A look at the disk for nothing costs as much as all the rest of a look-up a dozen times over, so memory is spent on avoiding it. */
const BITS_MAX = 16;

/** With fewer bits per entry than this a filter answers "perhaps" too often to be worth its memory. */
const BITS_MIN = 3;

/** From so many bits per entry on, two bits in each word answer better than one. */
const BITS_FOR_TWO = 9;

/** The size of a filter. `blocks` is 0 where there is none. */
export interface FilterPlan {
  readonly blocks: number;
  /** How many bits each entry sets in each of its four words: 1 or 2. */
  readonly probes: number;
}

/** The best filter for so many entries in at most so many bytes. */
export function planFilter(entries: number, bytesMax: number): FilterPlan {
  const bits = Math.min(BITS_MAX, (bytesMax * 8) / entries);
  if (entries === 0 || bits < BITS_MIN) return { blocks: 0, probes: 0 };
  const blocks = Math.floor((entries * bits) / (FILTER_BLOCK_BYTES * 8));
  return { blocks: Math.max(1, blocks), probes: bits >= BITS_FOR_TWO ? 2 : 1 };
}

/** Which block a fingerprint belongs to. It grows with `high`, so that sorted entries fill the blocks one after another. */
export function filterBlock(high: number, blocks: number): number {
  return Math.floor(((high >>> 0) * blocks) / 2 ** 32);
}

/** Sets the bits of a fingerprint in the block that begins at `words[at]`: one or two in one word of each quarter. */
export function setInBlock(words: Int32Array, at: number, probes: number, high: number, low: number): void {
  const more = probes === 2 ? stretch(high, low) : low;
  const first = at + (high & 3);
  const second = at + 4 + ((high >>> 2) & 3);
  const third = at + 8 + ((high >>> 4) & 3);
  const fourth = at + 12 + ((high >>> 6) & 3);
  // A shift takes the lowest five bits of its count.
  words[first] = words[first]! | (1 << low) | (1 << more);
  words[second] = words[second]! | (1 << (low >>> 5)) | (1 << (more >>> 5));
  words[third] = words[third]! | (1 << (low >>> 10)) | (1 << (more >>> 10));
  words[fourth] = words[fourth]! | (1 << (low >>> 15)) | (1 << (more >>> 15));
}

/**
 * False when a fingerprint is certainly not among those whose bits were set. It takes the same way whatever is set,
 * so that the processor looks at several filters at once instead of guessing wrong at each.
 */
export function mayHold(words: Int32Array, blocks: number, probes: number, high: number, low: number): boolean {
  const at = filterBlock(high, blocks) * BLOCK_WORDS;
  const more = probes === 2 ? stretch(high, low) : low;
  const first = ~words[at + (high & 3)]! & ((1 << low) | (1 << more));
  const second = ~words[at + 4 + ((high >>> 2) & 3)]! & ((1 << (low >>> 5)) | (1 << (more >>> 5)));
  const third = ~words[at + 8 + ((high >>> 4) & 3)]! & ((1 << (low >>> 10)) | (1 << (more >>> 10)));
  const fourth = ~words[at + 12 + ((high >>> 6) & 3)]! & ((1 << (low >>> 15)) | (1 << (more >>> 15)));
  return (first | second | third | fourth) === 0;
}

/** More bits out of a fingerprint than it has, for the second bit of each word. */
function stretch(high: number, low: number): number {
  return Math.imul(low ^ (high << 16), 0x9e3779b1) >>> 12;
}
