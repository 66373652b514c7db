import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { TreeHashes } from '../contracts/heads.ts';
import type { Log } from '../contracts/ports.ts';
import { asIndex, asSize, type Index, type Size } from '../contracts/units.ts';
import type { Edge } from '../tlog/edge.ts';
import { rootHash } from '../tlog/edge.ts';
import { encodeHash, HASH_BYTES, hashBytes, leafHash, nodeHash } from '../tlog/hash.ts';
import { consistencyProof, inclusionProof } from '../tlog/proof.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';
import type { FollowedLedger } from './followed.ts';
import { sha256 } from './grow.ts';
import { packName, placeOf, TILE_BYTES } from './pack-format.ts';
import type { Packs } from './packs.ts';
import { edgeHash, foldHashes, known, type Top } from './top.ts';

/** How many full tiles are kept in memory: 2 MiB. */
const TILES_KEPT = 256;

/** What is read at a time to make a lost tile again. */
const READ_BYTES = 2 << 20;

const NO_HASHES = new Uint8Array(0);

/** What the hashes are read from. */
export interface HashesOptions {
  /** The tree as it is now. */
  readonly top: () => Top;
  readonly packs: Packs;
  readonly ledger: Pick<FollowedLedger, 'read' | 'beginning'>;
  readonly log: Log;
}

/**
 * Reads the hashes of the tree: from memory, from the packs, and, where a pack was lost or damaged, from what lies below, which is written
 * again. What was made again is compared with the hash that the tile above has for it; rejects with `LEDGER_CORRUPT` where they differ.
 */
export class Hashes implements TreeHashes {
  readonly #options: HashesOptions;
  /** Full tiles, the least recently used one first. */
  readonly #kept = new Map<string, Uint8Array>();
  /** The packs of which it was told that something was lost. */
  readonly #told = new Set<string>();

  constructor(options: HashesOptions) {
    this.#options = options;
  }

  size(): Size {
    return asSize(this.#options.top().edge.size);
  }

  async hash(level: number, index: number): Promise<string> {
    if ((index + 1) * 2 ** level > this.size()) throw new RangeError(`the tree of ${this.size()} entries has no hash ${index} at ${level}`);
    const found = await this.find(level, index);
    if (found !== null) return found;
    const from = index * 2 ** level;
    throw new WaybillError('LEDGER_PRUNED', `the hash over ${2 ** level} entries from ${from} is no longer kept, nor are the entries`);
  }

  async tile(level: number, n: number, width: number): Promise<Uint8Array | null> {
    const tile = await this.#tile(level, n);
    return tile !== null && known(tile, 0, width) ? new Uint8Array(tile.subarray(0, width * HASH_BYTES)) : null;
  }

  async root(size: Size): Promise<string> {
    return encodeHash(rootHash(sha256, await this.edgeAt(size)));
  }

  async inclusion(index: Index, size: Size): Promise<readonly string[]> {
    return inclusionProof(sha256, size, index, (level, at) => this.hash(level, at));
  }

  async consistency(from: Size, to: Size): Promise<readonly string[]> {
    return consistencyProof(sha256, from, to, (level, at) => this.hash(level, at));
  }

  /** The edge of the tree when it had so many entries. Rejects with `LEDGER_PRUNED` where that cannot be known any more. */
  async edgeAt(size: Size): Promise<Edge> {
    const hashes: string[] = [];
    for (let level = 0; 2 ** level <= size; level++) {
      const subtrees = Math.floor(size / 2 ** level);
      hashes.push(subtrees % 2 === 1 ? await this.hash(level, subtrees - 1) : '');
    }
    return { size, hashes };
  }

  /** As `hash`, or `null` where nobody knows it any more. */
  async find(level: number, index: number): Promise<string | null> {
    const { floor } = this.#options.top();
    const below = floor === null ? null : edgeHash(floor, level, index);
    if (below !== null) return below;
    const count = 2 ** (level % 8);
    const at = (index * count) % TILE_WIDTH;
    const tile = await this.#tile(Math.floor(level / 8), Math.floor((index * count) / TILE_WIDTH));
    if (tile !== null && known(tile, at, count)) return foldHashes(sha256, tile, at, count);
    if (level === 0) return null;
    const left = await this.find(level - 1, 2 * index);
    const right = left === null ? null : await this.find(level - 1, 2 * index + 1);
    return left === null || right === null ? null : nodeHash(sha256, left, right);
  }

  /**
   * Reads one full tile from its pack and makes it again where it is not there. Answers whether all of it is known. Rejects with
   * `LEDGER_CORRUPT`.
   */
  async check(level: number, n: number): Promise<boolean> {
    const tile = (await this.#options.packs.read(level, n)) ?? (await this.#makeAgain(level, n));
    return tile !== null && known(tile, 0, TILE_WIDTH);
  }

  /** A tile as far as there is something of it; hashes that nobody knows are zero bytes. `null` where the tree has not grown so far. */
  async #tile(level: number, n: number): Promise<Uint8Array | null> {
    const { edge, tiles } = this.#options.top();
    const full = Math.floor(edge.size / TILE_WIDTH ** (level + 1));
    if (n > full) return null;
    if (n === full) return tiles[level] ?? NO_HASHES;
    const key = `${level}/${n}`;
    const tile = this.#kept.get(key) ?? (await this.#options.packs.read(level, n)) ?? (await this.#makeAgain(level, n));
    if (tile === null) return null;
    this.#kept.delete(key);
    this.#kept.set(key, tile);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= TILES_KEPT) break;
      this.#kept.delete(oldest);
    }
    return tile;
  }

  async #makeAgain(level: number, n: number): Promise<Uint8Array | null> {
    const { packs, log } = this.#options;
    const tile = level === 0 ? await this.#leaves(n) : await this.#roots(level, n);
    if (tile === null) return null;
    await this.#compare(level, n, tile);
    const pack = packName(placeOf(level, n).pack);
    if (!this.#told.has(pack)) log.warn('a pack of the tree lacked a tile, which is made again', { pack, level, n });
    this.#told.add(pack);
    try {
      await packs.write([{ level, n, bytes: tile }]);
    } catch (error) {
      // It can be made again the next time too.
      if (!isWaybillError(error) || error.code !== 'DISK_FULL') throw error;
    }
    return tile;
  }

  /** The leaf hashes of a tile from the entries, or `null` when those are not there any more. */
  async #leaves(n: number): Promise<Uint8Array | null> {
    const { ledger } = this.#options;
    const first = n * TILE_WIDTH;
    const tile = new Uint8Array(TILE_BYTES);
    for (let at = first; at < first + TILE_WIDTH; ) {
      if (at < ledger.beginning()) return null;
      const { count, bytes, starts, ends } = await ledger.read(asIndex(at), { entries: first + TILE_WIDTH - at, bytes: READ_BYTES });
      for (let k = 0; k < count; k++)
        tile.set(hashBytes(leafHash(sha256, bytes, starts[k] ?? 0, ends[k] ?? 0)), (at - first + k) * HASH_BYTES);
      at += count;
    }
    return tile;
  }

  /** The roots of the 256 tiles below, as far as they are known; `null` when none is. */
  async #roots(level: number, n: number): Promise<Uint8Array | null> {
    const tile = new Uint8Array(TILE_BYTES);
    let found = 0;
    for (let k = 0; k < TILE_WIDTH; k++) {
      const below = await this.#tile(level - 1, n * TILE_WIDTH + k);
      if (below === null || !known(below, 0, TILE_WIDTH)) continue;
      tile.set(hashBytes(foldHashes(sha256, below, 0, TILE_WIDTH)), k * HASH_BYTES);
      found++;
    }
    return found === 0 ? null : tile;
  }

  /** Compares what was made again with the tile above, as far as that is there. */
  async #compare(level: number, n: number, tile: Uint8Array): Promise<void> {
    const { top, packs } = this.#options;
    const { edge, tiles } = top();
    const [above, at] = [Math.floor(n / TILE_WIDTH), n % TILE_WIDTH];
    const full = Math.floor(edge.size / TILE_WIDTH ** (level + 2));
    const parent = above === full ? tiles[level + 1] : (this.#kept.get(`${level + 1}/${above}`) ?? (await packs.read(level + 1, above)));
    if (parent === null || parent === undefined || !known(parent, at, 1) || !known(tile, 0, TILE_WIDTH)) return;
    if (foldHashes(sha256, tile, 0, TILE_WIDTH) === foldHashes(sha256, parent, at, 1)) return;
    const [from, count] = [n * TILE_WIDTH ** (level + 1), TILE_WIDTH ** (level + 1)];
    const file = `tree/packs/${packName(placeOf(level + 1, above).pack)}`;
    throw new WaybillError('LEDGER_CORRUPT', `the entries ${from} to ${from + count - 1} do not have the hash that the tree has of them`, {
      facts: { file, offset: 0 },
    });
  }
}
