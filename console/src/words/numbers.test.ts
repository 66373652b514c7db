import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesText, countText, durationText, entriesText, rateText } from './numbers.ts';

test('numbers are as exact as they can be read', () => {
  assert.equal(countText(1_234_567), '1,234,567');
  assert.deepEqual([0, 0.04, 0.4, 9.94, 52.4, 12_345.6].map(rateText), ['0', '0', '0.4', '9.9', '52', '12,346']);
  assert.deepEqual([0, 1, 1_000].map(entriesText), ['0 entries', '1 entry', '1,000 entries']);
});

test('durations and sizes come in the unit that fits', () => {
  const durations = [-5, 0, 420, 9_940, 12_000, 89_000, 100_000, 7_200_000, 5 * 86_400_000];
  assert.deepEqual(durations.map(durationText), ['0.0 s', '0.0 s', '0.4 s', '9.9 s', '12 s', '89 s', '2 min', '2 h', '5 days']);
  assert.deepEqual([0, 1_023, 1_024, 12_609_435, 83_859_324_928].map(bytesText), ['0 B', '1,023 B', '1.0 KiB', '12.0 MiB', '78.1 GiB']);
});
