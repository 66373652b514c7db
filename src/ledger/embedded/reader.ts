import type { Batch } from '../../contracts/entry.ts';
import type { ReadLimits } from '../../contracts/ledger.ts';
import type { Disk, DiskFile } from '../../contracts/ports.ts';
import { Block } from './block.ts';
import type { Window } from './layout.ts';
import {
  damaged,
  FLAG,
  FRAME_HEADER_BYTES,
  frameBytes,
  KIND,
  payloadHolds,
  readFrameHeader,
  SEAL_TRAILER,
  SEGMENT_HEADER_BYTES,
} from './layout.ts';
import { readWindow, scanFrames } from './scan.ts';
import { PAIRS_MAX, SparseIndex } from './sparse-index.ts';

/** A segment as readers see it. */
export interface SegmentPlace {
  readonly ordinal: number;
  readonly first: number;
  readonly path: string;
  /** The byte up to which the file may be read: what is behind it is not durable, or holds no frames. */
  end: number;
  /** Where entries lie in it, when that is known. */
  index: SparseIndex | null;
}

/** Opens the file of a segment for reading. Rejects with `LEDGER_CORRUPT` when somebody else has removed it. */
export async function openSegment(disk: Disk, segment: Pick<SegmentPlace, 'path'>): Promise<DiskFile> {
  try {
    return await disk.open(segment.path, 'read');
  } catch (error) {
    if ((await disk.length(segment.path)) !== null) throw error;
    throw damaged(segment.path, 0, 'the file is missing');
  }
}

interface Loaded {
  readonly segment: SegmentPlace;
  readonly block: Block;
  /** The byte behind the last frame of the block. */
  readonly next: number;
}

const SEQUENTIAL_BYTES = 1024 * 1024;
const RANDOM_BYTES = 96 * 1024;
const BLOCKS_KEPT = 8;
const FILES_KEPT = 8;
const PAIRS_KEPT = 1024 * 1024;

/**
 * Reads entries from the segments, each frame checked against its checksum. Who reads on where he left off gets slices of 1 MiB, who
 * looks one entry up gets the neighbourhood that the sparse index names. A few slices are kept, so that several readers at one place cost
 * one read.
 */
export class SegmentReader {
  readonly #disk: Disk;
  readonly #salt: number;
  readonly #segments: readonly SegmentPlace[];
  readonly #blocks: Loaded[] = [];
  readonly #loading = new Map<string, Promise<Loaded>>();
  readonly #files = new Map<SegmentPlace, Promise<DiskFile>>();
  readonly #indexes = new Map<SegmentPlace, SparseIndex>();

  /** `segments` is the ledger's own list, ascending: it grows and shrinks while the reader lives. */
  constructor(disk: Disk, salt: number, segments: readonly SegmentPlace[]) {
    this.#disk = disk;
    this.#salt = salt;
    this.#segments = segments;
  }

  /** The entries from `from` up to `size`, at least one. The caller knows that `from` is there. */
  async read(from: number, size: number, limits: ReadLimits): Promise<Batch> {
    const kept = this.#kept((loaded) => from >= loaded.block.first && from < loaded.block.end);
    if (kept !== undefined) return kept.block.cut(from, size, limits);
    const segment = this.#segmentOf(from);
    const before = this.#kept((loaded) => loaded.block.end === from && loaded.segment === segment);
    let at = before === undefined ? await this.#byteOf(segment, from) : before.next;
    const sequential = before !== undefined || from === segment.first;
    const length = sequential || limits.bytes >= SEQUENTIAL_BYTES / 4 ? SEQUENTIAL_BYTES : RANDOM_BYTES;
    for (;;) {
      const loaded = await this.#load(segment, at, length);
      if (from >= loaded.block.first && from < loaded.block.end) return loaded.block.cut(from, size, limits);
      at = loaded.next;
    }
  }

  /** The segment that holds an entry, and a byte in it from which on its frame is found. The caller knows that the segment is there. */
  async locate(index: number): Promise<{ readonly segment: SegmentPlace; readonly at: number }> {
    const segment = this.#segmentOf(index);
    return { segment, at: await this.#byteOf(segment, index) };
  }

  /** Lets go of a segment that is no longer there. Reads of it that are under way end first. */
  async forget(segment: SegmentPlace): Promise<void> {
    this.#blocks.splice(0, this.#blocks.length, ...this.#blocks.filter((loaded) => loaded.segment !== segment));
    this.#indexes.delete(segment);
    const file = this.#files.get(segment);
    this.#files.delete(segment);
    await file?.then((opened) => opened.close()).catch(() => undefined);
  }

  /** Closes the files. Reads under way fail. */
  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const file of files) await (await file).close();
  }

  /** A slice that is kept, moved to the end of those that may go. */
  #kept(fits: (loaded: Loaded) => boolean): Loaded | undefined {
    const at = this.#blocks.findLastIndex(fits);
    if (at < 0) return undefined;
    const loaded = this.#blocks[at] as Loaded;
    this.#blocks.splice(at, 1);
    this.#blocks.push(loaded);
    return loaded;
  }

  #segmentOf(index: number): SegmentPlace {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#segments[middle] as SegmentPlace).first <= index) low = middle;
      else high = middle - 1;
    }
    return this.#segments[low] as SegmentPlace;
  }

  async #byteOf(segment: SegmentPlace, index: number): Promise<number> {
    const sparse = segment.index ?? (await this.#indexOf(segment));
    return sparse.find(index - segment.first) ?? SEGMENT_HEADER_BYTES;
  }

  /** Reads a slice once, however many ask for it at the same time. */
  async #load(segment: SegmentPlace, at: number, length: number): Promise<Loaded> {
    const key = `${segment.ordinal}:${at}:${length}`;
    const loading = this.#loading.get(key) ?? this.#loadSlice(segment, at, length);
    this.#loading.set(key, loading);
    try {
      const loaded = await loading;
      if (!this.#blocks.includes(loaded)) this.#blocks.push(loaded);
      if (this.#blocks.length > BLOCKS_KEPT) this.#blocks.shift();
      return loaded;
    } finally {
      this.#loading.delete(key);
    }
  }

  async #loadSlice(segment: SegmentPlace, at: number, length: number): Promise<Loaded> {
    const file = await this.#file(segment);
    const { end } = segment;
    let window = await readWindow(file, at, Math.min(length, end - at));
    const needed = firstFrameBytes(window, this.#salt);
    if (needed > window.bytes.length) window = await readWindow(file, at, Math.min(needed, end - at));
    const block = new Block(window);
    const taken = takeFrames(block, this.#salt);
    if (taken === 0) throw damaged(segment.path, at, 'there is no whole frame');
    return { segment, block, next: at + taken };
  }

  #file(segment: SegmentPlace): Promise<DiskFile> {
    const file = this.#files.get(segment) ?? openSegment(this.#disk, segment);
    this.#files.delete(segment);
    this.#files.set(segment, file);
    file.catch(() => this.#files.delete(segment));
    for (const [oldest, opened] of this.#files) {
      if (this.#files.size <= FILES_KEPT) break;
      this.#files.delete(oldest);
      // Calls of one file take effect in their order, so that reads under way end first.
      opened.then((other) => other.close()).catch(() => undefined);
    }
    return file;
  }

  /** The sparse index of a full segment: from its seal, or from its frames. The least used ones are forgotten. */
  async #indexOf(segment: SegmentPlace): Promise<SparseIndex> {
    const index = this.#indexes.get(segment) ?? (await this.#readIndex(segment));
    this.#indexes.delete(segment);
    this.#indexes.set(segment, index);
    let pairs = 0;
    for (const other of this.#indexes.values()) pairs += other.count;
    for (const [oldest, other] of this.#indexes) {
      if (pairs <= PAIRS_KEPT || oldest === segment) break;
      this.#indexes.delete(oldest);
      pairs -= other.count;
    }
    return index;
  }

  async #readIndex(segment: SegmentPlace): Promise<SparseIndex> {
    const file = await this.#file(segment);
    const length = await file.length();
    return (await indexFromSeal(file, length, this.#salt)) ?? (await indexFromFrames(file, length, segment.first, this.#salt));
  }
}

/** How long the first frame of a window is by its header, or 0 when there is no header. */
function firstFrameBytes(window: Window, salt: number): number {
  const header = readFrameHeader(window, 0, salt);
  return header === null ? 0 : frameBytes(header.payloadBytes);
}

/** Notes the frames of a block that hold and follow one another, and answers how many bytes they take. */
function takeFrames(block: Block, salt: number): number {
  const { window } = block;
  let at = 0;
  for (let frame = -1; ; frame++) {
    const header = readFrameHeader(window, at, salt);
    if (header === null || !payloadHolds(window, at, header)) return at;
    if (frame < 0) frame = header.frame;
    if (header.frame !== frame) return at;
    if (header.kind === KIND.run && header.count > 0) {
      if (block.end > block.first && header.first !== block.end) return at;
      block.add(header.first, header.count, at + FRAME_HEADER_BYTES);
    }
    at += frameBytes(header.payloadBytes);
  }
}

async function indexFromSeal(file: DiskFile, length: number, salt: number): Promise<SparseIndex | null> {
  const most = frameBytes(8 * PAIRS_MAX + 8);
  const from = Math.max(SEGMENT_HEADER_BYTES, (length - most + 7) & ~7);
  const window = await readWindow(file, from, length - from);
  const end = window.bytes.length;
  if (end < FRAME_HEADER_BYTES + 8 || window.bytes.readUInt32LE(end - 8) !== SEAL_TRAILER) return null;
  const at = end - 8 * window.bytes.readUInt32LE(end - 4);
  if (at < 0 || at % 8 !== 0) return null;
  const header = readFrameHeader(window, at, salt);
  if (header === null || header.kind !== KIND.seal || (header.flags & FLAG.segmentEnd) === 0 || !payloadHolds(window, at, header))
    return null;
  const pairs = (at + FRAME_HEADER_BYTES) >>> 2;
  return new SparseIndex(window.words.slice(pairs, pairs + (header.payloadBytes - 8) / 4));
}

async function indexFromFrames(file: DiskFile, length: number, first: number, salt: number): Promise<SparseIndex> {
  const index = new SparseIndex();
  await scanFrames(file, SEGMENT_HEADER_BYTES, length, salt, ({ header, at }) => {
    if (header.kind === KIND.run && header.count > 0) index.add(header.first - first, at);
    return true;
  });
  return index;
}
