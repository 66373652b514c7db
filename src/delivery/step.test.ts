import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cut, Driver, failed, lostAnswer, RULES, refusal, taken } from '../../test/doubles/delivery-driver.ts';
import { BrokenInvariant } from '../contracts/assert.ts';
import type { Index, Size } from '../contracts/units.ts';
import { newAccount } from './account.ts';
import { accountText, fold } from './fold.ts';
import { recordsText } from './records.ts';
import type { DeliveryEvent, Fault } from './state.ts';
import { openState } from './step.ts';

describe('a destination begins', () => {
  test('it opens the sink, and sends something, only once where it begins is durable', () => {
    const driver = new Driver({}, openState(newAccount(0 as Index, 1), 0));
    assert.deepEqual(driver.after({ type: 'begin' }), []);
    assert.deepEqual(driver.after('all durable'), ['open']);
    assert.deepEqual(driver.after(driver.open()), ['journal epoch']);
    assert.deepEqual(driver.after('all durable'), ['cut live from 0']);
  });

  test('one that keeps its place is asked first', () => {
    const driver = new Driver({ dedupe: 'position' });
    assert.deepEqual(driver.after({ type: 'begin' }, driver.open()), ['journal epoch', 'ask']);
    assert.deepEqual(driver.after('all durable'), []);
    assert.deepEqual(driver.after({ type: 'next', next: 0 as Index, size: 9 as Size }), ['cut live from 0']);
  });

  test('a sink that cannot be opened is tried again', () => {
    const driver = new Driver();
    driver.after({ type: 'begin' });
    const fault: Fault = { code: 'SINK_UNREACHABLE', message: 'refused', remedy: 'retry', unknown: false };
    assert.deepEqual(driver.after({ type: 'lost', what: 'open', fault, retryAfterMs: 0 }), ['back off 1']);
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['open']);
    const halt: Fault = { ...fault, code: 'SINK_UNAUTHORIZED', remedy: 'halt' };
    assert.deepEqual(driver.after({ type: 'lost', what: 'open', fault: halt, retryAfterMs: 0 }), []);
    assert.deepEqual(driver.after({ type: 'retry' }), ['open']);
  });
});

describe('one batch after the other', () => {
  test('the intent is durable before the batch sets out, and what was taken before the next one does', () => {
    const driver = Driver.opened({ dedupe: 'none' });
    assert.deepEqual(driver.after(cut(4)), ['journal intent 0-4']);
    assert.deepEqual(driver.after('all durable'), ['send live 0-4', 'cut live from 5 ahead']);
    assert.deepEqual(driver.after(cut(9)), ['journal intent 5-9']);
    assert.deepEqual(driver.after('all durable'), []);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-4']);
    assert.deepEqual(driver.after('all durable'), ['send live 5-9', 'cut live from 10 ahead']);
  });

  test('an order that is wanted now keeps its number', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    const ahead = driver.state.order;
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-4', 'cut live from 5']);
    assert.equal(driver.state.order?.number, ahead?.number);
  });

  test('one that keeps its place needs no intent and does not wait for the journal', () => {
    const driver = Driver.opened({ dedupe: 'position' });
    driver.after({ type: 'next', next: 0 as Index, size: 9 as Size });
    assert.deepEqual(driver.after(cut(4)), ['send live 0-4', 'cut live from 5 ahead']);
    assert.deepEqual(driver.after(cut(9)), []);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-4', 'send live 5-9', 'cut live from 10 ahead']);
  });

  test('a cut for an order that was withdrawn changes nothing', () => {
    const driver = Driver.opened();
    const late = cut(4)(driver);
    assert.deepEqual(driver.after({ type: 'pause' }), ['journal paused', 'cut nothing']);
    assert.deepEqual(driver.after(late), []);
    assert.deepEqual(driver.state.live, []);
  });
});

describe('a failed attempt', () => {
  test('is made again as it was, after a back-off that grows', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    assert.deepEqual(driver.after(failed(0, 'SINK_BUSY')), ['back off 1', 'cut nothing']);
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['send live 0-4', 'cut live from 5 ahead']);
    assert.deepEqual(driver.after(failed(0, 'SINK_BUSY')), ['back off 2', 'cut nothing']);
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), [], 'a back-off that is over ends nothing');
    assert.deepEqual(driver.after({ type: 'due', number: 2 }, taken(0), 'all durable'), []);
    assert.equal(driver.state.failures, 0);
  });

  test('with an unknown outcome makes a repeat possible, which is counted where it is kept', () => {
    const driver = Driver.opened({ dedupe: 'none' });
    driver.after(cut(4), 'all durable', lostAnswer(0));
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['send live 0-4 again', 'cut live from 5 ahead']);
    driver.after(taken(0));
    assert.equal(driver.state.account.repeats, 1);
  });

  test('is resolved by the destination where it keeps its place', () => {
    const driver = Driver.opened({ dedupe: 'position' });
    driver.after({ type: 'next', next: 0 as Index, size: 9 as Size }, cut(4), cut(8), lostAnswer(0));
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['ask']);
    assert.deepEqual(driver.after({ type: 'next', next: 5 as Index, size: 9 as Size }), ['journal adopted 0-4', 'cut live from 5']);
    assert.equal(driver.state.account.live.cursor, 5);
  });

  test('with a verdict for a person halts, and goes on where it stopped', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    assert.deepEqual(driver.after(failed(0, 'SINK_UNAUTHORIZED', { remedy: 'halt' })), ['cut nothing']);
    assert.equal(driver.state.halted?.code, 'SINK_UNAUTHORIZED');
    assert.deepEqual(driver.after({ type: 'retry' }), ['send live 0-4', 'cut live from 5 ahead']);
  });

  test('of several in flight lets the others come back, begins none, and then goes on in order', () => {
    const driver = Driver.opened({ inFlight: 3 });
    driver.after(cut(0), cut(1), cut(2), 'all durable');
    assert.deepEqual(
      driver.state.live.map(({ phase }) => phase),
      ['flying', 'flying', 'flying'],
    );
    assert.deepEqual(driver.after(failed(1, 'SINK_BUSY')), ['cut nothing']);
    assert.deepEqual(driver.after(taken(2)), ['journal taken 2-2']);
    assert.deepEqual(driver.after(lostAnswer(0)), ['back off 1']);
    assert.deepEqual(driver.after('all durable', { type: 'due', number: 1 }), ['send live 0-0 again', 'send live 1-1', 'cut live from 3']);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-0']);
    assert.deepEqual(driver.after(taken(1)), ['journal taken 1-1']);
    assert.equal(driver.state.account.live.cursor, 3);
  });

  test('stays in doubt once one attempt had an unknown outcome, whatever the next ones say', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', lostAnswer(0), { type: 'due', number: 1 }, failed(0, 'SINK_BUSY'));
    assert.deepEqual(driver.after({ type: 'due', number: 2 }), ['send live 0-4 again', 'cut live from 5 ahead']);
  });

  test('whose bytes cannot be made again is not sent as something else, until a person says so', () => {
    const driver = Driver.opened({ dedupe: 'none' });
    driver.after(cut(4), 'all durable', lostAnswer(0), { type: 'due', number: 1 });
    const fault: Fault = { code: 'BATCH_CHANGED', message: 'other bytes', remedy: 'halt', unknown: false };
    assert.deepEqual(driver.after({ type: 'unmade', lane: 'live', from: 0 as Index, fault }), ['cut nothing']);
    assert.deepEqual(driver.after({ type: 'retry' }), ['journal withdrawn 0', 'cut live from 0']);
    assert.equal(driver.state.account.repeats, 1);
  });
});

describe('after a crash', () => {
  test('the batch in flight goes again, under its own configuration; the one that was only cut as well', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', cut(9), 'all durable');
    const next = driver.crashed();
    assert.deepEqual(
      next.state.live.map(({ from, doubt }) => [from, doubt]),
      [
        [0, true],
        [5, false],
      ],
    );
    assert.deepEqual(next.after('all durable'), [], 'it was sent already by being opened');
    assert.equal(next.state.live[0]?.phase, 'flying');
    next.after(taken(0));
    assert.deepEqual(next.after('all durable'), ['send live 5-9', 'cut live from 10 ahead']);
  });

  test('an outcome that was not durable is not known', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', taken(0));
    assert.equal(driver.crashed().state.account.live.cursor, 5);
    assert.equal(driver.crashed(driver.records.length - 1).state.account.live.cursor, 0);
  });

  test('a new configuration begins after the last intent', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    const account = fold(null, [recordsText(1, driver.records)]);
    assert.ok(account !== null);
    const next = new Driver({}, openState(account, account.records));
    next.after({ type: 'begin' }, { type: 'opened', rules: RULES, format: 'ocsf', control: 'own', name: 'lake' }, 'all durable');
    assert.equal(next.state.live[0]?.epoch, 0);
    assert.equal(next.state.order?.epoch, 1);
    next.after(taken(0), 'all durable', cut(9));
    assert.equal(next.state.live[0]?.epoch, 1);
  });

  test('intents of a configuration that needed them end where the destination keeps its place', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    const next = driver.crashed(undefined, { dedupe: 'position' });
    assert.deepEqual(next.records.at(-1), { type: 'withdrawn', lane: 'live', from: 0, doubt: false });
    next.after('all durable');
    assert.deepEqual(next.after({ type: 'next', next: 5 as Index, size: 9 as Size }), ['journal adopted 0-4', 'cut live from 5']);
  });

  test('what is in doubt stays so when fewer may be in flight', () => {
    const driver = Driver.opened({ inFlight: 3 });
    driver.after(cut(0), cut(1), cut(2), 'all durable');
    const narrower = driver.crashed(undefined, { inFlight: 1 });
    assert.equal(narrower.state.account.inFlight, 3);
    assert.deepEqual(
      narrower.crashed().state.live.map(({ doubt }) => doubt),
      [true, true, true],
    );
  });
});

describe('an operator', () => {
  test('pauses and resumes; a pause outlives the process', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    assert.deepEqual(driver.after({ type: 'pause' }), ['journal paused', 'cut nothing']);
    assert.deepEqual(driver.after(taken(0), 'all durable'), []);
    const next = driver.crashed();
    assert.deepEqual(next.after('all durable'), []);
    assert.deepEqual(next.after({ type: 'resume', beginning: 0 as Index }), ['journal resumed', 'cut live from 5']);
  });

  test('cuts a back-off short', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', failed(0, 'SINK_BUSY'));
    assert.deepEqual(driver.after({ type: 'retry' }), ['send live 0-4', 'cut live from 5 ahead']);
    assert.equal(driver.state.failures, 0);
  });

  test('drains: what is in flight comes back, and nothing more begins', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', cut(9), 'all durable');
    assert.deepEqual(driver.after({ type: 'drain' }), []);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-4']);
    assert.deepEqual(driver.after('all durable'), []);
  });
});

describe('promises to itself', () => {
  test('an answer for a batch that is not in flight is a broken invariant', () => {
    const driver = Driver.opened();
    assert.throws(() => driver.after(taken(0)), BrokenInvariant);
  });

  test('so is a cut beyond what was ordered', () => {
    const driver = Driver.opened();
    driver.after(cut(7), 'all durable', refusal(0, 3));
    const { order } = driver.state;
    assert.ok(order !== null);
    assert.throws(() => driver.after({ ...cut(3)(driver), through: -1 as Index } as DeliveryEvent), BrokenInvariant);
  });

  test('the account is plain data that survives its own text', () => {
    const driver = Driver.opened({ onReject: 'quarantine' });
    driver.after(cut(0), 'all durable', refusal(0, 0), 'all durable', cut(2, 2, [0]), 'all durable', taken(0));
    assert.deepEqual(fold(accountText(driver.state.account), []), driver.state.account);
  });
});
