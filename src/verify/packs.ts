/** Packs and the edge of the tree as `docs/formats/tree-v1.md` describes them, read without the code that writes them. */
import { hash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import type { Files, ForeignFile } from '../contracts/ports.ts';
import { decodeBase64 } from '../tlog/base64.ts';
import { HASH_BYTES } from '../tlog/hash.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';

const HEADER_BYTES = 64;
const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
const RECORD_BYTES = TILE_BYTES + 16;
const MAGIC = Buffer.from([0x57, 0x42, 0x50, 0x41, 0x43, 0x4b, 0x01, 0xff]);
const NO_HASH = Buffer.alloc(HASH_BYTES);

/** The hashes that lie beside a ledger. They are derived: what is missing here is not missing there. */
export class Packs {
  readonly #files: Files;
  readonly #path: string;
  readonly #origin: Buffer;
  #open: { readonly name: string; readonly file: ForeignFile | null } | null = null;
  #edge: Edge | null | undefined;

  constructor(files: Files, path: string, origin: string) {
    this.#files = files;
    this.#path = path;
    this.#origin = hash('sha256', origin, 'buffer');
  }

  /** Which file holds a tile, relative to the ledger. */
  fileOf(level: number, n: number, width: number): string {
    return width < TILE_WIDTH ? 'tree/edge' : `tree/packs/${placeOf(level, n).name}`;
  }

  /** The first `width` hashes of a tile; `null` where they are not stored, or not whole. */
  async tile(level: number, n: number, width: number): Promise<Uint8Array | null> {
    const stored = (await this.#record(level, n)) ?? (width < TILE_WIDTH ? await this.#partial(level, n) : null);
    if (stored === null || stored.length < width * HASH_BYTES) return null;
    const hashes = stored.subarray(0, width * HASH_BYTES);
    // Hashes that nobody knows any more are written as zeros.
    for (let at = 0; at < hashes.length; at += HASH_BYTES) if (NO_HASH.equals(hashes.subarray(at, at + HASH_BYTES))) return null;
    return hashes;
  }

  async close(): Promise<void> {
    await this.#open?.file?.close();
    this.#open = null;
  }

  async #record(level: number, n: number): Promise<Buffer | null> {
    const { name, at } = placeOf(level, n);
    const file = await this.#pack(name, Math.floor(level / 2));
    if (file === null) return null;
    const bytes = await file.read(at, RECORD_BYTES);
    return readRecord(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), level, n);
  }

  async #pack(name: string, pair: number): Promise<ForeignFile | null> {
    if (this.#open?.name === name) return this.#open.file;
    await this.close();
    const file = await this.#files.open(`${this.#path}/packs/${name}`);
    let whole = file;
    if (file !== null) {
      const header = await file.read(0, HEADER_BYTES);
      if (!isPackHeader(Buffer.from(header), this.#origin, pair, Number(/-(\d+)\./.exec(name)?.[1]))) {
        await file.close();
        whole = null;
      }
    }
    this.#open = { name, file: whole };
    return whole;
  }

  async #partial(level: number, n: number): Promise<Uint8Array | null> {
    if (this.#edge === undefined) this.#edge = await this.#readEdge();
    const edge = this.#edge;
    if (edge === null || Math.floor(edge.size / TILE_WIDTH ** (level + 1)) !== n) return null;
    const text = edge.tiles[level];
    return text === undefined ? null : decodeBase64(text);
  }

  async #readEdge(): Promise<Edge | null> {
    const file = await this.#files.open(`${this.#path}/edge`);
    if (file === null) return null;
    try {
      const { bytes } = await file.stat();
      return readEdge(Buffer.from(await file.read(0, bytes)));
    } finally {
      await file.close();
    }
  }
}

/** The part of a stored edge that is read here. */
export interface Edge {
  readonly size: number;
  readonly tiles: readonly string[];
}

/** Reads a stored edge; `null` when it is not whole, or of a version without tiles. */
export function readEdge(bytes: Buffer): Edge | null {
  const line = bytes.toString('utf8');
  const text = line.slice(9, -1);
  if (!/^[0-9a-f]{8} /.test(line) || crc32c(text) !== Number.parseInt(line.slice(0, 8), 16)) return null;
  try {
    const { v, size, tiles } = JSON.parse(text) as { v: unknown; size: unknown; tiles: unknown };
    const right = v === 2 && Number.isSafeInteger(size) && Array.isArray(tiles) && tiles.every((tile) => typeof tile === 'string');
    return right ? { size: size as number, tiles } : null;
  } catch {
    return null;
  }
}

/** The tile in a record; `null` when it is not whole, or another one. */
export function readRecord(record: Buffer, level: number, n: number): Buffer | null {
  if (record.length < RECORD_BYTES || record.readUInt32LE(RECORD_BYTES - 4) !== crc32c(record.subarray(0, RECORD_BYTES - 4))) return null;
  const stored = record.readUInt32LE(TILE_BYTES) + record.readUInt32LE(TILE_BYTES + 4) * 2 ** 32;
  return stored === n && record.readUInt32LE(TILE_BYTES + 8) === level ? record.subarray(0, TILE_BYTES) : null;
}

function isPackHeader(header: Buffer, origin: Buffer, pair: number, n: number): boolean {
  if (header.length < HEADER_BYTES || !header.subarray(0, 8).equals(MAGIC)) return false;
  if (header.readUInt32LE(60) !== crc32c(header.subarray(0, 60)) || !header.subarray(20, 52).equals(origin)) return false;
  return header.readUInt32LE(8) + header.readUInt32LE(12) * 2 ** 32 === n && header.readUInt32LE(16) === pair;
}

function placeOf(level: number, n: number): { readonly name: string; readonly at: number } {
  const upper = level % 2 === 1;
  const pack = upper ? n : Math.floor(n / TILE_WIDTH);
  const record = upper ? TILE_WIDTH : n % TILE_WIDTH;
  return { name: `${Math.floor(level / 2)}-${String(pack).padStart(12, '0')}.pack`, at: HEADER_BYTES + RECORD_BYTES * record };
}
