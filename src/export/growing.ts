import { HASH_BYTES, type Hash, hashAt, hashBytes, nodeHash, type Sha256 } from '../tlog/hash.ts';
import { rootOf } from '../tlog/proof.ts';
import { countAt, partialWidth, TILE_WIDTH, type Tile } from '../tlog/tile.ts';

/** A tile with its bytes. */
export interface FilledTile {
  readonly tile: Tile;
  readonly bytes: Uint8Array;
}

/** Which tiles hold what is not yet in a full one, at a size: one of each level at most. */
export function partialTiles(size: number): readonly Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0; countAt(level, size) > 0; level += 1) {
    const width = partialWidth(level, size);
    if (width > 0) tiles.push({ level, n: Math.floor(countAt(level, size) / TILE_WIDTH), width });
  }
  return tiles;
}

/**
 * A tree that grows tile by tile: it takes leaf hashes and gives the tiles of every level. What it holds in memory are the hashes that are
 * not yet in a full tile, 255 of each level at most.
 */
export class GrowingTiles {
  readonly #sha256: Sha256;
  #size = 0;
  /** For each tile level the hashes behind its last full tile. */
  readonly #open: Hash[][] = [[]];

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  /** The tree of `size` leaves, from the bytes of its partial tiles. */
  static from(sha256: Sha256, size: number, partials: readonly FilledTile[]): GrowingTiles {
    const tiles = new GrowingTiles(sha256);
    tiles.#size = size;
    for (let level = 0; countAt(level, size) > 0; level += 1) tiles.#open[level] = [];
    for (const { tile, bytes } of partials) tiles.#open[Number(tile.level)] = hashesOf(bytes);
    return tiles;
  }

  /** How many leaves it has. */
  get size(): number {
    return this.#size;
  }

  /** Takes the leaves of the last tile of level 0 back if it is not full, and gives their hashes. */
  reopen(): readonly Hash[] {
    const taken = this.#open[0] ?? [];
    this.#size -= taken.length;
    this.#open[0] = [];
    return taken;
  }

  /** Adds the leaves of the next tile of level 0, at most 256 of them, and gives every tile that is full now. */
  add(leaves: readonly Hash[]): readonly FilledTile[] {
    this.#open[0] = [...leaves];
    this.#size += leaves.length;
    const full: FilledTile[] = [];
    for (let level = 0; this.#open[level]?.length === TILE_WIDTH; level += 1) {
      const hashes = this.#open[level] as Hash[];
      full.push({ tile: { level, n: countAt(level, this.#size) / TILE_WIDTH - 1, width: TILE_WIDTH }, bytes: bytesOf(hashes) });
      (this.#open[level + 1] ??= []).push(tileRoot(this.#sha256, hashes));
      this.#open[level] = [];
    }
    return full;
  }

  /** The tiles that are not full. */
  partials(): readonly FilledTile[] {
    return partialTiles(this.#size).map((tile) => ({ tile, bytes: bytesOf(this.#open[Number(tile.level)] as Hash[]) }));
  }

  /** The root over all leaves and these behind them, less than what fills a tile of level 0. The last tile has to be full. */
  async rootWith(leaves: readonly Hash[]): Promise<Hash> {
    const more = this.copy();
    more.add(leaves);
    return more.root();
  }

  /** The same tree, which grows by itself. */
  copy(): GrowingTiles {
    const same = new GrowingTiles(this.#sha256);
    same.#size = this.#size;
    for (const [level, hashes] of this.#open.entries()) same.#open[level] = [...hashes];
    return same;
  }

  /** The root over all leaves. */
  root(): Promise<Hash> {
    return rootOf(this.#sha256, this.#size, (level, index) => {
      const within = level % 8;
      const first = (index * 2 ** within) % TILE_WIDTH;
      const hashes = this.#open[(level - within) / 8] as Hash[];
      return tileRoot(this.#sha256, hashes.slice(first, first + 2 ** within));
    });
  }
}

/** The hashes in the bytes of a tile. */
export function hashesOf(bytes: Uint8Array): Hash[] {
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, k) => hashAt(bytes, k * HASH_BYTES));
}

function bytesOf(hashes: readonly Hash[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * HASH_BYTES);
  for (const [k, hash] of hashes.entries()) bytes.set(hashBytes(hash), k * HASH_BYTES);
  return bytes;
}

/** The root over a power of two of hashes. */
function tileRoot(sha256: Sha256, hashes: readonly Hash[]): Hash {
  let level = hashes;
  while (level.length > 1) level = pairs(sha256, level);
  return level[0] as Hash;
}

function pairs(sha256: Sha256, hashes: readonly Hash[]): readonly Hash[] {
  const above: Hash[] = [];
  for (let k = 0; k < hashes.length; k += 2) above.push(nodeHash(sha256, hashes[k] as Hash, hashes[k + 1] as Hash));
  return above;
}
