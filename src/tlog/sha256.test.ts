import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { sha256 } from './sha256.ts';

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

describe('SHA-256, written out', () => {
  test('known answers of FIPS 180-4', () => {
    const rows = {
      '': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      abc: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq: '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    };
    for (const [text, answer] of Object.entries(rows)) assert.equal(hex(sha256(Buffer.from(text))), answer);
    assert.equal(hex(sha256(Buffer.alloc(1_000_000, 'a'))), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0');
  });

  test('every length up to 300, and random bytes, as the platform hashes them', () => {
    for (let length = 0; length <= 300; length += 1) {
      const bytes = Buffer.alloc(length, length);
      assert.equal(sha256(bytes), hash('sha256', bytes, 'binary'), `length ${length}`);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_000 }), fc.nat({ max: 20 }), (bytes, skipped) => {
        const view = bytes.subarray(skipped);
        assert.equal(sha256(view), hash('sha256', view, 'binary'));
      }),
    );
  });
});
