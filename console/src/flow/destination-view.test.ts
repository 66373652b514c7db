import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DestinationStatus, Status } from '../api/shapes.ts';
import { type History, withSample } from '../live/samples.ts';
import { destinationView, railSpan } from './destination-view.ts';

const NOW = 1_800_000_000_000;
const BUSY = { code: 'SINK_BUSY', message: 'http://127.0.0.1 answered 503', action: 'Nothing to do.' };
const HEAD = { from: 100, through: 124, count: 25, in_flight: false, in_doubt: false, attempts: 3 };
const BASE: DestinationStatus = {
  state: 'running',
  cursor: 100,
  lag: 0,
  head: null,
  error: null,
  next_retry_at: null,
  counters: { entries: 100, bytes: 1, batches: 1, repeats: 0, attempts: 1 },
};

/** Two seconds in which the ledger and the cursor grew so much a second. */
function historyOf(inflow: number, outflow: number): History {
  const at = (seconds: number): Status => ({
    ledger: { origin: 'o', size: 0, durable: 1_000 + inflow * seconds },
    sources: {},
    destinations: { hook: { ...BASE, cursor: 100 + outflow * seconds } },
  });
  return withSample(withSample([], { at: 0, status: at(0) }), { at: 2_000, status: at(2) });
}

function view(change: Partial<DestinationStatus>, inflow = 0, outflow = 0) {
  return destinationView('hook', { ...BASE, ...change }, { history: historyOf(inflow, outflow), live: true, now: NOW });
}

describe('a destination in words', () => {
  test('at rest, following, behind and catching up', () => {
    assert.deepEqual([view({}).mark, view({}).words, view({}).behind], ['still', 'up to date', 'nothing behind']);
    assert.deepEqual([view({}, 50, 50).mark, view({}, 50, 50).words], ['moving', 'delivering']);
    assert.equal(view({ lag: 80 }, 50, 50).words, 'delivering', 'two seconds of the ledger are no queue');
    assert.equal(view({ lag: 1_000 }, 50, 50).words, 'behind');
    const catching = view({ lag: 1_000 }, 50, 250);
    assert.deepEqual(
      [catching.mark, catching.words, catching.behind],
      ['catching', 'catching up, about 5.0 s left', '1,000 entries behind'],
    );
  });

  test('waiting says until when, and does not flicker while it tries', () => {
    const waiting = { state: 'waiting', error: BUSY, lag: 25, head: HEAD, next_retry_at: NOW + 400 };
    assert.deepEqual([view(waiting).mark, view(waiting).words], ['waiting', 'waiting, tries again in 0.4 s']);
    assert.equal(view({ ...waiting, next_retry_at: NOW - 1 }).words, 'waiting, tries again now');
    const trying = view({ ...waiting, state: 'running', next_retry_at: null, head: { ...HEAD, in_flight: true } });
    assert.deepEqual([trying.mark, trying.words], ['waiting', 'waiting, tries again now']);
    assert.equal(trying.head, 'first in line: 100 to 124, tried 3 times');
  });

  test('what needs a person says so, and every state has its own shape', () => {
    assert.deepEqual([view({ state: 'halted', error: BUSY }).mark, view({ state: 'halted' }).words], ['halted', 'stopped, needs a person']);
    assert.equal(view({ state: 'detached' }).mark, 'halted');
    assert.deepEqual([view({ state: 'paused' }).mark, view({ state: 'paused' }).words], ['paused', 'paused by an operator']);
    assert.equal(view({ state: 'paused', error: BUSY }).mark, 'paused');
    assert.equal(view({ state: 'something new' }).words, 'something new');
  });

  test('the head of the line', () => {
    assert.equal(view({}).head, 'next is 100');
    assert.equal(view({ lag: 3 }).head, 'next batch begins at 100');
    assert.equal(view({ head: { ...HEAD, in_flight: true, attempts: 1 } }).head, 'sending 100 to 124');
    const one = { ...HEAD, through: 100, attempts: 1, in_doubt: true };
    assert.equal(view({ head: one }).head, 'first in line: entry 100, tried once, its answer was lost');
    const side = { kind: 'replay', from: 5, through: 90, cursor: 40 };
    assert.equal(view({ side, head: HEAD }).head, 'replay of 5 to 90, at 40');
  });

  test('nothing is claimed of a server that does not answer', () => {
    const gone = destinationView('hook', BASE, { history: historyOf(50, 50), live: false, now: NOW });
    assert.deepEqual([gone.mark, gone.words, gone.rate, gone.cursor], ['unknown', 'not known', 0, 100]);
  });

  test('what an operator should not overlook', () => {
    const { repeats, setAside } = view({ counters: { ...BASE.counters, repeats: 2 }, quarantine: [{}, {}] });
    assert.deepEqual([repeats, setAside], [2, 2]);
  });
});

test('the rails hold the longest queue, with a round number of entries', () => {
  assert.deepEqual([[], [0], [80], [100], [400], [443], [1_000], [90_000]].map(railSpan), [100, 100, 100, 200, 500, 1_000, 2_000, 200_000]);
});
