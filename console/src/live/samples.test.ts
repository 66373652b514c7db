import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Status } from '../api/shapes.ts';
import { type History, rateOf, seriesOf, withSample } from './samples.ts';

function historyOf(...samples: readonly (readonly [at: number, durable: number])[]): History {
  let history: History = [];
  for (const [at, durable] of samples) history = withSample(history, { at, status: statusOf(durable) });
  return history;
}

function statusOf(durable: number): Status {
  return { ledger: { origin: 'o', size: durable, durable }, sources: {}, destinations: {} };
}

const durable = ({ ledger }: Status): number => ledger.durable;

describe('the history', () => {
  test('is a minute long and goes only forward', () => {
    const history = historyOf([0, 1], [1_000, 2], [61_000, 3], [60_500, 9]);
    assert.deepEqual(
      history.map(({ at }) => at),
      [60_500],
    );
    assert.equal(historyOf([0, 1], [30_000, 2], [60_000, 3]).length, 2);
  });

  test('a rate is what grew over the last seconds', () => {
    assert.equal(rateOf([], durable), 0);
    assert.equal(rateOf(historyOf([0, 7]), durable), 0);
    assert.equal(rateOf(historyOf([0, 0], [500, 25], [1_000, 50]), durable), 50);
    assert.equal(rateOf(historyOf([0, 0], [1_000, 1_000], [2_000, 1_000], [3_000, 1_000], [4_000, 1_000]), durable), 0);
    assert.equal(
      rateOf(historyOf([0, 5], [1_000, 5]), () => undefined),
      0,
    );
  });

  test('a count that begins anew has the rate since then', () => {
    assert.equal(rateOf(historyOf([0, 900], [500, 950], [1_000, 0], [1_500, 20]), durable), 40);
    assert.equal(rateOf(historyOf([0, 900], [500, 0]), durable), 0);
  });

  test('a series has every growth in its part of the minute', () => {
    const series = seriesOf(historyOf([10_000, 0], [11_000, 30], [30_000, 30], [60_000, 90]), 6, durable);
    assert.deepEqual(series, [0, 3, 0, 0, 0, 6]);
    assert.deepEqual(seriesOf([], 3, durable), [0, 0, 0]);
    assert.deepEqual(seriesOf(historyOf([0, 50], [1_000, 0]), 2, durable), [0, 0], 'a count that fell has not grown');
  });
});
