import { HASH_BYTES } from '../tlog/hash.ts';
import { countAt, TILE_WIDTH, tilesAt } from '../tlog/tile.ts';
import type { ComputedTree } from './computed-tree.ts';
import type { Copy } from './copy.ts';
import type { Findings } from './findings.ts';

/** A stored hash that is not the one of the entries. Which of the two is wrong only a head can tell. */
export interface Difference {
  readonly file: string;
  /** The first entry below the hash, and the one after the last. */
  readonly first: number;
  readonly end: number;
}

/** Compares the hashes that a copy stores with those of its entries. */
export class TileCheck {
  /** How many hashes were compared. */
  compared = 0;
  /** The first differences of all, those of the leaves first. */
  readonly differences: Difference[] = [];
  readonly #copy: Copy;
  readonly #tree: ComputedTree;
  readonly #findings: Findings;

  constructor(copy: Copy, tree: ComputedTree, findings: Findings) {
    this.#copy = copy;
    this.#tree = tree;
    this.#findings = findings;
  }

  /** Compares the leaf hashes of the bundles that became full last. */
  async compareNewest(bundles: number): Promise<void> {
    const end = Math.floor(this.#tree.size / TILE_WIDTH);
    for (let n = end - bundles; n < end; n += 1) await this.#compare(0, n, TILE_WIDTH);
  }

  /** Compares the last leaf hashes and everything above the leaves. */
  async compareUpper(): Promise<void> {
    const { size } = this.#tree;
    for (let level = 0; countAt(level, size) > 0; level += 1) {
      for (const { n, width } of tilesAt(level, size)) if (level > 0 || width < TILE_WIDTH) await this.#compare(level, n, width);
    }
  }

  async #compare(level: number, n: number, width: number): Promise<void> {
    const file = this.#copy.tileFile(level, n, width);
    const each = TILE_WIDTH ** level;
    const stored = await this.#copy.tile(level, n, width);
    if (stored === null) {
      if (this.#copy.allTiles)
        this.#findings.add('FILE_MISSING', `${file} is not there or has not its length`, { file, index: n * TILE_WIDTH * each });
      return;
    }
    const computed = level === 0 ? await this.#tree.leaves(n) : this.#tree.stored(8 * level).subarray(n * TILE_WIDTH * HASH_BYTES);
    if (computed === null) return;
    this.compared += width;
    const place = firstDifference(stored, computed, width * HASH_BYTES);
    if (place === null || this.differences.length >= DIFFERENCES_MAX) return;
    const first = (n * TILE_WIDTH + Math.floor(place / HASH_BYTES)) * each;
    this.differences.push({ file, first, end: first + each });
  }
}

const DIFFERENCES_MAX = 1_000;

function firstDifference(a: Uint8Array, b: Uint8Array, length: number): number | null {
  if (Buffer.compare(a.subarray(0, length), b.subarray(0, length)) === 0) return null;
  for (let at = 0; at < length; at += 1) if (a[at] !== b[at]) return at;
  return null;
}
