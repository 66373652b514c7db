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
  gone: null,
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

describe('what makes it final that an entry is set aside', () => {
  const refused: readonly JournalRecord[] = [
    began,
    { type: 'width', inFlight: 2 },
    intent(7, 7),
    { ...intent(8, 8), count: 0 } as JournalRecord,
    { type: 'rejected', lane: 'live', from: 7 as Index, code: 'SINK_REFUSED_ENTRY', fences: [] },
    { type: 'aside', index: 7 as Index, code: 'SINK_REFUSED_ENTRY', message: 'no', control: false, at: 2_000 },
  ];

  test('is a later entry, and not a later batch without one', () => {
    const empty = fold(null, [recordsText(1, [...refused, { ...taken(8, 8), count: 0 } as JournalRecord])]);
    assert.equal(empty?.aside.length, 1);
    const [first, second, third, , ...rest] = refused;
    const whole = fold(null, [recordsText(1, [first, second, third, intent(8, 8), ...rest, taken(8, 8)] as JournalRecord[])]);
    assert.equal(whole?.aside.length, 0);
    assert.equal(whole.quarantine.length, 1);
    assert.equal(whole.live.cursor, 7, 'the entry itself is not accounted for yet');
  });

  test('holds as well when the later entry was taken before', () => {
    const [first, second, third, , ...rest] = refused;
    const account = fold(null, [recordsText(1, [first, second, third, intent(8, 8), taken(8, 8), ...rest] as JournalRecord[])]);
    assert.equal(account?.quarantine.length, 1);
  });
});

test('the last receipt is that of the live stream or of what filled a loss, never of a replay', () => {
  for (const kind of ['recover', 'replay'] as const) {
    const side: JournalRecord = { type: 'side', kind, name: `${kind}-1`, from: 7 as Index, through: 9 as Index, gone: null };
    const again = { ...taken(7, 9), lane: 'side', receipt: { status: 201 } } as JournalRecord;
    const account = fold(null, [recordsText(1, [began, taken(7, 9), side, again])]);
    assert.deepEqual(account?.receipt, { status: kind === 'recover' ? 201 : 200 });
  }
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
