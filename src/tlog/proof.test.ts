import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { EMPTY_EDGE, growEdge, rootHash } from './edge.ts';
import { emptyRoot, type Hash, leafHash, nodeHash } from './hash.ts';
import {
  checkConsistency,
  checkInclusion,
  checkSubtree,
  consistencyProof,
  type HashReader,
  inclusionProof,
  rootOf,
  subtreeProof,
} from './proof.ts';
import { TREE_SIZE_MAX } from './size.ts';

const sha256 = (input: Uint8Array): Hash => hash('sha256', input, 'binary');
const leafOf = (k: number): Hash => leafHash(sha256, Buffer.from(`entry ${k}`), 0, `entry ${k}`.length);
const LEAVES: readonly Hash[] = Array.from({ length: 5_000 }, (_, k) => leafOf(k));

/** Section 2.1 of RFC 6962, written as it stands there. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

function mth(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return emptyRoot(sha256);
  if (leaves.length === 1) return leaves[0] ?? '';
  const split = splitOf(leaves.length);
  return nodeHash(sha256, mth(leaves.slice(0, split)), mth(leaves.slice(split)));
}

function path(index: number, leaves: readonly Hash[]): Hash[] {
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  return index < split
    ? [...path(index, leaves.slice(0, split)), mth(leaves.slice(split))]
    : [...path(index - split, leaves.slice(split)), mth(leaves.slice(0, split))];
}

function subproof(from: number, leaves: readonly Hash[], given: boolean): Hash[] {
  if (from === leaves.length) return given ? [] : [mth(leaves)];
  const split = splitOf(leaves.length);
  return from <= split
    ? [...subproof(from, leaves.slice(0, split), given), mth(leaves.slice(split))]
    : [...subproof(from - split, leaves.slice(split), false), mth(leaves.slice(0, split))];
}

/** The subtree consistency check as the IETF draft of Merkle tree certificates states it, by shifting numbers: another way than ours. */
function shifts(start: number, end: number, size: number, subtree: Hash, root: Hash, proof: readonly Hash[]): boolean {
  let [fn, sn, tn] = [BigInt(start), BigInt(end) - 1n, BigInt(size) - 1n];
  const shift = (): void => {
    fn >>= 1n;
    sn >>= 1n;
    tn >>= 1n;
  };
  if (sn === tn) while (fn !== sn) shift();
  else while (fn !== sn && sn % 2n === 1n) shift();
  const rest = [...proof];
  let fr = fn === sn ? subtree : (rest.shift() ?? '');
  let sr = fr;
  for (const c of rest) {
    if (tn === 0n) return false;
    if (sn % 2n === 1n || sn === tn) {
      if (fn < sn) fr = nodeHash(sha256, c, fr);
      sr = nodeHash(sha256, c, sr);
      while (sn % 2n === 0n && sn > 0n) shift();
    } else sr = nodeHash(sha256, sr, c);
    shift();
  }
  return tn === 0n && fr === subtree && sr === root;
}

const reader: HashReader = (level, index) => mth(LEAVES.slice(index * 2 ** level, (index + 1) * 2 ** level));
const flipped = (hash: Hash, bit: number): Hash => {
  const at = bit >> 3;
  return hash.slice(0, at) + String.fromCharCode(hash.charCodeAt(at) ^ (1 << (bit & 7))) + hash.slice(at + 1);
};

describe('proofs', () => {
  test('the roots of the test tree of Certificate Transparency', async () => {
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const leaves = inputs.map((input) => leafHash(sha256, Buffer.from(input, 'hex'), 0, input.length / 2));
    const roots = [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    for (const [k, root] of roots.entries()) {
      const read: HashReader = (level, index) => mth(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
      assert.equal(Buffer.from(await rootOf(sha256, k + 1, read), 'latin1').toString('hex'), root);
    }
  });

  test('every leaf of every tree up to 130: the proof is the one of RFC 6962, and holds for nothing else', async () => {
    for (let size = 1; size <= 130; size += 1) {
      const leaves = LEAVES.slice(0, size);
      const root = mth(leaves);
      assert.equal(await rootOf(sha256, size, reader), root);
      for (let index = 0; index < size; index += 1) {
        const proof = await inclusionProof(sha256, size, index, reader);
        assert.deepEqual(proof, path(index, leaves));
        const claim = { size, index, leaf: leaves[index] ?? '', proof, root };
        assert.ok(checkInclusion(sha256, claim), `${index} of ${size}`);
        assert.ok(!checkInclusion(sha256, { ...claim, index: index + 1 }), 'another index');
        assert.ok(!checkInclusion(sha256, { ...claim, index: index - 1 }), 'another index');
        assert.ok(!checkInclusion(sha256, { ...claim, leaf: leafOf(size) }), 'another leaf');
        assert.ok(!checkInclusion(sha256, { ...claim, root: leafOf(size) }), 'another root');
        assert.ok(!checkInclusion(sha256, { ...claim, proof: [...proof, root] }), 'longer');
        assert.ok(size === 1 || !checkInclusion(sha256, { ...claim, proof: proof.slice(1) }), 'shorter');
        assert.ok(size === 1 || !checkInclusion(sha256, { ...claim, proof: proof.slice(0, -1) }), 'shorter');
      }
    }
  });

  test('every size up to 300 has the root of the naive tree and of the edge', async () => {
    let edge = EMPTY_EDGE;
    for (let size = 0; size <= 300; size += 1) {
      const root = await rootOf(sha256, size, reader);
      assert.equal(root, mth(LEAVES.slice(0, size)));
      assert.equal(root, rootHash(sha256, edge));
      const text = Buffer.from(`entry ${size}`);
      edge = growEdge(sha256, edge, text, Uint32Array.of(0), Uint32Array.of(text.length));
    }
  });

  test('every pair of sizes up to 90: consistency as RFC 6962 has it, and another way of checking agrees', async () => {
    const roots = Array.from({ length: 92 }, (_, size) => mth(LEAVES.slice(0, size)));
    for (let to = 1; to <= 90; to += 1) {
      for (let from = 1; from <= to; from += 1) {
        const proof = await consistencyProof(sha256, from, to, reader);
        assert.deepEqual(proof, subproof(from, LEAVES.slice(0, to), true));
        const claim = { from, to, fromRoot: roots[from] ?? '', toRoot: roots[to] ?? '', proof };
        assert.ok(checkConsistency(sha256, claim), `${from} to ${to}`);
        assert.ok(shifts(0, from, to, claim.fromRoot, claim.toRoot, proof));
        assert.ok(!checkConsistency(sha256, { ...claim, fromRoot: roots[from - 1] ?? '' }));
        assert.ok(!checkConsistency(sha256, { ...claim, toRoot: roots[to + 1] ?? '' }));
        assert.ok(!checkConsistency(sha256, { ...claim, proof: [...proof, claim.toRoot] }));
        assert.ok(from === to || !checkConsistency(sha256, { ...claim, from: from + 1 }) || from + 1 === to);
      }
    }
  });

  test('every subtree of every tree up to 40', async () => {
    for (let size = 1; size <= 40; size += 1) {
      for (let start = 0; start < size; start += 1) {
        for (let end = start + 1; end <= size; end += 1) {
          let power = 1;
          while (power < end - start) power *= 2;
          if (start % power !== 0) {
            await assert.rejects(subtreeProof(sha256, [start, end], size, reader), RangeError);
            continue;
          }
          const proof = await subtreeProof(sha256, [start, end], size, reader);
          const claim = { start, end, size, subtree: mth(LEAVES.slice(start, end)), root: mth(LEAVES.slice(0, size)), proof };
          assert.ok(checkSubtree(sha256, claim), `[${start}, ${end}) of ${size}`);
          assert.ok(shifts(start, end, size, claim.subtree, claim.root, proof), `[${start}, ${end}) of ${size}, by shifting`);
          assert.ok(!checkSubtree(sha256, { ...claim, subtree: LEAVES[size] ?? '' }));
        }
      }
    }
  });

  test('any changed bit of any hash, an exchange and an omission are found', async () => {
    const sizes = fc.integer({ min: 2, max: 5_000 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), fc.nat({ max: 255 }), async (to, a, b, bit) => {
        const from = 1 + (a % to);
        const roots = { fromRoot: await rootOf(sha256, from, reader), toRoot: await rootOf(sha256, to, reader) };
        const proof = await consistencyProof(sha256, from, to, reader);
        assert.ok(checkConsistency(sha256, { from, to, ...roots, proof }));
        const index = a % to;
        const path = await inclusionProof(sha256, to, index, reader);
        const claim = { size: to, index, leaf: LEAVES[index] ?? '', root: roots.toRoot };
        assert.ok(checkInclusion(sha256, { ...claim, proof: path }));
        for (const [good, check] of [
          [proof, (bad: readonly Hash[]) => checkConsistency(sha256, { from, to, ...roots, proof: bad })],
          [path, (bad: readonly Hash[]) => checkInclusion(sha256, { ...claim, proof: bad })],
        ] as const) {
          if (good.length === 0) continue;
          const at = b % good.length;
          assert.ok(!check(good.with(at, flipped(good[at] ?? '', bit))), 'a bit');
          assert.ok(!check(good.toSpliced(at, 1)), 'an omission');
          if (good.length > 1) assert.ok(!check(good.with(0, good[1] ?? '').with(1, good[0] ?? '')), 'an exchange');
        }
      }),
      { numRuns: 60 },
    );
  });

  test('trees of up to 2^53 - 1 leaves: all the arithmetic is exact', async () => {
    // Each hash names its own subtree, so that a wrong place gives another hash.
    const named: HashReader = (level, index) => sha256(Buffer.from(`${level}/${index}`));
    // Nothing above the leaves is the hash of what is below it here; what is read whole is never split, so the proofs still fold.
    await fc.assert(
      fc.asyncProperty(fc.maxSafeNat(), fc.maxSafeNat(), async (a, b) => {
        const size = Math.max(a, b, 1);
        const index = Math.min(a, b, size - 1);
        const read: HashReader = (level, at) => fold(named, level, at, index);
        const proof = await inclusionProof(sha256, size, index, read);
        const root = await rootOf(sha256, size, read);
        assert.ok(proof.length <= 53);
        assert.ok(checkInclusion(sha256, { size, index, leaf: await read(0, index), proof, root }), `${index} of ${size}`);
        assert.ok(shifts(index, index + 1, size, await read(0, index), root, proof), `${index} of ${size}, by shifting`);
      }),
      {
        numRuns: 200,
        examples: [
          [TREE_SIZE_MAX, TREE_SIZE_MAX - 1],
          [TREE_SIZE_MAX, 0],
          [2 ** 52, 2 ** 52 - 1],
          [2 ** 32 + 1, 2 ** 32],
        ],
      },
    );
  });

  test('what is beyond exact numbers, or no number of a tree, is refused', () => {
    const leaf = leafOf(0);
    for (const [index, size] of [
      [0, 0],
      [1, 1],
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [0, 1.5],
      [0, 2 ** 53],
      [2 ** 53, 2 ** 53 + 2],
      [Number.NaN, 1],
      [0, Number.POSITIVE_INFINITY],
    ] as const) {
      assert.equal(checkInclusion(sha256, { size, index, leaf, root: leaf, proof: [] }), false, `${index} of ${size}`);
    }
    assert.ok(checkInclusion(sha256, { size: 1, index: 0, leaf, root: leaf, proof: [] }));
  });

  test('an empty tree begins every tree, without a proof', async () => {
    const empty = emptyRoot(sha256);
    const root = leafOf(0);
    assert.deepEqual(await consistencyProof(sha256, 0, 9, reader), []);
    assert.ok(checkConsistency(sha256, { from: 0, to: 1, fromRoot: empty, toRoot: root, proof: [] }));
    assert.ok(checkConsistency(sha256, { from: 0, to: 0, fromRoot: empty, toRoot: empty, proof: [] }));
    assert.ok(!checkConsistency(sha256, { from: 0, to: 0, fromRoot: empty, toRoot: root, proof: [] }));
    assert.ok(!checkConsistency(sha256, { from: 0, to: 1, fromRoot: root, toRoot: root, proof: [] }));
    assert.ok(!checkConsistency(sha256, { from: 0, to: 1, fromRoot: empty, toRoot: root, proof: [root] }));
    assert.ok(!checkConsistency(sha256, { from: 2, to: 1, fromRoot: root, toRoot: root, proof: [] }));
    await assert.rejects(consistencyProof(sha256, 2, 1, reader), RangeError);
    await assert.rejects(inclusionProof(sha256, 1, 1, reader), RangeError);
  });
});

/** The hash of a subtree that holds the leaf is made of its halves; one beside it only has a name. */
async function fold(named: HashReader, level: number, at: number, index: number): Promise<Hash> {
  if (level === 0 || Math.floor(index / 2 ** level) !== at) return named(level, at);
  return nodeHash(sha256, await fold(named, level - 1, at * 2, index), await fold(named, level - 1, at * 2 + 1, index));
}
