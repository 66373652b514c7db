/**
 * The bytes of the embedded ledger, version 1, as `docs/formats/ledger-v1.md` fixes them: a segment is a header of 64 bytes and frames,
 * a frame is a header of 64 bytes, a payload, and zeros up to a multiple of 8. All numbers are little-endian.
 */
import { crc32c } from '@node-rs/crc32';
import { assert } from '../../contracts/assert.ts';
import { WaybillError } from '../../contracts/errors.ts';
import { ENTRY_BYTES_MAX, POSITION_BYTES_MAX } from '../../contracts/units.ts';

/** The version that this code writes, and the only one that it reads. */
export const FORMAT_VERSION = 1;

/** Bytes before the first frame of a segment. */
export const SEGMENT_HEADER_BYTES = 64;

/** Bytes before the payload of a frame. */
export const FRAME_HEADER_BYTES = 64;

/** A segment ends at a multiple of this many entries, so that no entry bundle spans two of them. */
export const SEGMENT_ENTRIES = 256;

/** A longer payload is cut, so that reading one entry never costs more than this and one entry. */
export const PAYLOAD_BYTES_TARGET = 128 * 1024;

/** The longest journal record or register value in bytes, as JSON with its key. */
export const RECORD_BYTES_MAX = 128 * 1024;

/** The longest name of a partition in bytes of UTF-8. */
export const PARTITION_BYTES_MAX = 1_024;

/** The longest meta of a run: a character takes up to six bytes as JSON, but for those of a name. */
const META_BYTES_MAX = 6 * (PARTITION_BYTES_MAX + POSITION_BYTES_MAX) + 3 * 64 + 128;

/** What a frame holds. */
export const KIND = { run: 1, journal: 2, register: 3, seal: 4 } as const;

/** Stands before the length of the seal that ends a segment, at the end of its payload. */
export const SEAL_TRAILER = 0x4c_41_45_53;

/** Facts about a frame that do not need a field. */
export const FLAG = { first: 1, last: 2, segmentEnd: 4 } as const;

const FRAME_MAGIC = 0x46_42_57_ff;
const SEGMENT_MAGIC_LOW = 0x42_59_41_57;
const SEGMENT_MAGIC_HIGH = 0xff_4c_4c_49;
const TWO_32 = 2 ** 32;

// Offset tables and headers are read through typed arrays, which have the byte order of the machine.
assert(new Uint8Array(Uint32Array.of(1).buffer)[0] === 1, 'the embedded ledger needs a little-endian machine');

/** Bytes with the 32-bit words that lie under them; word `i` is at byte `4 × i`. */
export interface Window {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
}

/** What the header of a frame says. */
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

/** What ties files to one ledger. */
export interface Identity {
  readonly id: string;
  readonly salt: number;
}

/** The identity that 32 hexadecimal digits stand for. */
export function identityOf(id: string): Identity {
  return { id, salt: Buffer.from(id, 'hex').readUInt32LE(0) };
}

/** Bytes as a window. They are copied only when words cannot be read from where they lie. */
export function windowOf(bytes: Uint8Array): Window {
  const source = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  const buffer = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  return { bytes: buffer, words: new Uint32Array(source.buffer, source.byteOffset, source.byteLength >>> 2) };
}

/** How much of a segment a frame with this payload takes. */
export function frameBytes(payloadBytes: number): number {
  return FRAME_HEADER_BYTES + ((payloadBytes + 7) & ~7);
}

/** How much of a segment a run of `count` entries with so many bytes takes at most, however it is cut. */
export function runBytesMax(count: number, bytes: number): number {
  const payload = bytes + 4 * count;
  // A part is cut where the next entry would pass the target, and once where the segment ends.
  const parts = Math.floor(payload / (PAYLOAD_BYTES_TARGET - ENTRY_BYTES_MAX - 8)) + 3;
  return payload + parts * (FRAME_HEADER_BYTES + 4 + 8) + META_BYTES_MAX;
}

/** Writes the header of the frame at `at`, whose payload is in place. */
export function writeFrameHeader(window: Window, at: number, salt: number, header: Omit<FrameHeader, 'payloadCrc'>): void {
  const { bytes, words } = window;
  const word = at >>> 2;
  const payloadAt = at + FRAME_HEADER_BYTES;
  words[word] = FRAME_MAGIC;
  words[word + 1] = header.kind | (header.flags << 8);
  words[word + 2] = header.frame % TWO_32;
  words[word + 3] = header.frame / TWO_32;
  words[word + 4] = header.group % TWO_32;
  words[word + 5] = header.group / TWO_32;
  words[word + 6] = header.first % TWO_32;
  words[word + 7] = header.first / TWO_32;
  words[word + 8] = header.place;
  words[word + 9] = header.count;
  words[word + 10] = header.payloadBytes;
  words[word + 11] = header.metaBytes;
  words[word + 12] = crc32c(bytes.subarray(payloadAt, payloadAt + header.payloadBytes));
  words[word + 13] = salt;
  words[word + 14] = 0;
  words[word + 15] = crc32c(bytes.subarray(at, at + 60));
}

/** Reads the header at `at`, or answers `null` when there is none of this ledger. */
export function readFrameHeader(window: Window, at: number, salt: number): FrameHeader | null {
  const { bytes, words } = window;
  const word = at >>> 2;
  if (at + FRAME_HEADER_BYTES > bytes.length || words[word] !== FRAME_MAGIC || words[word + 13] !== salt) return null;
  if (words[word + 15] !== crc32c(bytes.subarray(at, at + 60))) return null;
  const kindAndFlags = words[word + 1] as number;
  return {
    kind: kindAndFlags & 0xff,
    flags: (kindAndFlags >>> 8) & 0xff,
    frame: wide(words, word + 2),
    group: wide(words, word + 4),
    first: wide(words, word + 6),
    place: words[word + 8] as number,
    count: words[word + 9] as number,
    payloadBytes: words[word + 10] as number,
    metaBytes: words[word + 11] as number,
    payloadCrc: words[word + 12] as number,
  };
}

/** True when the payload behind the header at `at` lies in the window and is what was written. */
export function payloadHolds(window: Window, at: number, header: FrameHeader): boolean {
  const payloadAt = at + FRAME_HEADER_BYTES;
  const end = payloadAt + header.payloadBytes;
  return end <= window.bytes.length && crc32c(window.bytes.subarray(payloadAt, end)) === header.payloadCrc;
}

/** The header of a segment. */
export function segmentHeader(identity: Identity, ordinal: number): Buffer {
  const { bytes, words } = windowOf(Buffer.alloc(SEGMENT_HEADER_BYTES));
  words[0] = SEGMENT_MAGIC_LOW;
  words[1] = SEGMENT_MAGIC_HIGH;
  words[2] = FORMAT_VERSION;
  words[3] = identity.salt;
  bytes.write(identity.id, 16, 'hex');
  words[8] = ordinal % TWO_32;
  words[9] = ordinal / TWO_32;
  words[15] = crc32c(bytes.subarray(0, 60));
  return bytes;
}

/** The ordinal that a segment's header says, or `null` when it is not a good header of this ledger. */
export function readSegmentHeader(header: Uint8Array, identity: Identity): number | null {
  if (header.length < SEGMENT_HEADER_BYTES) return null;
  const { words } = windowOf(header);
  const ordinal = wide(words, 8);
  return segmentHeader(identity, ordinal).equals(header.subarray(0, SEGMENT_HEADER_BYTES)) ? ordinal : null;
}

/** The file name of the segment that begins at this index. */
export function segmentName(first: number): string {
  return `${String(first).padStart(20, '0')}.seg`;
}

/** The first index of a segment by its file name, or `null` for a name that is not one. */
export function segmentFirst(name: string): number | null {
  return /^\d{20}\.seg$/.test(name) ? Number(name.slice(0, 20)) : null;
}

/** The error for bytes that changed after they were promised. */
export function damaged(file: string, at: number, what: string): WaybillError {
  return new WaybillError('LEDGER_CORRUPT', `${file} is damaged at byte ${at}: ${what}`, { facts: { file, offset: at } });
}

function wide(words: Uint32Array, word: number): number {
  return (words[word] as number) + (words[word + 1] as number) * TWO_32;
}
