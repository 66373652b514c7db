import { isWaybillError } from '../contracts/errors.ts';
import type { Disk, DiskFile } from '../contracts/ports.ts';
import type { FullTile, TilePlace } from './pack-format.ts';
import { isPackHeader, PACK_HEADER_BYTES, packHeader, packName, placeOf, RECORD_BYTES, readRecord, writeRecord } from './pack-format.ts';

/** How many files are kept open. */
const FILES_KEPT = 8;

interface Pack {
  readonly file: DiskFile;
  /** Whether something was written since the last flush. */
  dirty: boolean;
}

/**
 * The files of full tiles. A tile is written at its place, and counts only once the edge that covers it is stored, which is after `sync`.
 * What cannot be read as that tile is simply not there. Calls take effect one after another.
 */
export class Packs {
  readonly #ports: { readonly disk: Disk };
  readonly #directory: string;
  readonly #origin: string;
  /** The least recently used one is the first. */
  readonly #open = new Map<string, Pack>();
  /** Whether a name may not be durable: a file was made, by this process or by one that died before it flushed the names. */
  #named = true;
  #turn: Promise<unknown> = Promise.resolve();

  /** `origin` is the name of the log: a file of another one is not used. The directory exists. */
  constructor(directory: string, origin: string, ports: { readonly disk: Disk }) {
    this.#directory = directory;
    this.#origin = origin;
    this.#ports = ports;
  }

  /** The bytes of a tile, or `null` where they are not. They are the caller's. */
  read(level: number, n: number): Promise<Uint8Array | null> {
    return this.#exclusive(async () => {
      const { pack, at } = placeOf(level, n);
      try {
        const opened = await this.#existing(pack);
        return opened === null ? null : readRecord(await opened.file.read(at, RECORD_BYTES), level, n);
      } catch (error) {
        // What the disk no longer gives back is lost, and can be made again.
        if (isWaybillError(error) && error.code === 'DISK_FAILED') return null;
        throw error;
      }
    });
  }

  /** Writes tiles; those that follow one another in one pack go in one piece. Rejects with `DISK_FULL`: then it may be tried again. */
  write(tiles: readonly FullTile[]): Promise<void> {
    return this.#exclusive(async () => {
      let first = 0;
      for (let k = 1; k <= tiles.length; k++) {
        const [before, next] = [tiles[k - 1], tiles[k]];
        if (before !== undefined && next !== undefined && follows(before, next)) continue;
        await this.#writePiece(tiles.slice(first, k));
        first = k;
      }
    });
  }

  /** Resolves once everything that was written survives a power cut. After a failure nobody knows what the disk holds. */
  sync(): Promise<void> {
    return this.#exclusive(() => this.#sync());
  }

  /** Closes the files. What was not synced may be lost. */
  close(): Promise<void> {
    return this.#exclusive(async () => {
      const files = [...this.#open.values()];
      this.#open.clear();
      for (const { file } of files) await file.close();
    });
  }

  async #sync(): Promise<void> {
    for (const pack of this.#open.values()) {
      if (!pack.dirty) continue;
      await pack.file.sync();
      pack.dirty = false;
    }
    if (!this.#named) return;
    await this.#ports.disk.syncDirectory(this.#directory);
    this.#named = false;
  }

  async #writePiece(tiles: readonly FullTile[]): Promise<void> {
    const [first] = tiles;
    if (first === undefined) return;
    const { pack, at } = placeOf(first.level, first.n);
    const bytes = Buffer.alloc(tiles.length * RECORD_BYTES);
    for (const [k, tile] of tiles.entries()) writeRecord(bytes, k * RECORD_BYTES, tile);
    const opened = (await this.#existing(pack)) ?? (await this.#make(pack));
    opened.dirty = true;
    await opened.file.write(bytes, at);
  }

  /** The file of a pack when it is there and one of this log. */
  async #existing(pack: TilePlace['pack']): Promise<Pack | null> {
    const name = packName(pack);
    const open = this.#open.get(name);
    if (open !== undefined) {
      this.#open.delete(name);
      this.#open.set(name, open);
      return open;
    }
    const path = `${this.#directory}/${name}`;
    if ((await this.#ports.disk.length(path)) === null) return null;
    const file = await this.#ports.disk.open(path, 'existing');
    try {
      const header = packHeader(this.#origin, pack);
      const found = await file.read(0, PACK_HEADER_BYTES);
      if (header.equals(found)) return await this.#keep(name, file, false);
      // Where the header is damaged the records still speak for themselves: they are not given up for it.
      if (!isPackHeader(found)) {
        await file.write(header, 0);
        return await this.#keep(name, file, true);
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
    return null;
  }

  async #make(pack: TilePlace['pack']): Promise<Pack> {
    const name = packName(pack);
    const file = await this.#ports.disk.open(`${this.#directory}/${name}`, 'create');
    this.#named = true;
    try {
      // Records behind a header of another log are not ours.
      await file.truncate(0);
      await file.write(packHeader(this.#origin, pack), 0);
    } catch (error) {
      await file.close();
      throw error;
    }
    return this.#keep(name, file, true);
  }

  async #keep(name: string, file: DiskFile, dirty: boolean): Promise<Pack> {
    while (this.#open.size >= FILES_KEPT) {
      const idle = [...this.#open].find(([, { dirty }]) => !dirty);
      if (idle === undefined) await this.#sync();
      else {
        this.#open.delete(idle[0]);
        await idle[1].file.close();
      }
    }
    const pack = { file, dirty };
    this.#open.set(name, pack);
    return pack;
  }

  #exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

function follows(before: FullTile, next: FullTile): boolean {
  const [from, to] = [placeOf(before.level, before.n), placeOf(next.level, next.n)];
  return from.pack.level === to.pack.level && from.pack.n === to.pack.n && to.at === from.at + RECORD_BYTES;
}
