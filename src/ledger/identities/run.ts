import { crc32c } from '@node-rs/crc32';
import type { Disk, DiskFile } from '../../contracts/ports.ts';
import { FILTER_BLOCK_BYTES, mayHold } from './filter.ts';
import { BLOCK_BYTES, type BlockBuffer, decodeFooter, FOOTER_BYTES, type Footer, HIGHS, LOWS, layoutOf } from './run-format.ts';

/** How much of a filter is read at once: more would hold up everybody else. */
const CHUNK_BYTES = 1 << 20;

/** A run file does not hold what was written: the index has to be rebuilt. */
export class RunDamaged extends Error {
  override readonly name = 'RunDamaged';
}

/**
 * An immutable file of identities, sorted by fingerprint. In memory are the first fingerprint of each block (the fences) and,
 * while there is room for it, a filter that spares most looks at the disk.
 */
export class Run {
  readonly name: string;
  readonly entries: number;
  /** True while a merge reads it. */
  merging = false;
  readonly #file: DiskFile;
  readonly #footer: Footer;
  readonly #fences: Uint32Array;
  readonly #block: BlockBuffer;
  readonly #filterBlocks: number;
  readonly #probes: number;
  #filter: Int32Array | null = null;

  private constructor(name: string, file: DiskFile, footer: Footer, fences: Uint32Array, block: BlockBuffer) {
    this.name = name;
    this.entries = footer.entries;
    this.#file = file;
    this.#footer = footer;
    this.#fences = fences;
    this.#block = block;
    this.#filterBlocks = footer.filterBlocks;
    this.#probes = footer.probes;
  }

  /**
   * Opens a run file and checks all but its blocks. Rejects with `RunDamaged` when it is not there or not whole.
   * `block` is working memory.
   */
  static async open(disk: Disk, directory: string, name: string, block: BlockBuffer): Promise<Run> {
    const path = `${directory}/${name}`;
    const length = await disk.length(path);
    if (length === null) throw new RunDamaged(`${path} is not there`);
    const file = await disk.open(path, 'read');
    try {
      const footer = decodeFooter(await file.read(Math.max(0, length - FOOTER_BYTES), FOOTER_BYTES));
      if (footer === null) throw new RunDamaged(`${path} has no valid end`);
      const layout = layoutOf(footer.blocks, footer.filterBlocks);
      if (layout.length !== length) throw new RunDamaged(`${path} has ${length} bytes and not ${layout.length}`);
      const fences = new Uint32Array((layout.filterAt - layout.fencesAt) / 4);
      const check = await readInto(file, layout.fencesAt, new Uint8Array(fences.buffer));
      if (check !== footer.fencesCheck) throw new RunDamaged(`${path} has damaged fences`);
      return new Run(name, file, footer, fences, block);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** How much memory it takes now. */
  get bytes(): number {
    return this.#fences.byteLength + this.filterBytes;
  }

  /** How much of that is its filter. */
  get filterBytes(): number {
    return this.#filter?.byteLength ?? 0;
  }

  /** How much memory its filter would take. */
  get filterBytesWanted(): number {
    return this.#footer.filterBlocks * FILTER_BLOCK_BYTES;
  }

  /** Reads the filter into memory. Rejects with `RunDamaged`. */
  async loadFilter(): Promise<void> {
    if (this.#footer.filterBlocks === 0) return;
    const filter = new Int32Array(this.filterBytesWanted / 4);
    const layout = layoutOf(this.#footer.blocks, this.#footer.filterBlocks);
    const check = await readInto(this.#file, layout.filterAt, new Uint8Array(filter.buffer));
    if (check !== this.#footer.filterCheck) throw new RunDamaged(`${this.name} has a damaged filter`);
    this.#filter = filter;
  }

  /** Frees the memory of the filter: from now on every look goes to the disk. */
  dropFilter(): void {
    this.#filter = null;
  }

  /** False when the fingerprint is certainly not in this run. */
  mayHold(high: number, low: number): boolean {
    const filter = this.#filter;
    return filter === null || mayHold(filter, this.#filterBlocks, this.#probes, high, low);
  }

  /** Adds every index under this fingerprint to `into`. Throws `RunDamaged` when the file cannot be trusted to tell. */
  collect(high: number, low: number, into: number[]): void {
    const unsigned = high >>> 0;
    for (let at = this.#firstBlock(unsigned); at < this.#footer.blocks && this.#fences[at]! <= unsigned; at++) {
      this.#load(at);
      this.#collectFromBlock(high, low, into);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** The first block that can hold this high half: the one before the first that begins with it or above. */
  #firstBlock(unsigned: number): number {
    let from = 0;
    let to = this.#footer.blocks;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#fences[middle]! < unsigned) from = middle + 1;
      else to = middle;
    }
    return Math.max(0, from - 1);
  }

  #load(at: number): void {
    const count = this.#file.readNow(this.#block.bytes, at * BLOCK_BYTES);
    if (count !== BLOCK_BYTES || !this.#block.isIntact())
      throw new RunDamaged(`${this.name} has a damaged block at byte ${at * BLOCK_BYTES}`);
  }

  #collectFromBlock(high: number, low: number, into: number[]): void {
    const words = this.#block.words;
    const count = this.#block.count;
    const unsigned = high >>> 0;
    let from = 0;
    let to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (words[HIGHS + middle]! >>> 0 < unsigned) from = middle + 1;
      else to = middle;
    }
    for (let place = from; place < count && words[HIGHS + place] === high; place++) {
      if (words[LOWS + place] === low) into.push(this.#block.index(place));
    }
  }
}

/** Fills `bytes` from a file and returns their CRC-32C. A file that ends too early gives zeros, so that the check fails. */
async function readInto(file: DiskFile, at: number, bytes: Uint8Array): Promise<number> {
  let check = 0;
  for (let done = 0; done < bytes.length; done += CHUNK_BYTES) {
    const target = bytes.subarray(done, done + CHUNK_BYTES);
    target.set(await file.read(at + done, target.length));
    check = crc32c(target, check);
  }
  return check;
}
