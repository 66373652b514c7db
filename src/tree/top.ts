/** What the tree keeps in memory: its edge, and the tiles that are not full yet. All of it is replaced, and never changed in place. */
import { type Edge, EMPTY_EDGE } from '../tlog/edge.ts';
import { HASH_BYTES, nodeHash, type Sha256 } from '../tlog/hash.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';
import { grownCounts } from './grow.ts';
import { type FullTile, TILE_BYTES } from './pack-format.ts';

/** The part of a tree that is not in packs. */
export interface Top {
  readonly edge: Edge;
  /** The partial tile of each level, as far up as there is one: its hashes one after another. */
  readonly tiles: readonly Uint8Array[];
  /** Where the tree began to be made anew, when what lies below was no longer there; its hashes stand for all of that. */
  readonly floor: Edge | null;
}

/** The top of the tree without a leaf. */
export const EMPTY_TOP: Top = { edge: EMPTY_EDGE, tiles: [], floor: null };

/** A step of growth: the tiles that became full, which are written before `top` counts. */
export interface Grown {
  readonly top: Top;
  readonly full: readonly FullTile[];
}

/** Adds the hashes of a step, which lie as `grownCounts` says, and the edge that it led to. */
export function growTop(top: Top, edge: Edge, hashes: Uint8Array): Grown {
  const full: FullTile[] = [];
  const tiles: Uint8Array[] = [];
  let at = 0;
  for (const [level, count] of grownCounts(top.edge.size, edge.size).entries()) {
    const before = top.tiles[level] ?? new Uint8Array(0);
    const all = new Uint8Array(before.length + count * HASH_BYTES);
    all.set(before);
    all.set(hashes.subarray(at, at + count * HASH_BYTES), before.length);
    at += count * HASH_BYTES;
    const first = Math.floor(top.edge.size / TILE_WIDTH ** (level + 1));
    const through = Math.floor(all.length / TILE_BYTES);
    for (let k = 0; k < through; k++) full.push({ level, n: first + k, bytes: all.subarray(k * TILE_BYTES, (k + 1) * TILE_BYTES) });
    // A copy, because a view would keep the full tiles in memory.
    tiles.push(through === 0 ? all : new Uint8Array(all.subarray(through * TILE_BYTES)));
  }
  return { top: { edge, tiles, floor: top.floor }, full };
}

/** Whether each of these hashes of a tile is there and known. */
export function known(tile: Uint8Array, from: number, count: number): boolean {
  if ((from + count) * HASH_BYTES > tile.length) return false;
  for (let k = from; k < from + count; k++)
    if (tile.subarray(k * HASH_BYTES, (k + 1) * HASH_BYTES).every((byte) => byte === 0)) return false;
  return true;
}

/** The root over `count` neighbouring hashes of a tile; `count` is a power of two. */
export function foldHashes(sha256: Sha256, tile: Uint8Array, from: number, count: number): string {
  if (count === 1) return Buffer.from(tile.buffer, tile.byteOffset + from * HASH_BYTES, HASH_BYTES).toString('latin1');
  const half = count / 2;
  return nodeHash(sha256, foldHashes(sha256, tile, from, half), foldHashes(sha256, tile, from + half, half));
}

/** The hash that an edge has of the full subtree of 2^`level` leaves with this number, or `null` when it has none. */
export function edgeHash(edge: Edge, level: number, index: number): string | null {
  const subtrees = Math.floor(edge.size / 2 ** level);
  return subtrees % 2 === 1 && index === subtrees - 1 ? (edge.hashes[level] ?? null) : null;
}
