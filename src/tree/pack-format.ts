/** The bytes of a pack of full hash tiles, as `docs/formats/tree-v1.md` fixes them. All numbers are little-endian. */
import { hash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import { HASH_BYTES } from '../tlog/hash.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';

/** Bytes of a full tile. */
export const TILE_BYTES: number = TILE_WIDTH * HASH_BYTES;

/** Bytes before the first record. */
export const PACK_HEADER_BYTES = 64;

/** Bytes of one record: a tile, which one it is, and the checksum. */
export const RECORD_BYTES: number = TILE_BYTES + 16;

const MAGIC = Buffer.from([0x57, 0x42, 0x50, 0x41, 0x43, 0x4b, 0x01, 0xff]);
const TWO_32 = 2 ** 32;

/** A full tile: hash `i` is the root of the 256^`level` entries from entry (256 · `n` + i) · 256^`level` on. */
export interface FullTile {
  readonly level: number;
  readonly n: number;
  readonly bytes: Uint8Array;
}

/** Where a full tile lies: the two numbers of its pack, and the first byte of its record. */
export interface TilePlace {
  readonly pack: { readonly level: number; readonly n: number };
  readonly at: number;
}

/** Where the tile `n` of a level lies. */
export function placeOf(level: number, n: number): TilePlace {
  const upper = level % 2 === 1;
  const pack = { level: (level - (upper ? 1 : 0)) / 2, n: upper ? n : Math.floor(n / TILE_WIDTH) };
  return { pack, at: PACK_HEADER_BYTES + RECORD_BYTES * (upper ? TILE_WIDTH : n % TILE_WIDTH) };
}

/** The file name of a pack. */
export function packName({ level, n }: TilePlace['pack']): string {
  return `${level}-${String(n).padStart(12, '0')}.pack`;
}

/** The header of a pack of this log. */
export function packHeader(origin: string, { level, n }: TilePlace['pack']): Buffer {
  const header = Buffer.alloc(PACK_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(n % TWO_32, 8);
  header.writeUInt32LE(Math.floor(n / TWO_32), 12);
  header.writeUInt32LE(level, 16);
  hash('sha256', origin, 'buffer').copy(header, 20);
  header.writeUInt32LE(crc32c(header.subarray(0, 60)), 60);
  return header;
}

/** Whether bytes are a whole header of some pack, of this log or of another one. */
export function isPackHeader(bytes: Uint8Array): boolean {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return header.length === PACK_HEADER_BYTES && header.readUInt32LE(60) === crc32c(header.subarray(0, 60));
}

/** Writes the record of a tile into `into` at `at`. */
export function writeRecord(into: Buffer, at: number, { level, n, bytes }: FullTile): void {
  into.set(bytes, at);
  writeNames(into, at, level, n);
  into.writeUInt32LE(crc32c(into.subarray(at, at + RECORD_BYTES - 4)), at + RECORD_BYTES - 4);
}

/** The tile in a record, or `null` when it is not whole or another one. */
export function readRecord(record: Uint8Array, level: number, n: number): Uint8Array | null {
  if (record.length !== RECORD_BYTES) return null;
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const names = Buffer.alloc(16);
  writeNames(names, -TILE_BYTES, level, n);
  if (!bytes.subarray(TILE_BYTES, RECORD_BYTES - 4).equals(names.subarray(0, 12))) return null;
  if (bytes.readUInt32LE(RECORD_BYTES - 4) !== crc32c(bytes.subarray(0, RECORD_BYTES - 4))) return null;
  return bytes.subarray(0, TILE_BYTES);
}

function writeNames(into: Buffer, at: number, level: number, n: number): void {
  into.writeUInt32LE(n % TWO_32, at + TILE_BYTES);
  into.writeUInt32LE(Math.floor(n / TWO_32), at + TILE_BYTES + 4);
  into.writeUInt32LE(level, at + TILE_BYTES + 8);
}
