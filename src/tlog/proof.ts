import { emptyRoot, type Hash, nodeHash, type Sha256 } from './hash.ts';

/** The root of the full subtree of 2^`level` leaves that begins at leaf `index` · 2^`level`. */
export type HashReader = (level: number, index: number) => Hash | Promise<Hash>;

/** MTH over the first `size` leaves, RFC 6962 section 2.1. Only hashes of full subtrees within the size are read. */
export async function rootOf(sha256: Sha256, size: number, read: HashReader): Promise<Hash> {
  return size === 0 ? emptyRoot(sha256) : rangeRoot(sha256, [0, size], read);
}

/**
 * The inclusion proof of leaf `index` in the tree of `size` leaves, RFC 6962 section 2.1.1: from the leaf's sibling up to the root's child.
 */
export async function inclusionProof(sha256: Sha256, size: number, index: number, read: HashReader): Promise<Hash[]> {
  if (index >= size) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  return subtreeProof(sha256, [index, index + 1], size, read);
}

/**
 * The consistency proof between the trees of `from` and of `to` leaves, RFC 6962 section 2.1.2. It is empty where both are the same and
 * where the first one is empty.
 */
export async function consistencyProof(sha256: Sha256, from: number, to: number, read: HashReader): Promise<Hash[]> {
  if (from > to) throw new RangeError(`a tree of ${from} leaves is not the beginning of one of ${to}`);
  return from === 0 ? [] : subtreeProof(sha256, [0, from], to, read);
}

/**
 * The proof that the subtree over the leaves `[start, end)` is part of the tree of `size` leaves: the subtree consistency proof of the
 * IETF's Merkle tree certificates, of which an inclusion proof (one leaf) and a consistency proof (from leaf 0) are cases. `start` is a
 * multiple of the smallest power of two that is not below `end - start`.
 */
export async function subtreeProof(sha256: Sha256, subtree: readonly [number, number], size: number, read: HashReader): Promise<Hash[]> {
  if (!isSubtree(subtree, size)) throw new RangeError(`[${subtree[0]}, ${subtree[1]}) is not a subtree of a tree of ${size}`);
  const ranges = proofRanges(subtree, size);
  return Promise.all(ranges.map((range) => rangeRoot(sha256, range, read)));
}

/** What an inclusion proof claims. */
export interface InclusionClaim {
  readonly size: number;
  readonly index: number;
  /** The leaf hash of the entry. */
  readonly leaf: Hash;
  readonly proof: readonly Hash[];
  readonly root: Hash;
}

/** Whether the proof shows that the leaf is at `index` of the tree of `size` leaves with this root. */
export function checkInclusion(sha256: Sha256, claim: InclusionClaim): boolean {
  const { size, index, leaf, proof, root } = claim;
  return checkSubtree(sha256, { start: index, end: index + 1, subtree: leaf, size, root, proof });
}

/** What a consistency proof claims. */
export interface ConsistencyClaim {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Hash;
  readonly toRoot: Hash;
  readonly proof: readonly Hash[];
}

/**
 * Whether the proof shows that the tree of `to` leaves begins with the tree of `from` leaves. An empty tree begins every tree, without a
 * proof.
 */
export function checkConsistency(sha256: Sha256, claim: ConsistencyClaim): boolean {
  const { from, to, fromRoot, toRoot, proof } = claim;
  if (from !== 0) return checkSubtree(sha256, { start: 0, end: from, subtree: fromRoot, size: to, root: toRoot, proof });
  if (!Number.isSafeInteger(to) || to < 0 || proof.length > 0) return false;
  return fromRoot === emptyRoot(sha256) && (to > 0 || toRoot === fromRoot);
}

/** What a proof of a subtree claims. */
export interface SubtreeClaim {
  readonly start: number;
  readonly end: number;
  /** The root over the leaves `[start, end)`. */
  readonly subtree: Hash;
  readonly size: number;
  readonly root: Hash;
  readonly proof: readonly Hash[];
}

/**
 * Whether the proof shows that the tree of `size` leaves has this subtree over `[start, end)`; `false` too where that is no subtree of it.
 */
export function checkSubtree(sha256: Sha256, claim: SubtreeClaim): boolean {
  const { start, end, size, proof } = claim;
  if (!isSubtree([start, end], size)) return false;
  let used = 0;
  const next = (): Hash | null => proof[used++] ?? null;
  // The recursion of the proof itself, from the inside out: what the proof gives last is nearest to the root.
  const climb = (from: number, through: number, width: number, given: boolean): readonly [Hash, Hash] | null => {
    if (from === 0 && through === width) {
      const own = given ? claim.subtree : next();
      return own === null ? null : [own, own];
    }
    const split = splitOf(width);
    const inLeft = through <= split;
    const inRight = from >= split;
    // What reaches across the split begins where the tree does.
    const inner = inLeft
      ? climb(from, through, split, given)
      : climb(Math.max(0, from - split), through - split, width - split, inRight && given);
    const beside = inner === null ? null : next();
    if (inner === null || beside === null) return null;
    const [part, whole] = inner;
    if (inLeft) return [part, nodeHash(sha256, whole, beside)];
    return [inRight ? part : nodeHash(sha256, beside, part), nodeHash(sha256, beside, whole)];
  };
  const roots = climb(start, end, size, true);
  return roots !== null && used === proof.length && roots[0] === claim.subtree && roots[1] === claim.root;
}

/** The leaf ranges whose roots are the proof, innermost first. */
function proofRanges([start, end]: readonly [number, number], size: number): readonly (readonly [number, number])[] {
  const ranges: (readonly [number, number])[] = [];
  let from = 0;
  let through = size;
  // Once the subtree reaches across a split, the right half of it is no longer what the checker has.
  let given = true;
  while (from < start || through !== end) {
    const split = from + splitOf(through - from);
    if (end <= split) {
      ranges.push([split, through]);
      through = split;
    } else {
      ranges.push([from, split]);
      if (start < split) given = false;
      from = split;
    }
  }
  if (!given) ranges.push([from, through]);
  return ranges.toReversed();
}

/** MTH over the leaves `[start, end)`, which begin where the tree splits. */
async function rangeRoot(sha256: Sha256, [start, end]: readonly [number, number], read: HashReader): Promise<Hash> {
  const width = end - start;
  if (width === 1) return read(0, start);
  const split = splitOf(width);
  // A width that is a power of two is twice its split: a full subtree.
  if (split * 2 === width) return read(Math.log2(width), start / width);
  return nodeHash(sha256, await read(Math.log2(split), start / split), await rangeRoot(sha256, [start + split, end], read));
}

/** Whether the tree of `size` leaves has a subtree over `[start, end)` whose root is defined. */
function isSubtree([start, end]: readonly [number, number], size: number): boolean {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return false;
  if (start < 0 || start >= end || end > size) return false;
  return start === 0 || start % (end - start === 1 ? 1 : splitOf(end - start) * 2) === 0;
}

/** The largest power of two that is less than `width`, which is at least 2. In two halves, because bit operations end at 2^32. */
function splitOf(width: number): number {
  const high = Math.floor((width - 1) / 2 ** 32);
  return high > 0 ? 2 ** (63 - Math.clz32(high)) : 2 ** (31 - Math.clz32(width - 1));
}
