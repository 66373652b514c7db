/**
 * Identities in the order of the high halves of their fingerprints, unsigned: the form in which they are sorted, merged and written.
 * The order of those with the same high half does not matter.
 */
export class Columns {
  readonly highs: Int32Array;
  readonly lows: Int32Array;
  readonly indexLows: Int32Array;
  /** What is above 32 bits of each index. */
  readonly indexHighs: Uint16Array;
  /** How many places are filled. */
  count = 0;

  /** Room for so many identities. */
  constructor(capacity: number) {
    this.highs = new Int32Array(capacity);
    this.lows = new Int32Array(capacity);
    this.indexLows = new Int32Array(capacity);
    this.indexHighs = new Uint16Array(capacity);
  }

  get capacity(): number {
    return this.highs.length;
  }
}
