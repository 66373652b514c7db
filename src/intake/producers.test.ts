import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { settle } from '../../test/doubles/manual-ports.ts';
import type { TestIntake } from '../../test/doubles/open-test-intake.ts';
import { entriesOf, openTestIntake } from '../../test/doubles/open-test-intake.ts';
import { createNames } from './names.ts';
import type { GapFacts } from './producers.ts';
import { createProducers, producerKey } from './producers.ts';

/** No source was ever renamed. */
const NAMES = createNames([]);

let next = 0;
const always = () => Number.MAX_SAFE_INTEGER;

/** An event with a number of producer `p`. */
function event(seq: number, { id = `e${next++}`, epoch = 1, producer = 'p' } = {}): string {
  const actor = { type: 'user', id: 'u' };
  return JSON.stringify({
    id,
    occurred_at: '2026-01-01T00:00:00Z',
    action: 'a.b',
    outcome: 'success',
    actor,
    producer: { id: producer, epoch, seq },
  });
}

function controls({ ledger }: TestIntake): unknown[] {
  return entriesOf(ledger)
    .filter(({ source }) => source === 'waybill')
    .map(({ event: { type, from, through } }) => [type, from, through]);
}

/** Lets the declarer look until everything is due that was open now. */
async function passGapAfter({ ports }: TestIntake): Promise<void> {
  for (let step = 0; step < 10; step++) await ports.clock.pass(3_750);
}

describe('producers: gaps', () => {
  test('a hole that stays open is declared once', async () => {
    const it = await openTestIntake();
    await it.send('audit', [event(0), event(1), event(5)]);
    await it.ports.clock.pass(20_000);
    assert.deepEqual(controls(it), []);
    await passGapAfter(it);
    await passGapAfter(it);
    assert.deepEqual(controls(it), [['producer.gap', 2, 4]]);
    const gap = entriesOf(it.ledger).at(-1)?.event;
    assert.deepEqual(gap, { type: 'producer.gap', source: 'audit', producer: 'p', epoch: 1, from: 2, through: 4 });
  });

  test('a hole that is filled in time is nothing', async () => {
    const it = await openTestIntake();
    await it.send('audit', [event(10), event(13)]);
    await it.send('audit', [event(12)]);
    await it.send('audit', [event(11)]);
    await it.send('audit', [event(9)]);
    await passGapAfter(it);
    assert.deepEqual(controls(it), []);
    assert.deepEqual(it.intake.status().producers, { tracked: 1, openRanges: 0, notTracked: 0 });
  });

  test('numbers that come before the first that was seen are accepted', async () => {
    const it = await openTestIntake();
    await it.send('audit', [event(100), event(101)]);
    assert.equal((await it.send('audit', [event(0), event(1)])).accepted, 2);
    await passGapAfter(it);
    assert.deepEqual(controls(it), [['producer.gap', 2, 99]]);
  });

  test('a declared gap that is filled late is closed once, when its last number has come', async () => {
    const it = await openTestIntake();
    await it.send('audit', [event(0), event(4)]);
    await passGapAfter(it);
    await it.send('audit', [event(2)]);
    await passGapAfter(it);
    assert.deepEqual(controls(it), [['producer.gap', 1, 3]]);
    await it.send('audit', [event(3), event(1)]);
    await passGapAfter(it);
    await passGapAfter(it);
    assert.deepEqual(controls(it), [
      ['producer.gap', 1, 3],
      ['producer.gap_closed', 1, 3],
    ]);
  });

  test('epochs and producers are told apart', async () => {
    const it = await openTestIntake();
    await it.send('audit', [event(0), event(0, { epoch: 2 }), event(0, { producer: 'q\n1' }), event(2, { producer: 'q\n1' })]);
    await passGapAfter(it);
    assert.deepEqual(
      entriesOf(it.ledger)
        .filter(({ source }) => source === 'waybill')
        .map(({ event: { producer, epoch } }) => [producer, epoch]),
      [['q\n1', 1]],
    );
  });

  for (const snapshot of [false, true]) {
    const from = snapshot ? 'from a snapshot and what lies above it' : 'from its entries alone';
    test(`a restart knows what the ledger says, ${from}`, async () => {
      let it = await openTestIntake();
      await it.send('audit', [event(0), event(5)]);
      await passGapAfter(it);
      await it.send('audit', [event(9), event(2)]);
      if (snapshot) await it.snapshot();
      await it.send('audit', [event(7)]);
      it = await it.crash();
      assert.deepEqual(controls(it), [['producer.gap', 1, 4]]);
      await it.send('audit', [event(1), event(3), event(4)]);
      await passGapAfter(it);
      assert.deepEqual(controls(it), [
        ['producer.gap', 1, 4],
        ['producer.gap_closed', 1, 4],
        ['producer.gap', 6, 6],
        ['producer.gap', 8, 8],
      ]);
      it = await it.crash();
      await passGapAfter(it);
      assert.equal(controls(it).length, 4);
    });
  }

  test('what a crash took is not counted, also when a snapshot was written while it was in flight', async () => {
    let it = await openTestIntake();
    await it.send('audit', [event(0)]);
    it.ledger.hold();
    const lost = it.send('audit', [event(1, { id: 'again' })]);
    lost.catch(() => undefined);
    await settle();
    await it.snapshot();
    it = await it.crash();
    const answer = await it.send('audit', [event(1, { id: 'again' })]);
    assert.deepEqual([answer.outcome, answer.accepted], ['accepted', 1]);
  });

  test('a declaration that a crash took is made by the next life, once', async () => {
    let it = await openTestIntake();
    await it.send('audit', [event(0), event(2)]);
    it.ledger.hold();
    await passGapAfter(it);
    assert.equal(it.ledger.assigned(), 3, 'the declaration is in flight, and only once');
    await it.snapshot();
    const reopened = it.ledger.crash();
    it.ledger.release();
    await it.intake.close();
    it = await openTestIntake(reopened, it.identities, it.ports);
    assert.deepEqual(controls(it), []);
    await passGapAfter(it);
    await passGapAfter(it);
    assert.deepEqual(controls(it), [['producer.gap', 1, 1]]);
  });

  test('a gap that finds no room is declared as soon as there is', async () => {
    const it = await openTestIntake();
    await it.send('audit', [event(0), event(2)]);
    it.ledger.limitBytes = 0;
    await passGapAfter(it);
    assert.deepEqual(controls(it), []);
    it.ledger.limitBytes = Number.MAX_SAFE_INTEGER;
    await passGapAfter(it);
    assert.deepEqual(controls(it), [['producer.gap', 1, 1]]);
  });
});

describe('producers: conflicts', () => {
  test('a taken number under another identity is a conflict, durable or in flight or in the same request', async () => {
    const it = await openTestIntake();
    await it.send('audit', [event(0), event(1)]);
    const answer = await it.send('audit', [event(1)]);
    assert.deepEqual([answer.outcome, answer.rejected[0]?.code], ['conflict', 'PRODUCER_SEQ_CONFLICT']);
    assert.equal((await it.send('audit', [event(2), event(2)])).outcome, 'conflict');
    it.ledger.hold();
    const inFlight = it.send('audit', [event(2)]);
    await settle();
    assert.equal((await it.send('audit', [event(2)])).outcome, 'conflict');
    it.ledger.release();
    assert.equal((await inFlight).accepted, 1);
    assert.equal((await it.send('audit', [event(2)])).outcome, 'conflict');
  });

  test('the same event again is a duplicate, not a conflict', async () => {
    const it = await openTestIntake();
    const first = event(0);
    await it.send('audit', [first, event(1)]);
    assert.deepEqual((await it.send('audit', [first, first])).duplicates.length, 2);
  });

  test('a producer that is no longer followed has no conflicts', async () => {
    const it = await openTestIntake();
    await it.send(
      'audit',
      Array.from({ length: 1_002 }, (_, k) => event(k * 2)),
    );
    assert.deepEqual(it.intake.status().producers, { tracked: 1, openRanges: 0, notTracked: 1 });
    assert.equal((await it.send('audit', [event(2), event(2_002)])).accepted, 2);
    await passGapAfter(it);
    assert.deepEqual(controls(it), []);
  });

  test('a refused request takes no number', async () => {
    const it = await openTestIntake();
    await it.send('audit', [event(0)]);
    await it.send('audit', [event(1), '{}']);
    assert.equal((await it.send('audit', [event(1)])).accepted, 1);
  });
});

describe('producers: bounds', () => {
  const gapFacts: GapFacts = { source: 's', producer: 'p', epoch: 0, from: 1, through: 1 };

  test('a producer with too many open ranges is let be, and counted', () => {
    const producers = createProducers(NAMES, { producers: 10, rangesEach: 3, ranges: 100 });
    const key = producerKey('s', 'p', 0);
    for (let seq = 0; seq <= 8; seq += 2) producers.observe(key, seq, 0);
    assert.deepEqual(producers.status(), { tracked: 1, openRanges: 0, notTracked: 1 });
    assert.equal(producers.taken(key, 0), false);
    assert.deepEqual(producers.due(always), []);
    producers.declared({ type: 'producer.gap', facts: gapFacts });
    assert.deepEqual(producers.due(always), []);
  });

  test('the producer that was quiet the longest goes first', () => {
    const producers = createProducers(NAMES, { producers: 2, rangesEach: 3, ranges: 100 });
    producers.observe('s\n0\na', 0, 0);
    producers.observe('s\n0\nb', 0, 0);
    producers.observe('s\n0\na', 2, 0);
    producers.observe('s\n0\nc', 0, 0);
    assert.deepEqual(producers.status(), { tracked: 2, openRanges: 1, notTracked: 1 });
    assert.equal(producers.taken('s\n0\nb', 0), false);
    assert.equal(producers.taken('s\n0\na', 2), true);
    producers.observe('s\n0\nd', 0, 0);
    assert.deepEqual(producers.status(), { tracked: 2, openRanges: 0, notTracked: 2 });
  });

  test('all ranges together are bounded', () => {
    const producers = createProducers(NAMES, { producers: 100, rangesEach: 10, ranges: 3 });
    for (const id of ['a', 'b', 'c', 'd']) {
      producers.observe(`s\n0\n${id}`, 0, 0);
      producers.observe(`s\n0\n${id}`, 2, 0);
    }
    assert.deepEqual(producers.status(), { tracked: 4, openRanges: 3, notTracked: 1 });
  });

  test('taken is exactly what was observed, and what is due is exactly what is missing, across a restore', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(40), { minLength: 1 }), fc.nat(40), (seqs, restoreAt) => {
        const key = producerKey('s', 'p', 3);
        let producers = createProducers(NAMES);
        for (const [place, seq] of seqs.entries()) {
          if (place === restoreAt) {
            const restored = createProducers(NAMES);
            restored.restore(JSON.parse(JSON.stringify(producers.rows())) as ReturnType<typeof producers.rows>, 0);
            producers = restored;
          }
          assert.equal(producers.taken(key, seq), false);
          producers.observe(key, seq, place);
        }
        const [low, high] = [Math.min(...seqs), Math.max(...seqs)];
        const missing = Array.from({ length: high - low + 1 }, (_, k) => low + k).filter((seq) => !seqs.includes(seq));
        const due = producers
          .due(always)
          .flatMap(({ facts: { from, through } }) => Array.from({ length: through - from + 1 }, (_, k) => from + k));
        assert.deepEqual(due, missing);
        for (let seq = 0; seq <= 41; seq++) assert.equal(producers.taken(key, seq), seqs.includes(seq));
        assert.equal(producers.status().openRanges, producers.due(always).length);
      }),
    );
  });
});
