import type { Disk, DiskFile } from '../../contracts/ports.ts';
import { Columns } from './columns.ts';
import { BLOCK_BYTES, BLOCK_ENTRIES, BlockBuffer, blocksFor, HIGHS, INDEX_HIGHS, INDEX_LOWS, LOWS } from './run-format.ts';

/** How many blocks are read at once. Every input of a merge has that much memory. */
const BLOCKS_READ = 16;

/** Reads a run file from its beginning to its end, some blocks at a time, and checks each of them. */
export class RunReader {
  /** What was read last. */
  readonly columns: Columns;
  /** How many of `columns` have been used. */
  place = 0;
  readonly #path: string;
  readonly #file: DiskFile;
  readonly #blocksTotal: number;
  readonly #memory: Uint8Array;
  readonly #blocks: readonly BlockBuffer[];
  #blocksRead = 0;

  private constructor(path: string, file: DiskFile, blocks: number) {
    this.#path = path;
    this.#file = file;
    this.#blocksTotal = blocks;
    const atOnce = Math.min(blocks, BLOCKS_READ);
    const memory = new ArrayBuffer(atOnce * BLOCK_BYTES);
    this.#memory = new Uint8Array(memory);
    this.#blocks = Array.from({ length: atOnce }, (_, at) => new BlockBuffer(memory, at * BLOCK_BYTES));
    this.columns = new Columns(atOnce * BLOCK_ENTRIES);
  }

  /** Opens a run file that holds so many identities. */
  static async open(disk: Disk, path: string, entries: number): Promise<RunReader> {
    return new RunReader(path, await disk.open(path, 'read'), blocksFor(entries));
  }

  /** True when everything that was read has been used, so that more has to be read first. */
  get drained(): boolean {
    return this.place === this.columns.count;
  }

  /** True when there is nothing left. */
  get ended(): boolean {
    return this.drained && this.#blocksRead === this.#blocksTotal;
  }

  /** Reads on. Returns `null`, or what is wrong with the file. It blocks: it is for a thread where nobody waits. */
  fill(): string | null {
    const blocks = Math.min(BLOCKS_READ, this.#blocksTotal - this.#blocksRead);
    const at = this.#blocksRead * BLOCK_BYTES;
    // Into memory of its own: to allocate for every read would leave more garbage than the merge itself takes.
    const length = this.#file.readNow(this.#memory.subarray(0, blocks * BLOCK_BYTES), at);
    if (length !== blocks * BLOCK_BYTES) return `${this.#path} ends at byte ${at + length}`;
    this.columns.count = 0;
    this.place = 0;
    for (let place = 0; place < blocks; place++) {
      const block = this.#blocks[place]!;
      if (!block.isIntact()) return `${this.#path} has a damaged block at byte ${at + place * BLOCK_BYTES}`;
      this.#take(block);
    }
    this.#blocksRead += blocks;
    return null;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #take({ words, halves, count }: BlockBuffer): void {
    const { columns } = this;
    columns.highs.set(words.subarray(HIGHS, HIGHS + count), columns.count);
    columns.lows.set(words.subarray(LOWS, LOWS + count), columns.count);
    columns.indexLows.set(words.subarray(INDEX_LOWS, INDEX_LOWS + count), columns.count);
    columns.indexHighs.set(halves.subarray(INDEX_HIGHS, INDEX_HIGHS + count), columns.count);
    columns.count += count;
  }
}
