import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRandom } from './random.ts';

test('no two requests share bytes, whether they come from the pool or not', () => {
  const random = openRandom();
  const seen = new Set<string>();
  for (let i = 0; i < 5_000; i++) seen.add(Buffer.from(random.bytes(16)).toString('hex'));
  assert.equal(seen.size, 5_000);
  const [one, two] = [random.bytes(10_000), random.bytes(10_000)];
  assert.equal(one.length, 10_000);
  assert.notDeepEqual(one, two);
  assert.equal(random.bytes(0).length, 0);
});

test('what was handed out belongs to the caller', () => {
  const random = openRandom();
  const one = random.bytes(8);
  const copy = one.slice();
  random.bytes(8).fill(0);
  assert.deepEqual(one, copy);
});

test('numbers lie in [0, 1)', () => {
  const random = openRandom();
  for (let i = 0; i < 1_000; i++) {
    const value = random.next();
    assert.ok(value >= 0 && value < 1);
  }
});
