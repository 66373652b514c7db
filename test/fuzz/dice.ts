/** Chance that repeats: the same seed gives the same throws (sfc32). */
export class Dice {
  #a: number;
  #b = 0x9e37_79b9;
  #c = 0x243f_6a88;
  #d = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    for (let k = 0; k < 12; k += 1) this.#next();
  }

  /** An integer in [0, `sides`). */
  roll(sides: number): number {
    return Math.floor((this.#next() / 4_294_967_296) * sides);
  }

  /** True once in `times` throws. */
  once(times: number): boolean {
    return this.roll(times) === 0;
  }

  /** One of these. */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.roll(items.length)];
    if (item === undefined) throw new RangeError('there is nothing to pick from');
    return item;
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
}
