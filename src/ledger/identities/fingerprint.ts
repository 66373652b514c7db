import { assert } from '../../contracts/assert.ts';

/** How many bytes of chance a seed has. */
export const SEED_BYTES = 16;

/**
 * Turns (source, identity) into 64 bits, as two signed 32-bit halves in `high` and `low`.
 * The multipliers come from a secret seed, so that nobody can prepare identities that collide; a collision costs a comparison and
 * nothing else.
 * Signed, because small integers cost no allocation; files hold the same bits unsigned.
 */
export class Fingerprint {
  high = 0;
  low = 0;
  readonly #multiplyA: number;
  readonly #multiplyB: number;
  readonly #beginA: number;
  readonly #beginB: number;
  readonly #starts = new Map<string, readonly [number, number]>();
  #source: string | null = null;
  #sourceA = 0;
  #sourceB = 0;

  constructor(seed: Uint8Array) {
    assert(seed.length === SEED_BYTES, `a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
    const words = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
    // Only an odd multiplier keeps every bit.
    this.#multiplyA = words.getInt32(0, true) | 1;
    this.#multiplyB = words.getInt32(4, true) | 1;
    this.#beginA = words.getInt32(8, true);
    this.#beginB = words.getInt32(12, true);
  }

  /** Puts the fingerprint of the identity `bytes[start … end]` of a source into `high` and `low`. */
  of(source: string, bytes: Uint8Array, start: number, end: number): void {
    if (source !== this.#source) this.#select(source);
    this.#mix(this.#sourceA, this.#sourceB, bytes, start, end);
  }

  /** A source is a state to begin from: it is mixed once and not for each of its identities. */
  #select(source: string): void {
    let begin = this.#starts.get(source);
    if (begin === undefined) {
      const name = new TextEncoder().encode(source);
      this.#mix(this.#beginA, this.#beginB, name, 0, name.length);
      begin = [this.high, this.low];
      this.#starts.set(source, begin);
    }
    this.#source = source;
    [this.#sourceA, this.#sourceB] = begin;
  }

  #mix(beginA: number, beginB: number, bytes: Uint8Array, start: number, end: number): void {
    const multiplyA = this.#multiplyA;
    const multiplyB = this.#multiplyB;
    let a = beginA;
    let b = beginB;
    let at = start;
    for (const last = end - 3; at < last; at += 4) {
      const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      a = Math.imul(a ^ word, multiplyA);
      a ^= a >>> 15;
      // The second half also takes the first: words chosen to cancel in one half do not cancel in both.
      b = Math.imul((b ^ a) + word, multiplyB);
      b ^= b >>> 13;
    }
    let rest = 0;
    for (; at < end; at++) rest = (rest << 8) | bytes[at]!;
    a = Math.imul(a ^ rest, multiplyA);
    a ^= a >>> 15;
    b = Math.imul((b ^ a) + (end - start), multiplyB);
    b ^= finish(a);
    a ^= finish(b);
    this.high = a;
    this.low = b;
  }
}

/** The last step of MurmurHash3: every bit of the result depends on every bit of the input. */
function finish(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
