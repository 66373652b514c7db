import { hash } from 'node:crypto';
import type { Edge } from '../tlog/edge.ts';
import { growEdge } from '../tlog/edge.ts';
import { HASH_BYTES } from '../tlog/hash.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';

/** The name of the background job that hashes entries into the tree. */
export const GROW_JOB = 'tree.grow';

/** What the job gets: the tree so far, and the entries that follow. */
export interface GrowInput {
  readonly edge: Edge;
  /** May be longer than the entries. */
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Shared memory that gets the new hashes, as `grownCounts` lays them out; it may be longer. */
  readonly hashes: Uint8Array;
}

/** SHA-256 in the form that `src/tlog` asks for. */
export function sha256(input: Uint8Array): string {
  return hash('sha256', input, 'binary');
}

/**
 * How many hashes each tile level gets when a tree grows from one size to another. The hashes of a step lie level by level, those of
 * level 0 first.
 */
export function grownCounts(from: number, to: number): readonly number[] {
  const counts: number[] = [];
  for (let width = 1; width <= to; width *= TILE_WIDTH) counts.push(Math.floor(to / width) - Math.floor(from / width));
  return counts;
}

/** How many bytes the hashes of a step of so many entries take at most, however large the tree is. */
export function grownBytesMax(entries: number): number {
  return (entries + Math.ceil(entries / (TILE_WIDTH - 1)) + 8) * HASH_BYTES;
}

// Jobs of one name run one after another in one thread, so one memory serves them all.
let own = new Uint8Array(0);
let grown = Buffer.alloc(0);

/** The background jobs of the tree, by name. */
export const treeJobs: Readonly<Record<string, (input: unknown) => Promise<unknown>>> = {
  [GROW_JOB]: async (input) => {
    const { edge, bytes, starts, ends, hashes } = input as GrowInput;
    const length = ends.at(-1) ?? 0;
    // Shared memory is read and written slowly piece by piece, and fast as a whole.
    if (own.length < length) own = new Uint8Array(length);
    own.set(bytes.subarray(0, length));
    const counts = grownCounts(edge.size, edge.size + starts.length);
    const total = counts.reduce((sum, count) => sum + count, 0) * HASH_BYTES;
    if (grown.length < total) grown = Buffer.alloc(total);
    const places = placesOf(counts);
    const next = growEdge(sha256, edge, own, starts, ends, (level, made) => {
      const at = places[level] ?? 0;
      grown.write(made, at, 'latin1');
      places[level] = at + HASH_BYTES;
    });
    hashes.set(grown.subarray(0, total));
    return next;
  },
};

/** Where the hashes of each level begin. */
function placesOf(counts: readonly number[]): number[] {
  let at = 0;
  return counts.map((count) => {
    const place = at;
    at += count * HASH_BYTES;
    return place;
  });
}
