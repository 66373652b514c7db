import { assert } from '../../contracts/assert.ts';
import type { Batch } from '../../contracts/entry.ts';
import type { ReadLimits } from '../../contracts/ledger.ts';
import { asIndex } from '../../contracts/units.ts';
import type { Window } from './layout.ts';

/**
 * Bytes that hold consecutive entries in frames, and where in them each frame's offset table lies.
 * Frames may be added. The batches that it cuts are views of its bytes: they hold for as long as those are not used for something else.
 */
export class Block {
  readonly window: Window;
  readonly #firsts: number[] = [];
  readonly #tables: number[] = [];
  #end = 0;

  constructor(window: Window) {
    this.window = window;
  }

  /** The index of the first entry; equal to `end` when there is none. */
  get first(): number {
    return this.#firsts[0] ?? this.#end;
  }

  /** The index after the last entry. */
  get end(): number {
    return this.#end;
  }

  /** Notes `count` entries, at least one, whose offset table begins at byte `tableAt`. */
  add(first: number, count: number, tableAt: number): void {
    assert(count > 0 && (this.#firsts.length === 0 || first === this.#end), 'frames of a block must follow one another');
    this.#firsts.push(first);
    this.#tables.push(tableAt);
    this.#end = first + count;
  }

  /** The entries from `from` up to `size`, as many as the limits and the block allow, and at least one. */
  cut(from: number, size: number, limits: ReadLimits): Batch {
    const most = Math.max(1, Math.min(limits.entries, Math.min(this.#end, size) - from));
    const starts = new Uint32Array(most);
    const ends = new Uint32Array(most);
    const { words } = this.window;
    let taken = 0;
    let total = 0;
    let base = 0;
    let full = false;
    for (let frame = this.#frameOf(from); taken < most && !full; frame++) {
      const first = this.#firsts[frame] as number;
      const count = (this.#firsts[frame + 1] ?? this.#end) - first;
      const tableAt = this.#tables[frame] as number;
      const table = tableAt >>> 2;
      const data = tableAt + 4 * (count + 1);
      const skipped = from + taken - first;
      if (taken === 0) base = data + (words[table + skipped] as number);
      for (let k = skipped; k < count && taken < most; k++) {
        const start = data + (words[table + k] as number);
        const end = data + (words[table + k + 1] as number);
        total += end - start;
        if (total > limits.bytes && taken > 0) {
          full = true;
          break;
        }
        starts[taken] = start - base;
        ends[taken] = end - base;
        taken++;
      }
    }
    const bytes = this.window.bytes.subarray(base, base + (ends[taken - 1] as number));
    return { first: asIndex(from), count: taken, bytes, starts: starts.subarray(0, taken), ends: ends.subarray(0, taken) };
  }

  /** Which frame holds the entry at `index`, by halving. */
  #frameOf(index: number): number {
    let low = 0;
    let high = this.#firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#firsts[middle] as number) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
