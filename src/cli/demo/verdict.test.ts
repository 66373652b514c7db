import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compareHoldings, differenceOf, holdingOf, lookUpAcknowledged, lookUpGaps } from './verdict.ts';

const EVENT = '{"id":"evt_1","a":"ä"}';

function line(index: number, id: string, event: string, source = 'app'): string {
  return `{"index":${index},"entry":{"v":1,"source":"${source}","n":${index},"id":"${id}","event":${event}}}`;
}

const LEDGER = [line(0, 'evt_1', EVENT), line(1, 'evt_2', '{}'), line(2, 'evt_3', '{}')];

function agree(destination: readonly string[], ledger: readonly string[] = LEDGER): boolean {
  return compareHoldings(holdingOf('ledger', ledger), [holdingOf('file', destination)]).every(({ good }) => good);
}

describe('the verdict of the demo', () => {
  test('is good only for the same lines in the same order', () => {
    assert.ok(agree(LEDGER));
    assert.ok(!agree(LEDGER.slice(0, 2)), 'one is missing at the end');
    assert.ok(!agree(LEDGER.slice(1)), 'one is missing at the beginning');
    assert.ok(!agree([...LEDGER, ...LEDGER.slice(2)]), 'one is there twice');
    assert.ok(!agree([LEDGER[0] ?? '', LEDGER[2] ?? '', LEDGER[1] ?? '']), 'two are swapped');
    assert.ok(!agree(LEDGER.with(1, line(1, 'evt_2', '{ }'))), 'a byte differs');
    assert.ok(!agree([]), 'nothing is there');
    assert.ok(!agree([], []), 'nothing happened');
  });

  test('does not believe a ledger with a hole', () => {
    const holed = [LEDGER[0] ?? '', LEDGER[2] ?? ''];
    assert.ok(!agree(holed, holed));
  });

  test('finds every acknowledged event once and unchanged', () => {
    const sent = new Map([
      ['evt_1', EVENT],
      ['evt_2', '{}'],
      ['evt_3', '{}'],
    ]);
    assert.ok(lookUpAcknowledged(LEDGER, sent).good);
    assert.ok(!lookUpAcknowledged(LEDGER.slice(0, 2), sent).good, 'one is lost');
    assert.ok(!lookUpAcknowledged([...LEDGER, line(3, 'evt_1', EVENT)], sent).good, 'one is there twice');
    assert.ok(!lookUpAcknowledged(LEDGER.with(0, line(0, 'evt_1', '{"id":"evt_1"}')), sent).good, 'one has changed');
    assert.ok(!lookUpAcknowledged(LEDGER, new Map([...sent].slice(1))).good, 'one was never acknowledged');
    assert.ok(lookUpAcknowledged([...LEDGER, line(3, 'x', '{"type":"clock"}', 'waybill')], sent).good, 'control entries are no events');
  });

  test('counts declared gaps', () => {
    const gap = line(3, 'x', '{"type":"producer.gap","facts":{}}', 'waybill');
    assert.ok(lookUpGaps([...LEDGER, gap], 1).good);
    assert.ok(!lookUpGaps(LEDGER, 1).good);
    assert.ok(!lookUpGaps([...LEDGER, gap, gap], 1).good);
    assert.ok(!lookUpGaps([...LEDGER, line(3, 'x', '{"type":"producer.gap_closed"}', 'waybill')], 1).good);
  });
});

describe('the difference between a place and the ledger', () => {
  const [a = '', b = '', c = ''] = LEDGER;
  const none = { lost: 0, repeated: 0, outOfOrder: 0, changed: 0 };

  test('is counted entry by entry', () => {
    assert.deepEqual(differenceOf(LEDGER, LEDGER), none);
    assert.deepEqual(differenceOf(LEDGER, [a, c]), { ...none, lost: 1 });
    assert.deepEqual(differenceOf(LEDGER, []), { ...none, lost: 3 });
    assert.deepEqual(differenceOf(LEDGER, [a, b, b, c, c]), { ...none, repeated: 2 });
    assert.deepEqual(differenceOf(LEDGER, [b, a, c]), { ...none, outOfOrder: 1 });
    assert.deepEqual(differenceOf(LEDGER, [c, a, b]), { ...none, outOfOrder: 2 });
    assert.deepEqual(differenceOf(LEDGER, [a, line(1, 'evt_2', '{ }'), c]), { ...none, changed: 1 });
    assert.deepEqual(differenceOf(LEDGER, [...LEDGER, line(3, 'evt_9', '{}')]), { ...none, changed: 1 }, 'one that the ledger never had');
    assert.deepEqual(differenceOf(LEDGER, [a, b, 'torn']), { ...none, lost: 1, changed: 1 });
  });
});
