import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Batch } from '../contracts/entry.ts';
import { asIndex } from '../contracts/units.ts';
import { native } from './native.ts';

/** A batch whose entries lie apart from each other, as a ledger's may. */
function batchOf(first: number, entries: readonly string[], memory: 'own' | 'shared' = 'own'): Batch {
  const starts = new Uint32Array(entries.length);
  const ends = new Uint32Array(entries.length);
  let text = '??';
  for (const [k, entry] of entries.entries()) {
    starts[k] = Buffer.byteLength(text);
    text += entry;
    ends[k] = Buffer.byteLength(text);
    text += '\n??';
  }
  const length = Buffer.byteLength(text);
  const bytes = new Uint8Array(memory === 'own' ? new ArrayBuffer(length) : new SharedArrayBuffer(length));
  bytes.set(Buffer.from(text));
  return { first: asIndex(first), count: entries.length, bytes, starts, ends };
}

function records(encoded: ReturnType<typeof native.encode>): string[] {
  const { bytes, offsets, count } = encoded;
  assert.equal(offsets.length, count + 1);
  assert.equal(offsets[0], 0);
  assert.equal(offsets[count], bytes.length);
  return Array.from({ length: count }, (_, k) => Buffer.from(bytes.subarray(offsets[k], offsets[k + 1])).toString());
}

const record = (index: number, entry: string): string => `{"index":${index},"entry":${entry}}\n`;

describe('the native format', () => {
  for (const first of [0, 1, 8, 95, 98, 997, 123_456_789, Number.MAX_SAFE_INTEGER - 20]) {
    test(`counts on from ${first} through every carry`, () => {
      const entries = Array.from({ length: 15 }, (_, k) => `{"n":${k}}`);
      assert.deepEqual(
        records(native.encode(batchOf(first, entries))),
        entries.map((entry, k) => record(first + k, entry)),
      );
    });
  }

  test('keeps every byte of an entry, whatever it is', () => {
    const entries = ['{"é":"\u{1f600}\u2028"}', '{"a":"\\u0000\\ud800"}', '{"__proto__":1}', `{"long":"${'x'.repeat(65_000)}"}`, '{}'];
    for (const memory of ['own', 'shared'] as const) {
      assert.deepEqual(
        records(native.encode(batchOf(7, entries, memory))),
        entries.map((entry, k) => record(7 + k, entry)),
      );
    }
  });

  test('takes what is picked, with the index that it has', () => {
    const entries = Array.from({ length: 30 }, (_, k) => `{"n":${k}}`);
    const batch = batchOf(85, entries);
    const pick = [0, 1, 4, 5, 6, 14, 15, 29];
    assert.deepEqual(
      records(native.encode(batch, pick)),
      pick.map((k) => record(85 + k, entries[k] ?? '')),
    );
    assert.deepEqual(records(native.encode(batch, [])), []);
    assert.deepEqual(records(native.encode(batchOf(3, []))), []);
  });

  test('a place outside of the batch is a mistake in the program', () => {
    assert.throws(() => native.encode(batchOf(0, ['{}']), [1]), { name: 'BrokenInvariant' });
  });

  test('the same entries give the same bytes, and none of them is the batch’s own', () => {
    const batch = batchOf(0, ['{"a":1}', '{"b":2}']);
    const one = native.encode(batch);
    const two = native.encode(batch);
    assert.deepEqual(one.bytes, two.bytes);
    one.bytes.fill(0);
    assert.deepEqual(records(two), [record(0, '{"a":1}'), record(1, '{"b":2}')]);
    assert.equal(records(native.encode(batch))[0], record(0, '{"a":1}'));
  });
});
