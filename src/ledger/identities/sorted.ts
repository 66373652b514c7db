import type { Columns } from './columns.ts';
import { SLOT_WORDS } from './memtable.ts';

/** Puts the identities of a memtable into `sorted` in the order of their fingerprints, out of its slots. */
export function sortInto(sorted: Columns, words: Int32Array): void {
  sorted.count = 0;
  const slots = words.length / SLOT_WORDS;
  const shift = 32 - Math.log2(slots);
  for (let slot = 0; slot < slots; slot++) {
    const at = slot * SLOT_WORDS;
    if (words[at + 3] !== 0 && words[at]! >>> shift <= slot) insert(sorted, words, at);
  }
  // Those that ran over the end and found a slot at the beginning are the largest ones, so they come last.
  for (let slot = 0; slot < slots && words[slot * SLOT_WORDS + 3] !== 0; slot++) {
    const at = slot * SLOT_WORDS;
    if (words[at]! >>> shift > slot) insert(sorted, words, at);
  }
}

/** Slots are almost in order: each is at most a few places away from where it belongs. */
function insert(sorted: Columns, words: Int32Array, at: number): void {
  const { highs, lows, indexLows, indexHighs } = sorted;
  const high = words[at]!;
  let place = sorted.count++;
  for (; place > 0 && highs[place - 1]! >>> 0 > high >>> 0; place--) {
    highs[place] = highs[place - 1]!;
    lows[place] = lows[place - 1]!;
    indexLows[place] = indexLows[place - 1]!;
    indexHighs[place] = indexHighs[place - 1]!;
  }
  highs[place] = high;
  lows[place] = words[at + 1]!;
  indexLows[place] = words[at + 2]!;
  indexHighs[place] = words[at + 3]!;
}
