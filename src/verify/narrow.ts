import type { Hash } from '../tlog/hash.ts';
import { HASH_BYTES, hashAt, nodeHash } from '../tlog/hash.ts';
import { rootOf } from '../tlog/proof.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';
import type { ComputedTree } from './computed-tree.ts';
import type { Copy } from './copy.ts';
import { sha256 } from './jobs.ts';

/** Where the entries first differ from a signed head: exactly one index, or somewhere in `[from, end)`. */
export interface Narrowed {
  readonly from: number;
  readonly end: number;
}

/**
 * Finds the lowest entry that differs from what was signed, by the hashes that the copy has stored: from the root downwards each pair of
 * them is
 * believed only when it adds up to the hash above it. Where stored hashes are missing or were changed too, what is left is a range.
 */
export async function narrow(copy: Copy, tree: ComputedTree, head: { size: number; root: Hash }, from: number): Promise<Narrowed> {
  const stored = new StoredHashes(copy, head.size);
  let range: Narrowed = { from: 0, end: head.size };
  let trusted: Hash = head.root;
  while (range.end - range.from > 1) {
    const split = range.from + splitOf(range.end - range.from);
    const left = await stored.range(range.from, split);
    const right = await stored.range(split, range.end);
    if (left === null || right === null || nodeHash(sha256, left, right) !== trusted) break;
    const same = (await computedRange(tree, range.from, split)) === left;
    range = same ? { from: split, end: range.end } : { from: range.from, end: split };
    trusted = same ? right : left;
  }
  // A smaller head has proved everything below it.
  return { from: Math.max(range.from, Math.min(from, range.end - 1)), end: range.end };
}

/** Roots of ranges from the hashes that a copy has stored; `null` where one of them is not there. */
class StoredHashes {
  readonly #copy: Copy;
  readonly #size: number;
  #tile: { readonly level: number; readonly n: number; readonly bytes: Uint8Array | null } = { level: -1, n: -1, bytes: null };

  constructor(copy: Copy, size: number) {
    this.#copy = copy;
    this.#size = size;
  }

  async range(from: number, end: number): Promise<Hash | null> {
    const width = end - from;
    const split = width === 1 ? 1 : splitOf(width);
    if (width === 1 || split * 2 === width) return this.#node(Math.log2(width), from / width);
    const left = await this.range(from, from + split);
    const right = await this.range(from + split, end);
    return left === null || right === null ? null : nodeHash(sha256, left, right);
  }

  async #node(level: number, index: number): Promise<Hash | null> {
    const tileLevel = Math.floor(level / 8);
    const inTile = level % 8;
    const first = index * 2 ** inTile;
    const n = Math.floor(first / TILE_WIDTH);
    const bytes = await this.#read(tileLevel, n);
    const place = first % TILE_WIDTH;
    if (bytes === null || bytes.length < (place + 2 ** inTile) * HASH_BYTES) return null;
    return inner(bytes, place, 2 ** inTile);
  }

  async #read(level: number, n: number): Promise<Uint8Array | null> {
    if (this.#tile.level !== level || this.#tile.n !== n) {
      const width = Math.min(TILE_WIDTH, Math.floor(this.#size / TILE_WIDTH ** level) - n * TILE_WIDTH);
      this.#tile = { level, n, bytes: width <= 0 ? null : await this.#copy.tile(level, n, width) };
    }
    return this.#tile.bytes;
  }
}

function inner(bytes: Uint8Array, place: number, width: number): Hash {
  if (width === 1) return hashAt(bytes, place * HASH_BYTES);
  return nodeHash(sha256, inner(bytes, place, width / 2), inner(bytes, place + width / 2, width / 2));
}

/** The root over `[from, end)` as the entries give it; `null` where there are too few of them. */
async function computedRange(tree: ComputedTree, from: number, end: number): Promise<Hash | null> {
  if (end > tree.size) return null;
  return rootOf(sha256, end - from, async (level, index) => (await tree.node(level, index + from / 2 ** level)) ?? '');
}

/** The largest power of two that is less than `width`, which is at least 2. */
function splitOf(width: number): number {
  let split = 1;
  while (split * 2 < width) split *= 2;
  return split;
}
