import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daysLeft } from './status.ts';

const MINUTE_MS = 60_000;

test('how long the space lasts is not known before ten minutes, before anything was written, or where nobody knows what is free', () => {
  assert.equal(daysLeft(1_000, 500, 9 * MINUTE_MS), null);
  assert.equal(daysLeft(1_000, 0, 60 * MINUTE_MS), null);
  assert.equal(daysLeft(null, 500, 60 * MINUTE_MS), null);
  assert.equal(daysLeft(1_440_000, 1_000, 10 * MINUTE_MS), 10);
});
