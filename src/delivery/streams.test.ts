import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cut, Driver, failed, lostAnswer, refusal, taken } from '../../test/doubles/delivery-driver.ts';

import type { Index, Size } from '../contracts/units.ts';
import { newAccount } from './account.ts';

import { openState } from './step.ts';

describe('what the destination says it needs next', () => {
  /** A destination that keeps its place and has acknowledged [0, 4]; its answer after a restart. */
  function restarted(next: number, size = 20): { readonly driver: Driver; readonly said: string[] } {
    const first = Driver.opened({ dedupe: 'position' });
    first.after({ type: 'next', next: 0 as Index, size: 9 as Size }, cut(4), taken(0));
    const driver = first.crashed();
    return { driver, said: driver.after({ type: 'next', next: next as Index, size: size as Size }) };
  }

  test('is the cursor', () => assert.deepEqual(restarted(5).said, ['cut live from 5']));

  test('between cursor and size it is believed and journalled', () => {
    const { driver, said } = restarted(9);
    assert.deepEqual(said, ['journal adopted 5-8', 'cut live from 9']);
    assert.equal(driver.state.account.live.cursor, 9);
  });

  for (const [next, size, code] of [
    [4, 20, 'DESTINATION_LOST_DATA'],
    [21, 20, 'LEDGER_REWOUND'],
  ] as const) {
    test(`at ${next} of ${size} it halts with ${code}, and again until that is resolved`, () => {
      const { driver, said } = restarted(next, size);
      assert.deepEqual(said, []);
      assert.equal(driver.state.halted?.code, code);
      assert.deepEqual(driver.after({ type: 'retry' }), ['ask']);
      driver.after({ type: 'next', next: next as Index, size: size as Size });
      assert.equal(driver.state.halted?.code, code);
    });
  }

  test('below a place where it was told to begin it halts, though nothing is lost', () => {
    const driver = new Driver({ dedupe: 'position' }, openState(newAccount(50 as Index, 1), 1));
    driver.after({ type: 'begin' }, driver.open(), 'all durable', { type: 'next', next: 0 as Index, size: 60 as Size });
    assert.equal(driver.state.halted?.code, 'DESTINATION_BEHIND');
    driver.after({ type: 'side', kind: 'recover', from: 0 as Index, through: 49 as Index, gone: null }, 'all durable');
    driver.after(({ state }) => ({ type: 'declared', record: state.declaring }), 'all durable');
    assert.deepEqual(driver.after({ type: 'next', next: 0 as Index, size: 60 as Size }), ['cut side from 0 to 49']);
  });

  test('a loss is filled by a recovery, and then the live stream goes on', () => {
    const { driver } = restarted(2);
    assert.deepEqual(driver.after({ type: 'side', kind: 'recover', from: 2 as Index, through: 4 as Index, gone: null }), [
      'journal side 2-4',
    ]);
    const number = driver.state.account.records;
    assert.deepEqual(driver.after('all durable'), [`declare ${number}`]);
    assert.deepEqual(driver.after({ type: 'declared', record: number }), ['journal declared', 'ask']);
    assert.deepEqual(driver.after('all durable', { type: 'next', next: 2 as Index, size: 20 as Size }), ['cut side from 2 to 4']);
    assert.deepEqual(driver.after(cut(4)), ['send side 2-4']);
    assert.deepEqual(driver.after(taken(2, 'side')), ['journal taken 2-4', 'journal ended done', 'ask']);
    driver.after('all durable');
    assert.deepEqual(driver.after({ type: 'next', next: 5 as Index, size: 20 as Size }), ['cut live from 5']);
  });
});

test('a loss with nothing to send is told to a destination that keeps its place all the same', () => {
  const first = Driver.opened({ dedupe: 'position' });
  first.after({ type: 'next', next: 0 as Index, size: 9 as Size }, cut(4, 3), taken(0));
  const driver = first.crashed();
  driver.after(
    { type: 'next', next: 4 as Index, size: 9 as Size },
    { type: 'side', kind: 'recover', from: 4 as Index, through: 4 as Index, gone: null },
  );
  driver.after('all durable', ({ state }) => ({ type: 'declared', record: state.declaring }), 'all durable', {
    type: 'next',
    next: 4 as Index,
    size: 9 as Size,
  });
  assert.deepEqual(driver.after(cut(4, 0)), ['send side 4-4']);
});

describe('sending again', () => {
  /** A destination with [0, 4] taken and [5, 9] cut, whose replay of [1, 3] was begun and declared. */
  function replaying(): Driver {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', cut(9), 'all durable', taken(0));
    driver.after({ type: 'side', kind: 'replay', from: 1 as Index, through: 3 as Index, gone: null });
    return driver;
  }

  test('waits for its control entry and for what is in flight; the live stream waits then, and its cursor stays', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    assert.deepEqual(driver.after('all durable'), [`declare ${began}`, 'send live 5-9', 'cut live from 10 ahead']);
    assert.deepEqual(driver.after({ type: 'declared', record: began }, 'all durable'), []);
    assert.deepEqual(driver.after(taken(5)), ['journal taken 5-9', 'cut side from 1 to 3']);
    assert.deepEqual(driver.after(cut(3), 'all durable'), ['send side 1-3']);
    assert.equal(driver.state.account.live.cursor, 10);
    assert.deepEqual(driver.after(taken(1, 'side')), ['journal taken 1-3', 'journal ended done', 'cut live from 10']);
    assert.equal(driver.state.account.live.cursor, 10);
    assert.equal(driver.state.account.outbox[0]?.type, 'replay.ended');
    assert.equal(driver.state.account.outbox[0]?.facts['entries'], 3);
  });

  test('lets the live stream cut nothing new while it waits for what is in flight', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable');
    assert.deepEqual(driver.after({ type: 'declared', record: began }), ['journal declared', 'cut nothing']);
    driver.after('all durable', lostAnswer(5));
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['send live 5-9 again'], 'what is in doubt goes first');
  });

  test('ends after a crash that came between its last batch and its end', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable', taken(5), { type: 'declared', record: began }, 'all durable', cut(3), 'all durable', taken(1, 'side'));
    assert.equal(driver.records.at(-1)?.type, 'ended');
    const next = driver.crashed(driver.records.length - 1);
    assert.equal(next.state.account.side, null);
    assert.deepEqual(next.after('all durable'), [`declare ${next.state.account.records}`]);
    assert.equal(next.state.order?.from, 10);
  });

  test('goes on after a crash with the batch in doubt', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable', taken(5), { type: 'declared', record: began }, 'all durable', cut(2), 'all durable');
    const next = driver.crashed();
    assert.deepEqual(
      next.state.side.map(({ from, doubt }) => [from, doubt]),
      [[1, true]],
    );
  });

  test('an entry that is refused ends it, and not the live stream', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable', taken(5), { type: 'declared', record: began }, 'all durable', cut(1), 'all durable');
    assert.deepEqual(driver.after(refusal(1, 1, { lane: 'side' })), ['journal ended refused', 'cut live from 10']);
    assert.equal(driver.state.halted, null);
  });

  test('is cancelled after what is in flight', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable', taken(5), { type: 'declared', record: began }, 'all durable', cut(2), 'all durable');
    assert.deepEqual(driver.after({ type: 'cancel' }), []);
    assert.deepEqual(driver.after(failed(1, 'SINK_BUSY', { lane: 'side' })), ['journal ended cancelled', 'cut live from 10']);
  });
});
