import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { WaybillError } from '../contracts/errors.ts';
import type { FileFacts, Files, ForeignFile } from '../contracts/ports.ts';

/** What a file holds, unpacked when it is packed with gzip. */
export interface FileContent {
  readonly packed: boolean;
  readonly file: ForeignFile;
  /** Reads up to `length` bytes of the content from `at`; fewer only at its end. Going forward costs least where it is packed. */
  read(at: number, length: number): Promise<Buffer>;
  /** How long the content is now; `null` when it is packed and not whole. */
  length(): Promise<number | null>;
  close(): Promise<void>;
}

const PACKED_BYTES = 65_536;

/** Opens the file at a path if it is still the one that was looked at. `null` when it is not, or is gone. */
export async function openContent(files: Files, path: string, { device, inode }: FileFacts): Promise<FileContent | null> {
  const file = await files.open(path);
  if (file === null) return null;
  try {
    const facts = await file.stat();
    if (facts.device === device && facts.inode === inode && facts.regular) {
      const [first, second, method] = await file.read(0, 3);
      return first === 0x1f && second === 0x8b && method === 8 ? new PackedContent(file, path) : new PlainContent(file);
    }
    await file.close();
    return null;
  } catch (error) {
    await file.close();
    throw error;
  }
}

class PlainContent implements FileContent {
  readonly packed = false;
  readonly file: ForeignFile;

  constructor(file: ForeignFile) {
    this.file = file;
  }

  async read(at: number, length: number): Promise<Buffer> {
    const bytes = await this.file.read(at, length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  async length(): Promise<number> {
    return (await this.file.stat()).bytes;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** A packed file is read from its beginning, forward; what was asked for last stays in memory, so that reads may overlap. */
class PackedContent implements FileContent {
  readonly packed = true;
  readonly file: ForeignFile;
  readonly #path: string;
  #pieces: AsyncGenerator<Buffer> | null = null;
  #at = 0;
  #held: Buffer = Buffer.alloc(0);

  constructor(file: ForeignFile, path: string) {
    this.file = file;
    this.#path = path;
  }

  async read(at: number, length: number): Promise<Buffer> {
    if (at < this.#at || this.#pieces === null) {
      await this.#end();
      this.#pieces = unpack(this.file);
    }
    while (this.#at + this.#held.length < at + length) {
      const next = await this.#next();
      if (next === null) break;
      const kept = Math.min(this.#held.length, Math.max(0, at - this.#at));
      this.#at += kept;
      this.#held = Buffer.concat([this.#held.subarray(kept), next]);
    }
    const from = Math.min(this.#held.length, at - this.#at);
    this.#at += from;
    this.#held = this.#held.subarray(from);
    return this.#held.subarray(0, length);
  }

  async length(): Promise<number | null> {
    let length = 0;
    try {
      for await (const piece of unpack(this.file)) length += piece.length;
    } catch (error) {
      if (isUnpackError(error)) return null;
      throw error;
    }
    return length;
  }

  async close(): Promise<void> {
    await this.#end();
    await this.file.close();
  }

  async #next(): Promise<Buffer | null> {
    try {
      const next = await this.#pieces?.next();
      return next === undefined || next.done === true ? null : next.value;
    } catch (error) {
      if (!isUnpackError(error)) throw error;
      throw new WaybillError('DISK_FAILED', `cannot unpack ${this.#path}: ${error.message}`, { cause: error });
    }
  }

  async #end(): Promise<void> {
    await this.#pieces?.return(undefined);
    this.#pieces = null;
    this.#at = 0;
    this.#held = Buffer.alloc(0);
  }
}

/** The content of a packed file from its beginning, piece by piece. */
async function* unpack(file: ForeignFile): AsyncGenerator<Buffer> {
  const packed = Readable.from(piecesOf(file));
  const gunzip = createGunzip({ chunkSize: PACKED_BYTES });
  packed.on('error', (error) => gunzip.destroy(error));
  packed.pipe(gunzip);
  try {
    for await (const piece of gunzip) yield piece as Buffer;
  } finally {
    packed.destroy();
    gunzip.destroy();
  }
}

async function* piecesOf(file: ForeignFile): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; ) {
    const piece = await file.read(at, PACKED_BYTES);
    if (piece.length === 0) return;
    at += piece.length;
    yield piece;
  }
}

function isUnpackError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_');
}
