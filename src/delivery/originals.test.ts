import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PastRecord } from '../contracts/ledger.ts';
import type { Index } from '../contracts/units.ts';
import { Originals } from './originals.ts';
import { type JournalRecord, recordsText } from './records.ts';

const intent = (from: number, through: number, sha256 = `${from}-${through}`): JournalRecord => ({
  type: 'intent',
  lane: 'live',
  from: from as Index,
  through: through as Index,
  count: through - from + 1,
  epoch: 0,
  sha256,
  omit: [],
  gone: null,
});
const taken = (from: number, through: number): JournalRecord => ({
  type: 'taken',
  lane: 'live',
  from: from as Index,
  through: through as Index,
  count: 1,
  bytes: 1,
  again: 0,
  receipt: {},
});

/** The originals of a journal whose past holds these records, one a journal entry, and how many entries were read. */
function originals(past: readonly (JournalRecord | 'forgotten')[]) {
  const read = { entries: 0, questions: 0 };
  const history = async function* (): AsyncGenerator<PastRecord> {
    read.questions += 1;
    for (const [at, record] of past.entries()) {
      read.entries += 1;
      yield record === 'forgotten' ? { kind: 'forgotten' } : { kind: 'record', record: recordsText(at + 1, [record]) };
    }
  };
  return { read, originals: new Originals({ history }, 'lake', new AbortController().signal) };
}

describe('the original batch of an index', () => {
  test('is the one that was taken, not one that was refused or withdrawn', async () => {
    const { originals: of } = originals([
      intent(0, 9),
      { type: 'rejected', lane: 'live', from: 0 as Index, code: 'SINK_REFUSED_ENTRY', fences: [] },
      intent(0, 4),
      intent(5, 9, 'withdrawn'),
      { type: 'withdrawn', lane: 'live', from: 5 as Index, doubt: false },
      taken(0, 4),
      intent(5, 7),
      taken(5, 7),
    ]);
    assert.deepEqual([(await of.at(3 as Index)).from, (await of.at(3 as Index)).through], [0, 4]);
    assert.equal((await of.at(6 as Index)).sha256, '5-7');
  });

  test('stands for nothing where nothing was sent', async () => {
    const { originals: of } = originals([intent(0, 4), taken(0, 4), intent(8, 9), taken(8, 9)]);
    const { from, through, count, sha256 } = await of.at(6 as Index);
    assert.deepEqual({ from, through, count, sha256 }, { from: 6, through: 7, count: 0, sha256: '' });
  });

  test('belongs to this life of the destination and to where it writes now', async () => {
    const restarted: JournalRecord = { type: 'target', target: 'B', used: 'restart', cursor: 0 as Index };
    for (const end of ['forgotten', restarted] as const) {
      const { originals: of } = originals([intent(0, 9), taken(0, 9), end, intent(0, 3), taken(0, 3)]);
      assert.equal((await of.at(2 as Index)).through, 3);
    }
  });

  test('that nobody knows is refused with what to do', async () => {
    await assert.rejects(originals([]).originals.at(2 as Index), { code: 'COMMAND_REFUSED', message: /waybill replay/ });
    await assert.rejects(originals([intent(0, 9)]).originals.at(2 as Index), { code: 'COMMAND_REFUSED' });
  });

  test('costs one reading for many questions', async () => {
    const batches = Array.from({ length: 3_000 }, (_, k) => [intent(k * 10, k * 10 + 9), taken(k * 10, k * 10 + 9)]).flat();
    const { read, originals: of } = originals(batches);
    for (let k = 0; k < 900; k++) assert.equal((await of.at((k * 10 + 3) as Index)).from, k * 10);
    assert.equal(read.questions, 1);
    assert.ok(read.entries < 2_100, `${read.entries} entries were read`);
  });
});
