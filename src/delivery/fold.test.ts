import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isWaybillError } from '../contracts/errors.ts';
import type { Index } from '../contracts/units.ts';
import { accountText, fold } from './fold.ts';
import { type JournalRecord, parseRecords, recordsText } from './records.ts';

const began: JournalRecord = { type: 'began', v: 1, cursor: 7 as Index, at: 1_000 };
const intent = (from: number, through: number): JournalRecord => ({
  type: 'intent',
  lane: 'live',
  from: from as Index,
  through: through as Index,
  count: through - from + 1,
  epoch: 0,
  sha256: 'ab',
  omit: [],
});
const taken = (from: number, through: number): JournalRecord => ({
  type: 'taken',
  lane: 'live',
  from: from as Index,
  through: through as Index,
  count: through - from + 1,
  bytes: 10,
  again: 0,
  receipt: { status: 200 },
});
const history = [began, intent(7, 9), taken(7, 9), intent(10, 12)];

function invalid(...texts: readonly string[]): void {
  assert.throws(
    () => fold(null, texts),
    (error: unknown) => isWaybillError(error) && error.code === 'JOURNAL_INVALID',
  );
}

describe('folding', () => {
  test('nothing is no account', () => assert.equal(fold(null, []), null));

  test('it does not matter how records were gathered into entries', () => {
    const whole = fold(null, [recordsText(1, history)]);
    const apart = fold(
      null,
      history.map((record, at) => recordsText(at + 1, [record])),
    );
    assert.deepEqual(whole, apart);
    assert.equal(whole?.live.cursor, 10);
    assert.equal(whole.live.open.length, 1);
    assert.deepEqual(whole.receipt, { status: 200 });
    assert.deepEqual(whole.taken, { batches: 1, entries: 3, bytes: 10 });
  });

  test('a state and the records since are the same as all records, however much they overlap', () => {
    const whole = fold(null, [recordsText(1, history)]);
    for (let upTo = 1; upTo <= history.length; upTo++) {
      const account = fold(null, [recordsText(1, history.slice(0, upTo))]);
      assert.ok(account !== null);
      for (let since = 0; since <= upTo; since++) {
        const texts = history.slice(since).map((record, at) => recordsText(since + at + 1, [record]));
        assert.deepEqual(fold(accountText(account), texts), whole);
      }
    }
  });

  test('the text of an entry is read back as it was written', () => {
    assert.deepEqual(parseRecords(recordsText(5, history)), { first: 5, records: history });
  });
});

describe('a journal that does not add up is refused', () => {
  test('a gap in the numbers', () => invalid(recordsText(1, [began]), recordsText(3, [taken(7, 9)])));
  test('no beginning', () => invalid(recordsText(1, [intent(0, 1)])));
  test('a second beginning', () => invalid(recordsText(1, [began, began])));
  test('another version', () => invalid(recordsText(1, [{ ...began, v: 2 } as unknown as JournalRecord])));
  test('an unknown record', () => invalid(recordsText(1, [began, { type: 'forwarded' } as unknown as JournalRecord])));
  test('an intent that leaves something out', () => invalid(recordsText(1, [began, intent(8, 9)])));
  test('an intent that overlaps', () => invalid(recordsText(1, [began, intent(7, 9), intent(9, 12)])));
  test('an intent that ends before it begins', () => invalid(recordsText(1, [began, intent(7, 6)])));
  test('an outcome of another batch than the open one', () => invalid(recordsText(1, [began, intent(7, 9), taken(7, 8)])));
  test('an outcome out of turn', () => invalid(recordsText(1, [began, taken(8, 9)])));
  test('the same outcome twice', () => invalid(recordsText(1, [began, taken(7, 9), taken(7, 9)])));
  test('text that is not JSON, not a list, or has no number', () => {
    invalid('[1,');
    invalid('{"type":"began"}');
    invalid('["1",{}]');
    invalid('[1,null]');
    invalid('[1,{"kind":"began"}]');
  });
  test('a state of another version', () => {
    for (const state of ['{"v":2}', 'null', '[]', 'v1']) {
      assert.throws(
        () => fold(state, []),
        (error: unknown) => isWaybillError(error) && error.code === 'JOURNAL_INVALID',
      );
    }
  });
});
