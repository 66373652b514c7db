import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { decodeHash, emptyRoot, encodeHash, hashAt, hashBytes, leafHash, nodeHash } from './hash.ts';

const sha256 = (input: Uint8Array): string => hash('sha256', input, 'binary');
const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const leaf = (text: string): string => leafHash(sha256, Buffer.from(text), 0, text.length);

describe('hashes of the tree', () => {
  test('known answers', () => {
    assert.equal(hex(leaf('')), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    assert.equal(hex(leaf('L123456')), '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56');
    assert.equal(hex(leaf('one')), 'd0d7360ab79f58ab1e1e3fe64ad77e2ea0bc07e36b5f46ed2223edd9298df9e9');
    assert.equal(encodeHash(emptyRoot(sha256)), '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
  });

  test('the bytes of a node are a one, the left and the right hash', () => {
    const [left, right] = [leaf('left'), leaf('right')];
    assert.equal(nodeHash(sha256, left, right), sha256(Buffer.concat([Buffer.from([1]), hashBytes(left), hashBytes(right)])));
    assert.notEqual(nodeHash(sha256, left, right), nodeHash(sha256, right, left));
  });

  test('a part of a larger buffer is a leaf of its own', () => {
    assert.equal(leafHash(sha256, Buffer.from('xxoneyy'), 2, 5), leaf('one'));
    const large = Buffer.alloc(70_000, 'x');
    assert.equal(leafHash(sha256, large, 0, large.length), sha256(Buffer.concat([Buffer.from([0]), large])));
    // A longer leaf before it leaves nothing behind.
    assert.equal(leaf('one'), sha256(Buffer.from('\0one')));
  });

  test('there and back', () => {
    const one = leaf('one');
    assert.equal(hashAt(hashBytes(one), 0), one);
    assert.equal(hashAt(Buffer.concat([Buffer.alloc(7), hashBytes(one)]), 7), one);
    assert.equal(decodeHash(encodeHash(one)), one);
    for (const text of ['', 'AAAA', `${encodeHash(one)}\n`, encodeHash(one).slice(0, -1), `AAAA${encodeHash(one)}`]) {
      assert.equal(decodeHash(text), null);
    }
  });
});
