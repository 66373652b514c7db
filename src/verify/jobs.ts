import { hash } from 'node:crypto';
import type { Hash } from '../tlog/hash.ts';
import { HASH_BYTES, leafHash, nodeHash } from '../tlog/hash.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';

/** The name of the background job that hashes entries for a verification. */
export const HASH_JOB = 'verify.hash';

/** What the job gets. */
export interface HashInput {
  /** Memory that both threads see; it may be longer than the entries. */
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** How many entries of the current bundle came before, and the roots of their full subtrees. */
  readonly carry: Carry;
  /** Shared memory that the leaf hashes are written to. */
  readonly leaves: Uint8Array;
}

/** The beginning of a bundle that is not full yet: `hashes[level]` where bit `level` of `count` is 1. */
export interface Carry {
  readonly count: number;
  readonly hashes: readonly Hash[];
}

/** What the job answers: how far the current bundle is, and the root of every bundle that became full, one behind the other. */
export interface HashOutput {
  readonly carry: Carry;
  readonly bundles: string;
}

/** SHA-256 in the form that `src/tlog` asks for. */
export function sha256(input: Uint8Array): Hash {
  return hash('sha256', input, 'binary');
}

// Jobs of one name run one after another in one thread, so one memory serves them all.
let own = new Uint8Array(0);

/** The background jobs of a verification, by name. */
export const jobs: Readonly<Record<string, (input: unknown) => Promise<unknown>>> = {
  [HASH_JOB]: async (input) => hashEntries(input as HashInput),
};

function hashEntries({ bytes, starts, ends, carry, leaves }: HashInput): HashOutput {
  const length = ends.at(-1) ?? 0;
  // Shared memory is read slowly piece by piece, and fast as a whole.
  if (own.length < length) own = new Uint8Array(length);
  own.set(bytes.subarray(0, length));
  let text = '';
  let bundles = '';
  let { count } = carry;
  const hashes = [...carry.hashes];
  for (let k = 0; k < starts.length; k += 1) {
    const leaf = leafHash(sha256, own, starts[k] ?? 0, ends[k] ?? 0);
    text += leaf;
    bundles += carryOn(count, hashes, leaf) ?? '';
    count = (count + 1) % TILE_WIDTH;
  }
  leaves.set(Buffer.from(text, 'latin1').subarray(0, starts.length * HASH_BYTES));
  return { carry: { count, hashes }, bundles };
}

/** Adds a leaf to a bundle that has `count` of them, and answers the root of the bundle when that makes it full. */
export function carryOn(count: number, hashes: Hash[], leaf: Hash): Hash | null {
  let node = leaf;
  let level = 0;
  for (let rest = count; rest % 2 === 1; rest = (rest - 1) / 2) {
    node = nodeHash(sha256, hashes[level] ?? '', node);
    level += 1;
  }
  if (count + 1 === TILE_WIDTH) return node;
  hashes[level] = node;
  return null;
}
