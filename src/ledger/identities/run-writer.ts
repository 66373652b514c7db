import { crc32c } from '@node-rs/crc32';
import { assert } from '../../contracts/assert.ts';
import type { Disk, DiskFile } from '../../contracts/ports.ts';
import type { Columns } from './columns.ts';
import { FILTER_BLOCK_BYTES, type FilterPlan, filterBlock, setInBlock } from './filter.ts';
import {
  BLOCK_BYTES,
  BLOCK_ENTRIES,
  BlockBuffer,
  blocksFor,
  encodeFooter,
  HIGHS,
  INDEX_HIGHS,
  INDEX_LOWS,
  LOWS,
  layoutOf,
  type RunLayout,
} from './run-format.ts';

/** How many blocks of identities, and of the filter, are gathered before they are written. */
const BLOCKS_GATHERED = 16;
const FILTER_BLOCKS_GATHERED = 1024;

/** A long run is flushed in pieces: one large flush would hold up those of the ledger, which share the device. */
const UNFLUSHED_BYTES = 4 << 20;

/**
 * Writes one run file from identities in order. Blocks, fences and filter are made in one pass, so that a run of any size takes
 * a fixed amount of memory, apart from the fences. Nothing of it counts before `finish` has resolved.
 */
export class RunWriter {
  readonly #file: DiskFile;
  readonly #entries: number;
  readonly #plan: FilterPlan;
  readonly #layout: RunLayout;
  readonly #fences: Uint32Array;
  readonly #memory: Uint8Array;
  readonly #blocks: readonly BlockBuffer[];
  readonly #filter: Int32Array;
  #added = 0;
  #written = 0;
  #gathered = 0;
  #inBlock = 0;
  #filterBase = 0;
  #filterCheck = 0;
  #unflushed = 0;
  #closed = false;

  private constructor(file: DiskFile, entries: number, plan: FilterPlan) {
    const blocks = blocksFor(entries);
    this.#file = file;
    this.#entries = entries;
    this.#plan = plan;
    this.#layout = layoutOf(blocks, plan.blocks);
    this.#fences = new Uint32Array((this.#layout.filterAt - this.#layout.fencesAt) / 4);
    // Shared memory goes to the thread that writes without a copy.
    const memory = new SharedArrayBuffer(Math.min(blocks, BLOCKS_GATHERED) * BLOCK_BYTES);
    this.#memory = new Uint8Array(memory);
    this.#blocks = Array.from({ length: memory.byteLength / BLOCK_BYTES }, (_, at) => new BlockBuffer(memory, at * BLOCK_BYTES));
    this.#filter = new Int32Array(new SharedArrayBuffer(Math.min(plan.blocks, FILTER_BLOCKS_GATHERED) * FILTER_BLOCK_BYTES));
  }

  /** Begins a run of exactly `entries` identities. What an attempt that failed left under this name is overwritten. */
  static async create(disk: Disk, path: string, entries: number, plan: FilterPlan): Promise<RunWriter> {
    assert(entries > 0, 'a run without identities');
    const file = await disk.open(path, 'create');
    try {
      await file.truncate(0);
      return new RunWriter(file, entries, plan);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** How many identities have been added. */
  get added(): number {
    return this.#added;
  }

  /** Adds identities that come after all that were added before. They may change once it has resolved. */
  async add(columns: Columns): Promise<void> {
    for (let at = 0; at < columns.count; ) {
      at = this.#fillBlocks(columns, at);
      if (this.#gathered === this.#blocks.length) await this.#writeBlocks();
    }
    for (let at = this.#fillFilter(columns, 0); at < columns.count; at = this.#fillFilter(columns, at)) await this.#writeFilter();
    this.#added += columns.count;
  }

  /** Writes the rest and makes all of it durable. The name of the file is not: that takes a `syncDirectory`. */
  async finish(): Promise<void> {
    assert(this.#added === this.#entries, `a run of ${this.#entries} identities was given ${this.#added}`);
    if (this.#inBlock > 0) this.#sealBlock();
    if (this.#gathered > 0) await this.#writeBlocks();
    while (this.#filterBase < this.#plan.blocks) await this.#writeFilter();
    const fences = new Uint8Array(this.#fences.buffer);
    await this.#file.write(fences, this.#layout.fencesAt);
    const footer = encodeFooter({
      entries: this.#entries,
      blocks: blocksFor(this.#entries),
      filterBlocks: this.#plan.blocks,
      probes: this.#plan.probes,
      fencesCheck: crc32c(fences),
      filterCheck: this.#filterCheck,
    });
    await this.#file.write(footer, this.#layout.footerAt);
    await this.#file.sync();
    this.#closed = true;
    await this.#file.close();
  }

  /** Lets go of the file, also when it is not finished. It never rejects: what was written is not used then. */
  async abandon(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close().catch(() => {});
  }

  /** Copies identities into blocks until there is no block left. Returns the place that comes next. */
  #fillBlocks(columns: Columns, from: number): number {
    let at = from;
    while (at < columns.count && this.#gathered < this.#blocks.length) {
      const block = this.#blocks[this.#gathered]!;
      const place = this.#inBlock;
      const end = Math.min(columns.count, at + BLOCK_ENTRIES - place);
      if (place === 0) this.#fences[this.#written + this.#gathered] = columns.highs[at]!;
      block.words.set(columns.highs.subarray(at, end), HIGHS + place);
      block.words.set(columns.lows.subarray(at, end), LOWS + place);
      block.words.set(columns.indexLows.subarray(at, end), INDEX_LOWS + place);
      block.halves.set(columns.indexHighs.subarray(at, end), INDEX_HIGHS + place);
      this.#inBlock += end - at;
      at = end;
      if (this.#inBlock === BLOCK_ENTRIES) this.#sealBlock();
    }
    return at;
  }

  /** Sets the bits of identities until one lies beyond what is gathered of the filter. Returns the place of that one, or the count. */
  #fillFilter({ highs, lows, count }: Columns, from: number): number {
    const { blocks, probes } = this.#plan;
    if (blocks === 0) return count;
    const filter = this.#filter;
    const base = this.#filterBase;
    let at = from;
    for (; at < count; at++) {
      const block = filterBlock(highs[at]!, blocks) - base;
      if (block >= FILTER_BLOCKS_GATHERED) break;
      setInBlock(filter, block * (FILTER_BLOCK_BYTES / 4), probes, highs[at]!, lows[at]!);
    }
    return at;
  }

  #sealBlock(): void {
    this.#blocks[this.#gathered]!.seal(this.#inBlock);
    this.#gathered++;
    this.#inBlock = 0;
  }

  async #writeBlocks(): Promise<void> {
    await this.#write(this.#memory.subarray(0, this.#gathered * BLOCK_BYTES), this.#written * BLOCK_BYTES);
    this.#written += this.#gathered;
    this.#gathered = 0;
    // The last block may be filled in part; what an earlier one left behind it is not its content.
    this.#memory.fill(0);
  }

  async #writeFilter(): Promise<void> {
    const blocks = Math.min(FILTER_BLOCKS_GATHERED, this.#plan.blocks - this.#filterBase);
    const bytes = new Uint8Array(this.#filter.buffer, 0, blocks * FILTER_BLOCK_BYTES);
    this.#filterCheck = crc32c(bytes, this.#filterCheck);
    await this.#write(bytes, this.#layout.filterAt + this.#filterBase * FILTER_BLOCK_BYTES);
    this.#filterBase += blocks;
    this.#filter.fill(0);
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    await this.#file.write(bytes, at);
    this.#unflushed += bytes.length;
    if (this.#unflushed < UNFLUSHED_BYTES) return;
    await this.#file.sync();
    this.#unflushed = 0;
  }
}
