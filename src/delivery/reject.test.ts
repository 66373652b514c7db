import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cut, Driver, failed, lostAnswer, refusal, taken } from '../../test/doubles/delivery-driver.ts';

import type { Index, Size } from '../contracts/units.ts';

import type { Failure } from './state.ts';

const HOUR_MS = 3_600_000;

describe('a refused batch', () => {
  test('is narrowed down to the entry, which halts', () => {
    const driver = Driver.opened();
    driver.after(cut(7), 'all durable');
    assert.deepEqual(driver.after(refusal(0, 3)), ['journal rejected 0', 'cut live from 0 fences 3,7']);
    assert.deepEqual(driver.after(cut(3), 'all durable'), ['send live 0-3']);
    driver.after(taken(0));
    assert.deepEqual(driver.after('all durable', cut(7), 'all durable'), ['send live 4-7']);
    driver.after(refusal(4, 5), cut(5), 'all durable', refusal(4, 4), cut(4), 'all durable');
    assert.deepEqual(driver.after(refusal(4, 4)), []);
    assert.equal(driver.state.halted?.code, 'SINK_REFUSED_ENTRY');
    assert.equal(driver.state.account.live.cursor, 4);
    assert.deepEqual(driver.after({ type: 'retry' }), ['send live 4-4']);
  });

  test('is split around the entry that the destination names', () => {
    const driver = Driver.opened();
    driver.after(cut(7), 'all durable');
    assert.deepEqual(driver.after(refusal(0, 3, { refused: [5 as Index] })), ['journal rejected 0', 'cut live from 0 fences 4,5,7']);
  });

  test('goes before what was sent after it and is not known to be taken', () => {
    const driver = Driver.opened({ inFlight: 3 });
    driver.after(cut(3), cut(5), cut(7), 'all durable', lostAnswer(4), taken(6));
    assert.deepEqual(driver.after(refusal(0, 1)), ['journal rejected 0', 'cut live from 0 to 3 fences 1,3']);
    assert.deepEqual(driver.after(cut(1)), ['journal intent 0-1']);
    assert.deepEqual(driver.after('all durable'), ['send live 0-1']);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-1', 'cut live from 2 to 3 fences 3']);
    assert.deepEqual(driver.after('all durable', cut(3), 'all durable'), ['send live 2-3']);
    assert.deepEqual(driver.after(taken(2)), ['journal taken 2-3', 'send live 4-5 again', 'cut live from 8']);
  });

  test('takes batches with it that were cut and never sent', () => {
    const driver = Driver.opened();
    driver.after(cut(3), 'all durable', cut(7), 'all durable');
    assert.deepEqual(driver.after(refusal(0, 1)), ['journal rejected 0', 'journal withdrawn 4', 'cut live from 0 fences 1,3']);
  });

  test('without a record halts: there is no entry to blame', () => {
    const driver = Driver.opened({ carriesEmpty: true, onReject: 'quarantine' });
    driver.after(cut(3, 0), 'all durable');
    driver.after(failed(0, 'SINK_REFUSED_ENTRY', { remedy: 'reject' }));
    assert.equal(driver.state.halted?.code, 'SINK_REFUSED_ENTRY');
  });
});

describe('setting aside', () => {
  /** A destination that has refused entry 0 alone. */
  function refusedOne(more: Partial<Failure> = {}): Driver {
    const driver = Driver.opened({ onReject: 'quarantine' });
    driver.after(cut(0), 'all durable', refusal(0, 0, more));
    return driver;
  }

  test('becomes final when a later entry is taken, and is declared once that is durable', () => {
    const driver = refusedOne();
    assert.deepEqual(driver.state.account.quarantine, []);
    assert.equal(driver.state.account.live.cursor, 0);
    assert.deepEqual(driver.state.order?.omit, [0]);
    assert.deepEqual(driver.after('all durable', cut(2, 2, [0]), 'all durable'), ['send live 0-2']);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-2', 'cut live from 3']);
    assert.deepEqual(driver.state.account.quarantine, [
      { from: 0, through: 0, code: 'SINK_REFUSED_ENTRY', message: 'SINK_REFUSED_ENTRY', at: 5 },
    ]);
    const number = driver.state.account.records;
    assert.deepEqual(driver.after('all durable'), [`declare ${number}`]);
    assert.deepEqual(driver.after({ type: 'declared', record: number }), ['journal declared']);
    assert.deepEqual(driver.after('all durable'), []);
  });

  test('is durable before a batch without it sets out, also where no intent is needed', () => {
    const driver = Driver.opened({ dedupe: 'position', onReject: 'quarantine' });
    driver.after({ type: 'next', next: 0 as Index, size: 9 as Size }, cut(0), refusal(0, 0));
    assert.deepEqual(driver.after({ type: 'next', next: 0 as Index, size: 9 as Size }, cut(2, 2, [0])), []);
    assert.deepEqual(driver.after('all durable'), ['send live 0-2']);
    driver.after(lostAnswer(0), { type: 'due', number: 1 }, { type: 'next', next: 3 as Index, size: 9 as Size });
    assert.equal(driver.state.account.quarantine.length, 1, 'the destination has a later entry');
  });

  test('is declared after a crash as well, under the same number', () => {
    const driver = refusedOne();
    driver.after('all durable', cut(2, 2, [0]), 'all durable', taken(0));
    const number = driver.state.account.records;
    const next = driver.crashed();
    assert.equal(next.state.declaring, number);
    assert.deepEqual(next.state.account.outbox, [
      { record: number, type: 'destination.gap', facts: { from: 0, through: 0, count: 1, code: 'SINK_REFUSED_ENTRY' } },
    ]);
  });

  test('of a control entry is not declared: a gap entry never causes another one', () => {
    const driver = refusedOne({ control: true });
    driver.after('all durable', cut(2, 2, [0]), 'all durable', taken(0), 'all durable');
    assert.equal(driver.state.account.quarantine.length, 1);
    assert.deepEqual(driver.state.account.outbox, []);
  });

  test('before a batch in doubt lets that one go first, which proves it; the gap is accounted for then', () => {
    const driver = Driver.opened({ onReject: 'quarantine', inFlight: 2 });
    driver.after(cut(0), cut(1), 'all durable', lostAnswer(1));
    assert.deepEqual(driver.after(refusal(0, 0)), ['journal rejected 0', 'journal aside 0', 'cut live from 0 to 0 omit 0']);
    assert.deepEqual(driver.after('all durable', cut(0, 0, [0])), ['send live 1-1 again']);
    assert.deepEqual(driver.after(taken(1)), ['journal taken 1-1', 'cut live from 0 to 0 omit 0']);
    assert.equal(driver.state.account.quarantine.length, 1);
    assert.deepEqual(driver.after(cut(0, 0, [0])).slice(0, 1), ['journal omitted 0-0']);
    assert.equal(driver.state.account.live.cursor, 2);
  });

  test('two neighbours are covered by one gap', () => {
    const driver = refusedOne();
    driver.after('all durable', cut(1, 1, [0]), 'all durable', refusal(0, 1), 'all durable');
    assert.deepEqual(driver.state.order?.omit, [0, 1]);
    driver.after(cut(2, 1, [0, 1]), 'all durable', taken(0));
    assert.deepEqual(driver.state.account.quarantine, [
      { from: 0, through: 1, code: 'SINK_REFUSED_ENTRY', message: 'SINK_REFUSED_ENTRY', at: 5 },
    ]);
    assert.deepEqual(
      driver.state.account.outbox.map(({ facts }) => facts),
      [{ from: 0, through: 1, count: 2, code: 'SINK_REFUSED_ENTRY' }],
    );
  });

  test('three in a row halt with nothing set aside', () => {
    const driver = refusedOne();
    driver.after('all durable', cut(1, 1, [0]), 'all durable', refusal(0, 1), 'all durable', cut(2, 1, [0, 1]), 'all durable');
    assert.deepEqual(driver.after(refusal(0, 2)), ['journal rejected 0', 'journal restored']);
    assert.equal(driver.state.halted?.code, 'QUARANTINE_LIMIT');
    assert.deepEqual(driver.state.account.aside, []);
    assert.deepEqual(driver.state.account.quarantine, []);
    assert.equal(driver.state.account.live.cursor, 0);
    assert.deepEqual(driver.after({ type: 'retry' }), ['cut live from 0']);
  });

  test('more than the limit within an hour halts; an hour later it goes on', () => {
    const driver = Driver.opened({ onReject: 'quarantine', quarantineMax: 1 });
    const lose = (at: number, from: number): void => {
      driver.after(cut(from), 'all durable', refusal(from, from, { at }), 'all durable');
    };
    lose(1, 0);
    driver.after(cut(1, 1, [0]), 'all durable', taken(0), 'all durable');
    lose(HOUR_MS, 2);
    assert.equal(driver.state.halted?.code, 'QUARANTINE_LIMIT');
    assert.deepEqual(driver.state.account.aside, []);
    driver.after({ type: 'retry' }, 'all durable', refusal(2, 2, { at: HOUR_MS }));
    assert.equal(driver.state.halted, null, 'the operator said to go on');
    driver.after('all durable', cut(3, 1, [2]), 'all durable', taken(2), 'all durable');
    lose(3 * HOUR_MS, 4);
    assert.equal(driver.state.halted, null);
    assert.equal(driver.state.account.aside.length, 1);
  });
});
