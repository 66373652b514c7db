import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { EMPTY_EDGE, growEdge, rootHash } from './edge.ts';
import { leafHash, nodeHash } from './hash.ts';

const sha256 = (input: Uint8Array): string => hash('sha256', input, 'binary');
const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const bytes = (text: string): Uint8Array => Buffer.from(text);

function naiveRoot(leaves: readonly string[]): string {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  if (leaves.length === 1) return leaves[0] ?? '';
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(sha256, naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

function entries(count: number): { bytes: Uint8Array; starts: Uint32Array; ends: Uint32Array } {
  const parts = Array.from({ length: count }, (_, k) => Buffer.from(`entry ${k}${'.'.repeat(k % 70)}`));
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let at = 0;
  for (const [k, part] of parts.entries()) {
    starts[k] = at;
    at += part.length;
    ends[k] = at;
  }
  return { bytes: Buffer.concat(parts), starts, ends };
}

describe('the edge of the tree', () => {
  test('known answers of RFC 6962 hashes', () => {
    const leaf = (text: string): string => hex(leafHash(sha256, bytes(text), 0, text.length));
    assert.equal(leaf(''), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    assert.equal(leaf('L123456'), '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56');
    assert.equal(leaf('one'), 'd0d7360ab79f58ab1e1e3fe64ad77e2ea0bc07e36b5f46ed2223edd9298df9e9');
    assert.equal(Buffer.from(rootHash(sha256, EMPTY_EDGE), 'latin1').toString('base64'), '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
  });

  test('every size up to 300 has the root of the naive tree, whatever the steps', () => {
    const all = entries(300);
    const leaves = Array.from(all.starts, (start, k) => leafHash(sha256, all.bytes, start, all.ends[k] ?? 0));
    let edge = EMPTY_EDGE;
    for (let size = 0; size <= 300; size += 1) {
      assert.equal(rootHash(sha256, edge), naiveRoot(leaves.slice(0, size)), `size ${size}`);
      if (size < 300) edge = growEdge(sha256, edge, all.bytes, all.starts.subarray(size, size + 1), all.ends.subarray(size, size + 1));
    }
    for (const step of [2, 7, 64, 255, 300]) {
      let stepped = EMPTY_EDGE;
      for (let at = 0; at < 300; at += step) {
        stepped = growEdge(sha256, stepped, all.bytes, all.starts.subarray(at, at + step), all.ends.subarray(at, at + step));
      }
      assert.deepEqual(stepped, edge, `steps of ${step}`);
    }
  });

  test('the largest entry is hashed whole, and a larger buffer is made for what is larger', () => {
    const large = Buffer.alloc(70_000, 'x');
    assert.equal(leafHash(sha256, large, 0, large.length), sha256(Buffer.concat([Buffer.from([0]), large])));
  });

  test('refuses to grow past exact numbers', () => {
    const one = entries(1);
    assert.throws(() => growEdge(sha256, { size: Number.MAX_SAFE_INTEGER, hashes: [] }, one.bytes, one.starts, one.ends), RangeError);
  });
});
