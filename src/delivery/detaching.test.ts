import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cut, Driver, failed, lostAnswer, taken } from '../../test/doubles/delivery-driver.ts';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { caughtUp, DeliveryWorld, until } from '../../test/doubles/delivery-world.ts';
import type { Index, Size } from '../contracts/units.ts';
import { neededFrom } from './account.ts';
import type { Rules, TargetChoice } from './state.ts';
import { refuseVerb } from './verbs.ts';

const detach = (through: number) => ({ type: 'detach', through: through as Index }) as const;
const resume = (beginning: number) => ({ type: 'resume', beginning: beginning as Index }) as const;

function gaps({ state }: Driver): unknown[] {
  return state.account.outbox.filter(({ type }) => type === 'destination.detached').map(({ facts }) => facts);
}

describe('what the ledger lets go of', () => {
  test('is declared once, and nothing is sent until an operator acts', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', failed(0, 'SINK_BUSY'));
    assert.deepEqual(driver.after(detach(9), 'all durable'), ['declare 5']);
    assert.deepEqual(gaps(driver), [{ from: 0, through: 9, count: 10 }]);
    assert.equal(driver.state.account.detached?.held, true);
    assert.equal(neededFrom(driver.state.account), null);
    assert.deepEqual(driver.after({ type: 'retry' }, { type: 'due', number: 1 }), []);
    assert.equal(refuseVerb(driver.state, { type: 'retry' }, 10 as Index, 20 as Size)?.code, 'COMMAND_REFUSED');
  });

  test('waits for what is in flight, which may be all of it', () => {
    const driver = Driver.opened();
    driver.after(cut(9), 'all durable');
    assert.deepEqual(driver.after(detach(4)), ['cut nothing']);
    driver.after(taken(0));
    assert.equal(driver.state.account.detached, null);
    assert.equal(driver.state.detaching, null);
    assert.deepEqual(gaps(driver), []);
  });

  test('goes on behind the gap, and the next batch accounts for it', () => {
    const driver = Driver.opened();
    driver.after(detach(9), 'all durable', ({ state }) => ({ type: 'declared', record: state.declaring }), 'all durable');
    driver.after(resume(10), 'all durable');
    assert.equal(driver.state.order?.from, 0);
    assert.equal(driver.state.order.gone, 9);
    assert.equal(neededFrom(driver.state.account), 10);
    driver.after(cut(14, 5), 'all durable', taken(0));
    assert.equal(driver.state.account.live.cursor, 15);
    assert.equal(driver.state.account.detached, null);
  });

  test('grows while nobody acts: the rest is declared when the destination goes on', () => {
    const driver = Driver.opened();
    driver.after(detach(9), detach(19), resume(25));
    assert.deepEqual(gaps(driver), [
      { from: 0, through: 9, count: 10 },
      { from: 10, through: 24, count: 15 },
    ]);
    assert.deepEqual(driver.state.account.detached, { through: 24, held: false });
  });

  test('grows over a batch that was cut behind it, which can never be made again', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', cut(9), 'all durable', failed(0, 'SINK_BUSY'), detach(4), 'all durable');
    assert.deepEqual(
      driver.state.live.map(({ from }) => from),
      [5],
    );
    driver.after(resume(20), 'all durable', ({ state }) => ({ type: 'declared', record: state.declaring }), 'all durable');
    assert.deepEqual(driver.state.live, []);
    assert.deepEqual([driver.state.order?.from, driver.state.order?.gone, driver.state.order?.limit], [0, 19, null]);
    driver.after(cut(24, 5), 'all durable', taken(0));
    assert.equal(driver.state.account.live.cursor, 25);
  });

  test('can happen again before anything was sent', () => {
    const driver = Driver.opened();
    driver.after(detach(9), resume(10), detach(12));
    assert.deepEqual(gaps(driver)[1], { from: 10, through: 12, count: 3 });
  });

  const kinds: readonly Rules['dedupe'][] = ['position', 'key', 'none'];
  for (const dedupe of kinds) {
    test(`ends a batch in doubt (${dedupe})`, () => {
      const driver = Driver.opened({ dedupe });
      if (dedupe === 'position') driver.after({ type: 'next', next: 0 as Index, size: 20 as Size });
      driver.after(cut(4), 'all durable', lostAnswer(0), detach(2));
      assert.equal(driver.state.account.live.open.length, 0);
      assert.equal(driver.state.account.repeats, dedupe === 'position' ? 0 : 1, 'entries 3 and 4 may be there twice');
      assert.deepEqual(gaps(driver), [{ from: 0, through: 2, count: 3 }]);
    });
  }

  test('does not declare as lost what was taken out of turn', () => {
    const driver = Driver.opened({ inFlight: 2 });
    driver.after(cut(4), 'all durable', cut(9), 'all durable', taken(5), failed(0, 'SINK_BUSY'), detach(12));
    assert.deepEqual(gaps(driver), [{ from: 0, through: 12, count: 8 }]);
    driver.after('all durable', { type: 'declared', record: driver.state.account.outbox[0]?.record ?? 0 }, resume(13), 'all durable');
    assert.deepEqual([driver.state.order?.from, driver.state.order?.limit, driver.state.order?.gone], [0, 4, 12]);
    driver.after(cut(4, 0));
    assert.equal(driver.state.account.live.cursor, 10);
  });

  test('ends a stream of old entries', () => {
    const driver = Driver.opened();
    driver.after(cut(9), 'all durable', taken(0), 'all durable');
    driver.after({ type: 'side', kind: 'replay', from: 0 as Index, through: 5 as Index, gone: null }, detach(12));
    assert.equal(driver.state.account.side, null);
    assert.equal(driver.state.account.detached?.through, 12);
  });

  test('survives a crash at any record', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', failed(0, 'SINK_BUSY'), detach(9));
    for (let durable = 4; durable <= driver.records.length; durable++) {
      const again = driver.crashed(durable);
      again.after(detach(9), 'all durable');
      assert.deepEqual(again.state.account.detached, { through: 9, held: true });
      assert.equal(gaps(again).length, 1);
    }
  });

  test('reaches a destination as a batch that says so', async () => {
    const world = new DeliveryWorld();
    await world.fill(20);
    const model = new ModelDestination({ dedupe: 'position' });
    model.script.push('miss');
    const destination = world.open(model);
    await until(world, () => model.attempts.length > 0, 'a batch was tried');
    assert.equal(await destination.detach(11 as Index), true);
    assert.equal(destination.status().state, 'detached');
    assert.equal(destination.status().error?.code, 'DESTINATION_DETACHED');
    assert.match(destination.status().error?.action ?? '', /waybill resume/);
    await destination.close();
    const next = world.open(model);
    await next.resume();
    await caughtUp(world, next);
    const [first] = model.taken;
    assert.deepEqual([first?.from, first?.omitted.detached, first?.count], [0, 12, 9]);
    assert.deepEqual(model.indexes().slice(0, 2), [12, 13]);
    assert.equal(world.control.filter(({ type }) => type === 'destination.detached').length, 1);
    await next.close();
  });
});

describe('another target', () => {
  const target = (text: string, changed: TargetChoice['changed'] = null, start = 0): TargetChoice => ({
    text,
    changed,
    start: start as Index,
  });

  /** A life of a destination that has taken ten entries at A. */
  function atA(): Driver {
    const driver = new Driver();
    driver.after({ type: 'begin', target: target('A') }, 'all durable', driver.open(), 'all durable', cut(9), 'all durable', taken(0));
    driver.after('all durable', cut(12), 'all durable');
    return driver;
  }

  test('stops a destination until the configuration says what to do', () => {
    const driver = atA().crashed(undefined, {}, target('B'));
    assert.equal(driver.state.halted?.code, 'TARGET_CHANGED');
    assert.match(driver.state.halted.message, /wrote to A, and is now to write to B/);
    assert.equal(driver.state.opening, false);
    assert.equal(refuseVerb(driver.state, { type: 'retry' }, 0 as Index, 20 as Size)?.code, 'COMMAND_REFUSED');
    const back = driver.crashed(undefined, {}, target('A'));
    assert.equal(back.state.halted, null);
  });

  test('goes on at the cursor', () => {
    const driver = atA().crashed(undefined, {}, target('B', 'continue'));
    assert.equal(driver.state.account.live.cursor, 10);
    assert.equal(driver.state.account.live.open.length, 1, 'what is in doubt ends as it was cut');
    assert.equal(driver.state.account.acknowledged, false);
    assert.deepEqual(driver.state.account.outbox.at(-1)?.facts, { change: 'continue', cursor: 10, before: 'A', target: 'B' });
  });

  test('begins anew', () => {
    const driver = atA().crashed(undefined, {}, target('B', 'restart', 3));
    assert.equal(driver.state.account.live.cursor, 3);
    assert.equal(driver.state.account.live.open.length, 0);
    assert.equal(driver.state.live.length, 0);
  });

  test('takes a word once, at a crash as well as at a later change', () => {
    const restarted = atA().crashed(undefined, {}, target('B', 'restart'));
    restarted.after('all durable', cut(5), 'all durable', taken(0), 'all durable');
    const again = restarted.crashed(undefined, {}, target('B', 'restart'));
    assert.equal(again.state.account.live.cursor, 6, 'it does not begin anew a second time');
    const third = again.crashed(undefined, {}, target('C', 'restart'));
    assert.equal(third.state.halted?.code, 'TARGET_CHANGED');
    assert.match(third.state.halted.message, /has acted once already/);
    const away = again.crashed(undefined, {}, target('B'));
    const meant = away.crashed(undefined, {}, target('C', 'restart'));
    assert.equal(meant.state.account.live.cursor, 0);
    assert.equal(again.crashed(undefined, {}, target('C', 'continue')).state.halted, null, 'another word is a new word');
    const without = third.crashed(undefined, {}, target('C'));
    assert.equal(without.state.halted?.code, 'TARGET_CHANGED');
    without.after('all durable');
    assert.equal(without.crashed(undefined, {}, target('C', 'restart')).state.account.live.cursor, 0, 'it was away in between');
  });

  test('is not opened before the journal knows it', () => {
    const driver = atA();
    const account = driver.crashed(undefined, {}, target('B', 'continue'), false);
    assert.equal(account.state.opening, false);
    account.after('all durable');
    assert.equal(account.state.opening, true);
  });
});
