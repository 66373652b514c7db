import { crc32c } from '@node-rs/crc32';
import { assert } from '../../contracts/assert.ts';
import { FILTER_BLOCK_BYTES } from './filter.ts';

/** The layout of run files, byte for byte, is in docs/formats/identities-v1.md. */
export const RUN_VERSION = 1;

/** A block of identities: the unit of a look at the disk. */
export const BLOCK_BYTES = 4096;

/** How many identities a block holds. */
export const BLOCK_ENTRIES = 292;

/** Where the columns of a block begin, in 32-bit words; the last one, the high parts of the indexes, in 16-bit words. */
export const HIGHS = 2;
export const LOWS = HIGHS + BLOCK_ENTRIES;
export const INDEX_LOWS = LOWS + BLOCK_ENTRIES;
export const INDEX_HIGHS = (INDEX_LOWS + BLOCK_ENTRIES) * 2;

/** How many bytes the end of a run file takes. */
export const FOOTER_BYTES = 64;

const MAGIC = 0x3152_4957; // "WIR1" in the order of the bytes

/** What the end of a run file says about the rest of it. */
export interface Footer {
  readonly entries: number;
  readonly blocks: number;
  readonly filterBlocks: number;
  readonly probes: number;
  readonly fencesCheck: number;
  readonly filterCheck: number;
}

/** Where the parts of a run file begin, and its length. */
export interface RunLayout {
  readonly fencesAt: number;
  readonly filterAt: number;
  readonly footerAt: number;
  readonly length: number;
}

/** The places of the parts follow from the numbers alone, so that all of them can be written in one pass. */
export function layoutOf(blocks: number, filterBlocks: number): RunLayout {
  const fencesAt = blocks * BLOCK_BYTES;
  const filterAt = fencesAt + Math.ceil((blocks * 4) / FILTER_BLOCK_BYTES) * FILTER_BLOCK_BYTES;
  const footerAt = filterAt + filterBlocks * FILTER_BLOCK_BYTES;
  return { fencesAt, filterAt, footerAt, length: footerAt + FOOTER_BYTES };
}

/** How many blocks so many identities take. */
export function blocksFor(entries: number): number {
  return Math.ceil(entries / BLOCK_ENTRIES);
}

/** Writes a footer. */
export function encodeFooter(footer: Footer): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, RUN_VERSION, true);
  view.setBigUint64(8, BigInt(footer.entries), true);
  view.setUint32(16, footer.blocks, true);
  view.setUint32(20, footer.filterBlocks, true);
  view.setUint32(24, footer.probes, true);
  view.setUint32(28, footer.fencesCheck, true);
  view.setUint32(32, footer.filterCheck, true);
  view.setUint32(60, crc32c(bytes.subarray(0, 60)), true);
  return bytes;
}

/** Reads a footer; `null` when these bytes are none of this version, or are damaged. */
export function decodeFooter(bytes: Uint8Array): Footer | null {
  if (bytes.length !== FOOTER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== RUN_VERSION) return null;
  if (view.getUint32(60, true) !== crc32c(bytes.subarray(0, 60))) return null;
  const footer: Footer = {
    entries: Number(view.getBigUint64(8, true)),
    blocks: view.getUint32(16, true),
    filterBlocks: view.getUint32(20, true),
    probes: view.getUint32(24, true),
    fencesCheck: view.getUint32(28, true),
    filterCheck: view.getUint32(32, true),
  };
  return footer.blocks === blocksFor(footer.entries) ? footer : null;
}

/**
 * Memory in the shape of a block. Columns are read in place, which needs a machine that keeps the lowest byte first,
 * as all that Node runs on do.
 */
export class BlockBuffer {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly halves: Uint16Array;
  readonly #checked: Uint8Array;

  /** A block at `at` bytes of `memory`. */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(BLOCK_BYTES), at = 0) {
    this.bytes = new Uint8Array(memory, at, BLOCK_BYTES);
    this.words = new Int32Array(memory, at, BLOCK_BYTES / 4);
    this.halves = new Uint16Array(memory, at, BLOCK_BYTES / 2);
    this.#checked = this.bytes.subarray(4);
  }

  /** How many identities it holds. */
  get count(): number {
    return this.words[1]!;
  }

  /** Closes a block that has been filled with `count` identities. */
  seal(count: number): void {
    assert(count > 0 && count <= BLOCK_ENTRIES, `a block of ${count} identities`);
    this.words[1] = count;
    this.words[0] = crc32c(this.#checked);
  }

  /** True when nothing in it has changed since it was sealed. */
  isIntact(): boolean {
    return this.words[0] === (crc32c(this.#checked) | 0) && this.count > 0 && this.count <= BLOCK_ENTRIES;
  }

  /** The index at a place of the block. */
  index(place: number): number {
    return this.halves[INDEX_HIGHS + place]! * 2 ** 32 + (this.words[INDEX_LOWS + place]! >>> 0);
  }
}
