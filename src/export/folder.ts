import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { LogKey } from '../contracts/heads.ts';
import type { Disk } from '../contracts/ports.ts';
import type { Size } from '../contracts/units.ts';
import { type Tile, tilePath } from '../tlog/tile.ts';

/** The files of an export beside its tiles. `docs/formats/export-v1.md` says what is in them. */
export const NAMES = {
  checkpoint: 'checkpoint',
  history: 'checkpoints',
  about: 'export.json',
  keys: 'keys.json',
  key: 'log.vkey',
  policy: 'policy',
  text: 'VERIFY.txt',
  unfinished: 'unfinished',
  lock: 'lock',
} as const;

/** What an export says of itself. */
export interface ExportAbout {
  readonly origin: string;
  /** The first entry whose bytes are there. Hashes are there from entry 0 on. */
  readonly begin: number;
}

/** The files of one export. */
export class ExportFolder {
  readonly path: string;
  readonly #disk: Disk;
  /** The directories that are there. */
  readonly #made = new Set<string>();
  /** Those of them whose names changed. */
  readonly #changed = new Set<string>();

  constructor(path: string, disk: Disk) {
    this.path = path;
    this.#disk = disk;
  }

  /** A file whole; `null` when it is not there. */
  async read(name: string): Promise<Uint8Array | null> {
    const path = `${this.path}/${name}`;
    if ((await this.#disk.length(path)) === null) return null;
    const file = await this.#disk.open(path, 'read');
    try {
      return await file.read(0, await file.length());
    } finally {
      await file.close();
    }
  }

  /** A tile or a bundle whole; `null` when it is not there. */
  readTile(tile: Tile): Promise<Uint8Array | null> {
    return this.read(tilePath(tile));
  }

  /** Writes a file durably under its own name; only its name still needs `syncDirectories`. A kill leaves it cut, or not there. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const path = `${this.path}/${name}`;
    const directory = directoryOf(path);
    if (!this.#made.has(directory)) await this.#disk.makeDirectory(directory);
    this.#made.add(directory);
    this.#changed.add(directory);
    const file = await this.#disk.open(path, 'create');
    try {
      if ((await file.length()) > bytes.length) await file.truncate(bytes.length);
      await file.commit(bytes, 0);
    } finally {
      await file.close();
    }
  }

  /** Makes the names of everything that was written or removed so far durable. */
  async syncDirectories(): Promise<void> {
    for (const directory of this.#changed) await this.#disk.syncDirectory(directory);
    this.#changed.clear();
  }

  /** Puts a file in place of what is there, wholly or not at all. Durable once it resolves. */
  async replace(name: string, bytes: Uint8Array): Promise<void> {
    await this.write(`${name}.tmp`, bytes);
    await this.#disk.rename(`${this.path}/${name}.tmp`, `${this.path}/${name}`);
    await this.#disk.syncDirectory(this.path);
  }

  /** Removes a file if it is there. Durable after `syncDirectories`. */
  async remove(name: string): Promise<void> {
    const path = `${this.path}/${name}`;
    if ((await this.#disk.length(path)) === null) return;
    await this.#disk.remove(path);
    this.#changed.add(directoryOf(path));
  }

  /** Whether something is in the directory. */
  async isEmpty(): Promise<boolean> {
    return (await this.#disk.list(this.path)).length === 0;
  }

  /** What the export says of itself; `null` where it is none. Rejects with `EXPORT_FOREIGN` where that cannot be read. */
  async about(): Promise<ExportAbout | null> {
    const bytes = await this.read(NAMES.about);
    if (bytes === null) return null;
    const value = parsed(bytes);
    const { v, origin, begin } = (value ?? {}) as Record<string, unknown>;
    if (v === 1 && typeof origin === 'string' && isSize(begin)) return { origin, begin };
    throw new WaybillError('EXPORT_FOREIGN', `${this.path}/${NAMES.about} is not what an export of this version says of itself`);
  }

  /** The keys that signed for the log, the oldest first; empty where nobody wrote them down yet. Rejects with `EXPORT_DAMAGED`. */
  async keys(): Promise<readonly LogKey[]> {
    const bytes = await this.read(NAMES.keys);
    if (bytes === null) return [];
    const { v, keys } = (parsed(bytes) ?? {}) as { readonly v?: unknown; readonly keys?: unknown };
    if (v !== 1 || !Array.isArray(keys) || keys.length === 0) throw this.#unreadable();
    return keys.map((key: unknown) => {
      const { vkey, from, through } = (key ?? {}) as Readonly<Record<string, unknown>>;
      if (typeof vkey !== 'string' || !isSize(from) || (through !== null && !isSize(through))) throw this.#unreadable();
      return { verifierKey: vkey, from, through };
    });
  }

  #unreadable(): WaybillError {
    return new WaybillError('EXPORT_DAMAGED', `${this.path}/${NAMES.keys} cannot be read`);
  }

  /** The sizes of runs that did not end, whose partial tiles may be there. */
  async unfinished(): Promise<readonly number[]> {
    const bytes = await this.read(NAMES.unfinished);
    const { sizes } = ((bytes === null ? null : parsed(bytes)) ?? {}) as { readonly sizes?: unknown };
    return Array.isArray(sizes) ? sizes.filter(isSize) : [];
  }

  /** Holds the export, so that no second process writes into it. Rejects with `EXPORT_LOCKED`. */
  async lock(): Promise<{ release(): Promise<void> }> {
    await this.#disk.makeDirectory(this.path);
    try {
      return await this.#disk.lock(`${this.path}/${NAMES.lock}`);
    } catch (error) {
      if (!isWaybillError(error) || error.code !== 'LEDGER_LOCKED') throw error;
      throw new WaybillError('EXPORT_LOCKED', `another process writes into ${this.path}`, { cause: error });
    }
  }
}

/** A file of JSON as its bytes. */
export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return null;
  }
}

function isSize(value: unknown): value is Size {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
