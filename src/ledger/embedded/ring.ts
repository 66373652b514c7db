import { Block } from './block.ts';
import { windowOf } from './layout.ts';

const BLOCK_BYTES = 1024 * 1024;

/**
 * The memory that frames are gathered in and that recent entries are read from. Blocks are filled once and never used again:
 * a batch that was handed out is a view of one, so what is dropped here lives on for as long as somebody holds it.
 */
export class Ring {
  readonly #bytesMax: number;
  readonly #blockBytes: number;
  readonly #blocks: Block[] = [];
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
    const block = new Block(windowOf(Buffer.allocUnsafeSlow(Math.max(this.#blockBytes, bytes))));
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

  /** Lets go of the oldest blocks while there are too many. What waits for its flush is held by its group, and read from the disk later. */
  trim(): void {
    while (this.#bytes > this.#bytesMax && this.#blocks.length > 1) this.#bytes -= this.#blocks.shift()?.window.bytes.length ?? 0;
  }
}
