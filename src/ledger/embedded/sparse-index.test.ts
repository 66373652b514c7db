import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PAIRS_MAX, SparseIndex } from './sparse-index.ts';

test('finds a noted frame at or before every entry, however many there were', () => {
  const index = new SparseIndex();
  const frames: { readonly relative: number; readonly offset: number }[] = [];
  let offset = 64;
  for (let k = 0; k < 60_000; k++) {
    frames.push({ relative: 3 * k, offset });
    index.add(3 * k, offset);
    offset += 8 * (1 + ((k * 7_919) % 5_000));
  }
  assert.ok(index.count <= PAIRS_MAX, `${index.count} pairs`);
  const stored = new SparseIndex(index.pairs().slice());
  for (let k = 0; k < frames.length; k += 97) {
    const { relative, offset: at } = frames[k] as (typeof frames)[number];
    for (const entry of [relative, relative + 2]) {
      const found = index.find(entry);
      assert.ok(found !== null && found <= at);
      assert.ok(at - found < 600_000, `${at - found} bytes before it`);
      assert.equal(stored.find(entry), found);
    }
  }
});

test('finds nothing before the first frame, and nothing that was cut', () => {
  const index = new SparseIndex();
  assert.equal(index.find(5), null);
  index.add(10, 64);
  index.add(20, 100_064);
  assert.equal(index.find(9), null);
  assert.equal(index.find(10), 64);
  assert.equal(index.find(25), 100_064);
  index.cut(100_064);
  assert.equal(index.find(25), 64);
  index.add(20, 100_072);
  assert.equal(index.find(25), 100_072);
});
