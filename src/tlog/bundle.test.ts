import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { encodeBundle, readBundle } from './bundle.ts';
import { TlogError } from './error.ts';

function packed(entries: readonly Uint8Array[]): Uint8Array {
  const starts = new Uint32Array(entries.length);
  const ends = new Uint32Array(entries.length);
  // Something before, between and after the entries shows that only they are taken.
  let at = 3;
  for (const [k, entry] of entries.entries()) {
    starts[k] = at;
    ends[k] = at + entry.length;
    at += entry.length + 1;
  }
  const bytes = Buffer.alloc(at + 2, 0xee);
  for (const [k, entry] of entries.entries()) bytes.set(entry, starts[k] ?? 0);
  return encodeBundle(bytes, starts, ends);
}

describe('entry bundles', () => {
  test('known bytes', () => {
    const bundle = packed([Buffer.from('ab'), Buffer.alloc(0), Buffer.alloc(258, 'x')]);
    assert.equal(Buffer.from(bundle.subarray(0, 8)).toString('hex'), '0002616200000102');
    assert.equal(bundle.length, 2 + 2 + 2 + 2 + 258);
  });

  test('what goes in comes out', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }), (entries) => {
        const bundle = packed(entries);
        const { starts, ends } = readBundle(bundle, entries.length);
        assert.deepEqual(
          Array.from(starts, (start, k) => Uint8Array.from(bundle.subarray(start, ends[k]))),
          entries.map((entry) => Uint8Array.from(entry)),
        );
      }),
    );
  });

  test('the largest entry fits, a larger one does not', () => {
    const largest = packed([Buffer.alloc(65_535, 'y')]);
    assert.equal(readBundle(largest, 1).ends[0], 65_537);
    assert.throws(() => packed([Buffer.alloc(65_536)]), RangeError);
  });

  test('cut anywhere, longer, or with another count it is refused', () => {
    const bundle = packed([Buffer.from('one'), Buffer.from(''), Buffer.from('three')]);
    for (let cut = 0; cut < bundle.length; cut += 1) {
      assert.throws(() => readBundle(bundle.subarray(0, cut), 3), TlogError, `cut to ${cut}`);
    }
    assert.throws(() => readBundle(Buffer.concat([bundle, Buffer.from([0])]), 3), /1 bytes after its 3 entries/);
    assert.throws(() => readBundle(bundle, 2), TlogError);
    assert.throws(() => readBundle(bundle, 4), /ends within entry 3 of 4/);
  });
});
