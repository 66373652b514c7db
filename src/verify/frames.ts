/** Segments of the embedded ledger as `docs/formats/ledger-v1.md` describes them, read without the code that writes them. */
import { crc32c } from '@node-rs/crc32';
import type { ForeignFile } from '../contracts/ports.ts';

/** Bytes before the first frame of a segment, and before the payload of a frame. */
export const HEADER_BYTES = 64;

/** What a frame holds. */
export const KIND = { run: 1, journal: 2, register: 3, seal: 4 } as const;

/** Facts about a frame. */
export const FLAG = { first: 1, last: 2, segmentEnd: 4 } as const;

const SEGMENT_MAGIC = Buffer.from([0x57, 0x41, 0x59, 0x42, 0x49, 0x4c, 0x4c, 0xff]);
const FRAME_MAGIC = 0x46_42_57_ff;

/** How much is read at a time. */
const SLICE_BYTES = 1 << 20;

const ZEROS = Buffer.alloc(SLICE_BYTES);

/** The longest payload that a frame can have: a run is cut at 128 KiB and one entry, a record is not longer than that either. */
const PAYLOAD_BYTES_MAX = 1 << 20;

/** The header of a frame. */
export interface FrameHeader {
  readonly kind: number;
  readonly flags: number;
  readonly frame: number;
  readonly group: number;
  readonly first: number;
  readonly place: number;
  readonly count: number;
  readonly payloadBytes: number;
  readonly metaBytes: number;
  readonly payloadCrc: number;
}

/** What stands at a place of a segment. Payloads are views that the next read may overwrite. */
export type Found =
  | { readonly is: 'frame'; readonly header: FrameHeader; readonly payload: Buffer; readonly intact: boolean; readonly bytes: number }
  /** Nothing: the file ends here, or only zeros follow as far as it goes. */
  | { readonly is: 'end'; readonly zeros: number }
  /** Bytes that are no frame of this ledger. */
  | { readonly is: 'other' };

/** The ordinal in the header of a segment; `null` when it is not a good header of this ledger. */
export function readSegmentHeader(bytes: Buffer, id: string): number | null {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, 8).equals(SEGMENT_MAGIC)) return null;
  if (bytes.readUInt32LE(60) !== crc32c(bytes.subarray(0, 60)) || bytes.readUInt32LE(8) !== 1) return null;
  if (bytes.toString('hex', 16, 32) !== id || bytes.readUInt32LE(12) !== saltOf(id)) return null;
  return wide(bytes, 32);
}

/** The four bytes that stand in every header of one ledger. */
export function saltOf(id: string): number {
  return Buffer.from(id, 'hex').readUInt32LE(0);
}

/** The header of a frame at `at`; `null` when there is none of this ledger. */
export function readFrameHeader(bytes: Buffer, at: number, salt: number): FrameHeader | null {
  if (at + HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== FRAME_MAGIC || bytes.readUInt32LE(at + 52) !== salt) return null;
  if (bytes.readUInt32LE(at + 60) !== crc32c(bytes.subarray(at, at + 60))) return null;
  const payloadBytes = bytes.readUInt32LE(at + 40);
  if (payloadBytes > PAYLOAD_BYTES_MAX) return null;
  return {
    kind: bytes.readUInt8(at + 4),
    flags: bytes.readUInt8(at + 5),
    frame: wide(bytes, at + 8),
    group: wide(bytes, at + 16),
    first: wide(bytes, at + 24),
    place: bytes.readUInt32LE(at + 32),
    count: bytes.readUInt32LE(at + 36),
    payloadBytes,
    metaBytes: bytes.readUInt32LE(at + 44),
    payloadCrc: bytes.readUInt32LE(at + 48),
  };
}

/**
 * Where the entries of a run lie in its payload; `null` when the offsets are not in order or do not fit, so that entries cannot be told
 * apart.
 */
export function readEntries(payload: Buffer, header: FrameHeader): { readonly starts: Uint32Array; readonly ends: Uint32Array } | null {
  const { count, payloadBytes, metaBytes } = header;
  const table = 4 * (count + 1);
  const length = payloadBytes - table - metaBytes;
  if (length < 0 || payload.length < payloadBytes) return null;
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let before = payload.readUInt32LE(0);
  if (before !== 0 || payload.readUInt32LE(4 * count) !== length) return null;
  for (let k = 0; k < count; k += 1) {
    const end = payload.readUInt32LE(4 * (k + 1));
    if (end < before || end > length) return null;
    starts[k] = table + before;
    ends[k] = table + end;
    before = end;
  }
  return { starts, ends };
}

/** One segment, read slice by slice: what is at a place, and where the next frame after damage begins. */
export class SegmentReader {
  readonly #file: ForeignFile;
  readonly #salt: number;
  #slice: Buffer = Buffer.alloc(0);
  #sliceAt = 0;

  constructor(file: ForeignFile, salt: number) {
    this.#file = file;
    this.#salt = salt;
  }

  /** What stands at `at`, a multiple of 8. */
  async at(at: number): Promise<Found> {
    let window = await this.#window(at, HEADER_BYTES);
    if (window.length === 0) return { is: 'end', zeros: 0 };
    const header = readFrameHeader(window, 0, this.#salt);
    if (header === null) {
      const zeros = await this.#zeros(at);
      return zeros === null ? { is: 'other' } : { is: 'end', zeros };
    }
    const bytes = HEADER_BYTES + ((header.payloadBytes + 7) & ~7);
    window = await this.#window(at, bytes);
    const payload = window.subarray(HEADER_BYTES, HEADER_BYTES + header.payloadBytes);
    const padding = window.subarray(HEADER_BYTES + header.payloadBytes);
    const whole = window.length === bytes && padding.every((byte) => byte === 0);
    const intact = whole && crc32c(payload) === header.payloadCrc;
    return { is: 'frame', header, payload, intact, bytes };
  }

  /** Reads again what may have been written since. */
  forget(): void {
    this.#slice = Buffer.alloc(0);
  }

  /** The next place from `at` on with a header of this ledger; `null` when there is none to the end of the file. */
  async next(at: number): Promise<{ readonly at: number; readonly header: FrameHeader } | null> {
    for (let place = at; ; place += 8) {
      const window = await this.#window(place, HEADER_BYTES);
      if (window.length < HEADER_BYTES) return null;
      const header = readFrameHeader(window, 0, this.#salt);
      if (header !== null) return { at: place, header };
    }
  }

  /** How many zeros there are from `at` to the end of the file; `null` when something else is among them. */
  async #zeros(at: number): Promise<number | null> {
    for (let place = at; ; ) {
      const window = await this.#window(place, SLICE_BYTES);
      if (window.length === 0) return place - at;
      if (!window.equals(ZEROS.subarray(0, window.length))) return null;
      place += window.length;
    }
  }

  /** Up to `length` bytes from `at`; fewer only at the end of the file. */
  async #window(at: number, length: number): Promise<Buffer> {
    const inside = at - this.#sliceAt;
    if (inside >= 0 && inside + length <= this.#slice.length) return this.#slice.subarray(inside, inside + length);
    const bytes = await this.#file.read(at, Math.max(SLICE_BYTES, length));
    this.#slice = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#sliceAt = at;
    return this.#slice.subarray(0, length);
  }
}

function wide(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
