import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daysLeft, inOrder } from './status.ts';

test('parts stand in the order of the configuration, whatever was restarted, and those that it does not name last', () => {
  const parts = new Map([
    ['leaving', 1],
    ['archive', 2],
    ['lake', 3],
    ['hook', 4],
  ]);
  assert.deepEqual(
    inOrder(parts, ['lake', 'hook', 'archive', 'coming']).map(([name]) => name),
    ['lake', 'hook', 'archive', 'leaving'],
  );
});

const MINUTE_MS = 60_000;

test('how long the space lasts is not known before ten minutes, before anything was written, or where nobody knows what is free', () => {
  assert.equal(daysLeft(1_000, 500, 9 * MINUTE_MS), null);
  assert.equal(daysLeft(1_000, 0, 60 * MINUTE_MS), null);
  assert.equal(daysLeft(null, 500, 60 * MINUTE_MS), null);
  assert.equal(daysLeft(1_440_000, 1_000, 10 * MINUTE_MS), 10);
});
