/**
 * The number of pairs after which every other one is dropped, so that the index of a segment stays under 64 KiB however long the segment
 * grows.
 */
export const PAIRS_MAX = 8_192;

const STEP_BYTES = 64 * 1024;

/**
 * Where in a segment some of its entries lie: pairs (index − first index of the segment, offset / 8), ascending.
 * The entry at an index is found by walking frames from the pair at or before it.
 */
export class SparseIndex {
  #pairs: Uint32Array<ArrayBuffer>;
  #count: number;
  #step = STEP_BYTES;

  constructor(pairs: Uint32Array<ArrayBuffer> = new Uint32Array(0)) {
    this.#pairs = pairs;
    this.#count = pairs.length / 2;
  }

  /** How many pairs there are. */
  get count(): number {
    return this.#count;
  }

  /** Notes a frame with entries, unless the last pair is near enough. Frames come in their order. */
  add(relative: number, offset: number): void {
    if (this.#count > 0 && offset - (this.#pairs[2 * this.#count - 1] as number) * 8 < this.#step) return;
    if (this.#count === PAIRS_MAX) this.#thin();
    if (2 * this.#count === this.#pairs.length) this.#grow();
    this.#pairs[2 * this.#count] = relative;
    this.#pairs[2 * this.#count + 1] = offset / 8;
    this.#count++;
  }

  /** The offset of a frame at or before the one that holds `relative`, or `null` when no frame was noted there. */
  find(relative: number): number | null {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pairs[2 * middle] as number) <= relative) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? null : (this.#pairs[2 * low - 1] as number) * 8;
  }

  /** Forgets frames that begin at `offset` or behind it. */
  cut(offset: number): void {
    while (this.#count > 0 && (this.#pairs[2 * this.#count - 1] as number) * 8 >= offset) this.#count--;
  }

  /** The pairs as they are stored. */
  pairs(): Uint32Array<ArrayBuffer> {
    return this.#pairs.subarray(0, 2 * this.#count);
  }

  #thin(): void {
    for (let k = 0; k < this.#count; k += 2) {
      this.#pairs[k] = this.#pairs[2 * k] as number;
      this.#pairs[k + 1] = this.#pairs[2 * k + 1] as number;
    }
    this.#count = Math.ceil(this.#count / 2);
    this.#step *= 2;
  }

  #grow(): void {
    const larger = new Uint32Array(Math.max(64, 2 * this.#pairs.length));
    larger.set(this.#pairs);
    this.#pairs = larger;
  }
}
