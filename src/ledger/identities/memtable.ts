import { assert } from '../../contracts/assert.ts';

/** One slot: fingerprint high, fingerprint low, index modulo 2³², and the rest of the index with the mark of a used slot. */
export const SLOT_WORDS = 4;

/** Set in the last word of a used slot. */
export const SLOT_USED = 0x8000_0000;

/** A file has 48 bits for an index. */
const INDEX_END = 2 ** 48;

/** A table is made larger beyond this share of used slots. */
const LOAD_MAX = 0.75;

/**
 * The newest identities, in memory: open addressing in shared memory, so that a background job sorts it without a copy.
 * The home of a fingerprint is given by its highest bits, so that the slots are almost in the order of the fingerprints.
 */
export class Memtable {
  /** The slots, `SLOT_WORDS` words each. */
  words: Int32Array<SharedArrayBuffer>;
  /** How many identities it holds. */
  count = 0;
  /** The largest index in it; -1 while it is empty. */
  highest = -1;
  #shift: number;
  #mask: number;
  #full: number;

  /** Room for `entries` identities at half load; more make it grow. */
  constructor(entries: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(entries * 2)));
    this.words = wordsFor(bits);
    this.#shift = 32 - bits;
    this.#mask = 2 ** bits - 1;
    this.#full = 2 ** bits * LOAD_MAX;
  }

  /** How much memory a table for `entries` identities takes. */
  static bytesFor(entries: number): number {
    return 2 ** Math.max(4, Math.ceil(Math.log2(entries * 2))) * SLOT_WORDS * 4;
  }

  get bytes(): number {
    return this.words.byteLength;
  }

  /** Remembers an index under a fingerprint. It never fails: a full table grows. */
  add(high: number, low: number, index: number): void {
    // The message is only made when it is needed: this is done for every event.
    if (!(index > this.highest && index < INDEX_END))
      assert(false, `identity of entry ${index} was added after that of entry ${this.highest}`);
    if (this.count >= this.#full) this.#grow();
    this.#place(high, low, index | 0, Math.floor(index / 2 ** 32) | SLOT_USED);
    this.count++;
    this.highest = index;
  }

  /** Adds every index under this fingerprint to `into`. */
  collect(high: number, low: number, into: number[]): void {
    const words = this.words;
    for (let slot = high >>> this.#shift; ; slot = (slot + 1) & this.#mask) {
      const at = slot * SLOT_WORDS;
      const tag = words[at + 3]!;
      if (tag === 0) return;
      if (words[at] === high && words[at + 1] === low) into.push((tag & ~SLOT_USED) * 2 ** 32 + (words[at + 2]! >>> 0));
    }
  }

  /** Makes it empty, to be used again. */
  clear(): void {
    this.words.fill(0);
    this.count = 0;
    this.highest = -1;
  }

  #place(high: number, low: number, indexLow: number, tag: number): void {
    const words = this.words;
    let slot = high >>> this.#shift;
    while (words[slot * SLOT_WORDS + 3] !== 0) slot = (slot + 1) & this.#mask;
    const at = slot * SLOT_WORDS;
    words[at] = high;
    words[at + 1] = low;
    words[at + 2] = indexLow;
    words[at + 3] = tag;
  }

  #grow(): void {
    const old = this.words;
    this.#shift--;
    this.#mask = this.#mask * 2 + 1;
    this.#full *= 2;
    this.words = wordsFor(32 - this.#shift);
    for (let at = 0; at < old.length; at += SLOT_WORDS) {
      if (old[at + 3] !== 0) this.#place(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!);
    }
  }
}

function wordsFor(bits: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(2 ** bits * SLOT_WORDS * 4));
}
