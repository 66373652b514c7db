import { Block } from './block.ts';
import type { Window } from './layout.ts';
import { windowOf } from './layout.ts';

const BLOCK_BYTES = 1024 * 1024;

/** How many blocks are kept to be filled again. */
const SPARE_MAX = 4;

/**
 * The memory that frames are gathered in and that recent entries are read from. The memory of a block that is dropped is filled again,
 * so that a stream of events leaves nothing for the garbage collector: who reads from a block copies before anything else happens.
 */
export class Ring {
  readonly #bytesMax: number;
  readonly #blockBytes: number;
  readonly #blocks: Block[] = [];
  readonly #spare: Window[] = [];
  #bytes = 0;
  #used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#blockBytes = Math.min(BLOCK_BYTES, Math.max(16 * 1024, bytesMax >>> 3));
  }

  /** The block in which the next `bytes` go, and from which byte on. Nothing is taken until `take`. */
  place(bytes: number): { readonly block: Block; readonly at: number } {
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#used + bytes <= last.window.bytes.length) return { block: last, at: this.#used };
    const spare = bytes <= this.#blockBytes ? this.#spare.pop() : undefined;
    const block = new Block(spare ?? windowOf(Buffer.allocUnsafeSlow(Math.max(this.#blockBytes, bytes))));
    this.#blocks.push(block);
    this.#bytes += block.window.bytes.length;
    this.#used = 0;
    return { block, at: 0 };
  }

  /** Takes the bytes that were placed. */
  take(bytes: number): void {
    this.#used += bytes;
  }

  /** The block that holds the entry at `index`, or `null` when it is no longer in memory. */
  find(index: number): Block | null {
    for (let k = this.#blocks.length - 1; k >= 0; k--) {
      const block = this.#blocks[k] as Block;
      if (index >= block.first && index < block.end) return block;
      if (block.end > block.first && index >= block.end) return null;
    }
    return null;
  }

  /**
   * Lets go of the oldest blocks while there are too many. What waits for its flush is held by its group, and read from the disk later;
   * its memory is not filled again.
   */
  trim(size: number): void {
    while (this.#bytes > this.#bytesMax && this.#blocks.length > 1) {
      const oldest = this.#blocks.shift() as Block;
      this.#bytes -= oldest.window.bytes.length;
      // Frames lie in the order in which they are flushed: a durable entry behind this block means that no group needs it any more.
      const after = this.#blocks[0] as Block;
      const flushed = after.first < Math.min(after.end, size);
      if (flushed && oldest.window.bytes.length === this.#blockBytes && this.#spare.length < SPARE_MAX) this.#spare.push(oldest.window);
    }
  }
}
