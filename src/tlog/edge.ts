/**
 * The edge of an RFC 6962 Merkle tree that only grows: the roots of its full subtrees, from which the root of the whole follows.
 * Hashes are strings of 32 characters, one a byte (latin1): the form in which the runtime's hash function is quickest.
 */

/** SHA-256 of the input as a string of 32 characters, one a byte. */
export type Sha256 = (input: Uint8Array) => string;

/** A tree of `size` leaves. `hashes[level]` is the root of the full subtree of 2^level leaves, present where bit `level` of `size` is 1. */
export interface Edge {
  readonly size: number;
  readonly hashes: readonly string[];
}

/** The tree without a leaf. */
export const EMPTY_EDGE: Edge = { size: 0, hashes: [] };

/** How many bytes a hash has. */
const HASH_BYTES = 32;

/** The largest tree: sizes are exact numbers up to here. */
export const TREE_SIZE_MAX: number = Number.MAX_SAFE_INTEGER;

/** MTH of one leaf, RFC 6962 section 2.1: SHA-256(0x00 || entry). The entry is `bytes[start … end]`. */
export function leafHash(sha256: Sha256, bytes: Uint8Array, start: number, end: number): string {
  if (leafInput.length < end - start + 1) leafInput = new Uint8Array(end - start + 1);
  leafInput.set(bytes.subarray(start, end), 1);
  return sha256(leafInput.subarray(0, end - start + 1));
}

/** The hash of an inner node, RFC 6962 section 2.1: SHA-256(0x01 || left || right). */
export function nodeHash(sha256: Sha256, left: string, right: string): string {
  for (let at = 0; at < HASH_BYTES; at += 1) {
    nodeInput[1 + at] = left.charCodeAt(at);
    nodeInput[1 + HASH_BYTES + at] = right.charCodeAt(at);
  }
  return sha256(nodeInput);
}

/** Adds one leaf per entry: entry `k` is `bytes[starts[k] … ends[k]]`. The cost is one leaf hash and on average one node hash per entry. */
export function growEdge(sha256: Sha256, edge: Edge, bytes: Uint8Array, starts: Uint32Array, ends: Uint32Array): Edge {
  if (edge.size + starts.length > TREE_SIZE_MAX) throw new RangeError(`a tree of ${edge.size} leaves cannot grow by ${starts.length}`);
  const hashes = [...edge.hashes];
  let size = edge.size;
  for (let k = 0; k < starts.length; k += 1) {
    let hash = leafHash(sha256, bytes, starts[k] ?? 0, ends[k] ?? 0);
    let level = 0;
    // Like adding 1 to a binary number: each full pair becomes its parent, one level up. Division, because sizes pass 2^32.
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      hash = nodeHash(sha256, hashes[level] ?? '', hash);
      hashes[level] = '';
      level += 1;
    }
    hashes[level] = hash;
    size += 1;
  }
  return { size, hashes };
}

/** The root hash of the tree, RFC 6962 section 2.1: SHA-256 of nothing when the tree is empty. */
export function rootHash(sha256: Sha256, edge: Edge): string {
  let root: string | null = null;
  for (const hash of edge.hashes) {
    if (hash === '') continue;
    root = root === null ? hash : nodeHash(sha256, hash, root);
  }
  return root ?? sha256(new Uint8Array(0));
}

// Hashing is synchronous, so one input buffer of each kind serves every call without an allocation.
let leafInput = new Uint8Array(65_536);
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);
nodeInput[0] = 1;
