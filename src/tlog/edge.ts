import { emptyRoot, type Hash, leafHash, nodeHash, type Sha256 } from './hash.ts';
import { TREE_SIZE_MAX } from './size.ts';

/**
 * The edge of an RFC 6962 Merkle tree that only grows: the roots of its full subtrees, from which the root of the whole follows.
 * `hashes[level]` is the root of the full subtree of 2^level leaves, present where bit `level` of `size` is 1, else empty or missing.
 */
export interface Edge {
  readonly size: number;
  readonly hashes: readonly Hash[];
}

/** The tree without a leaf. */
export const EMPTY_EDGE: Edge = { size: 0, hashes: [] };

/**
 * Adds one leaf per entry: entry `k` is `bytes[starts[k] … ends[k]]`. The cost is one leaf hash and on average one node hash per entry.
 * `onTileHash` is told of every new hash that belongs into a tile, in the order of the tiles: the leaf hashes at tile level 0, and at
 * level L the roots of 256^L leaves.
 */
export function growEdge(
  sha256: Sha256,
  edge: Edge,
  bytes: Uint8Array,
  starts: Uint32Array,
  ends: Uint32Array,
  onTileHash?: (tileLevel: number, hash: Hash) => void,
): Edge {
  if (edge.size + starts.length > TREE_SIZE_MAX) throw new RangeError(`a tree of ${edge.size} leaves cannot grow by ${starts.length}`);
  const hashes = [...edge.hashes];
  let size = edge.size;
  for (let k = 0; k < starts.length; k += 1) {
    let hash = leafHash(sha256, bytes, starts[k] ?? 0, ends[k] ?? 0);
    let level = 0;
    onTileHash?.(0, hash);
    // Like adding 1 to a binary number: each full pair becomes its parent, one level up. Division, because sizes pass 2^32.
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      hash = nodeHash(sha256, hashes[level] ?? '', hash);
      hashes[level] = '';
      level += 1;
      if (level % 8 === 0) onTileHash?.(level / 8, hash);
    }
    hashes[level] = hash;
    size += 1;
  }
  return { size, hashes };
}

/** The root hash of the tree, RFC 6962 section 2.1: SHA-256 of nothing when the tree is empty. */
export function rootHash(sha256: Sha256, edge: Edge): Hash {
  let root: Hash | null = null;
  for (const hash of edge.hashes) {
    if (hash === '') continue;
    root = root === null ? hash : nodeHash(sha256, hash, root);
  }
  return root ?? emptyRoot(sha256);
}
