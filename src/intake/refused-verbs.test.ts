import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { entriesOf, openTestIntake, type TestIntake } from '../../test/doubles/open-test-intake.ts';
import { discardRefused, retryRefused } from './refused-verbs.ts';

const never = new AbortController().signal;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const place = (position: string | null, source = 'plain', nth = 0) => ({
  source,
  partition: 'p',
  position,
  nth,
  reason: 'EVENT_FIELD_MISSING',
  message: 'no',
  at: 7,
});
const told = (it: TestIntake) => entriesOf(it.ledger).map(({ source, event }) => (source === 'waybill' ? event['type'] : source));

describe('refused events', () => {
  test('are taken in again once for every place, then declared and removed', async () => {
    const it = await openTestIntake();
    const name = await it.intake.refused.keep(Buffer.from('{"a":1}'), place('1'));
    await it.intake.refused.keep(Buffer.from('{"a":1}'), place('1', 'plain', 1));
    await it.intake.refused.keep(Buffer.from('{"a":1}'), place('2'));
    assert.deepEqual(await retryRefused(it.intake, name, never), { sha256: name, accepted: 3, duplicates: 0, entries: [0, 1, 2] });
    assert.deepEqual(told(it), ['plain', 'plain', 'plain', 'refused.retried']);
    assert.equal(it.intake.refused.count(), 0);
    await assert.rejects(retryRefused(it.intake, name, never), { code: 'REFUSED_UNKNOWN' });
  });

  test('a crash at any moment of it repeats nothing', async () => {
    for (let flushes = 0; flushes < 5; flushes++) {
      let it = await openTestIntake();
      const name = await it.intake.refused.keep(Buffer.from('{"a":1}'), place('1'));
      await it.intake.refused.keep(Buffer.from('{"a":1}'), place('2'));
      it.ledger.hold();
      const first = retryRefused(it.intake, name, never);
      first.catch(() => undefined);
      for (let k = 0; k < flushes; k++) {
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
        it.ledger.flush();
      }
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      it = await it.crash();
      if (it.intake.refused.count() > 0) await retryRefused(it.intake, name, never);
      assert.deepEqual(told(it), ['plain', 'plain', 'refused.retried'], `after ${flushes} flushes`);
      assert.equal(it.intake.refused.count(), 0);
    }
  });

  test('the same bytes refused again later are other events', async () => {
    const it = await openTestIntake();
    for (const position of ['1', '2']) {
      const name = await it.intake.refused.keep(Buffer.from('{"a":1}'), place(position));
      await retryRefused(it.intake, name, never);
    }
    assert.deepEqual(told(it), ['plain', 'refused.retried', 'plain', 'refused.retried']);
  });

  test('what is still wrong is said, and changes nothing', async () => {
    const it = await openTestIntake();
    const name = await it.intake.refused.keep(Buffer.from('not json'), place('1'));
    await assert.rejects(retryRefused(it.intake, name, never), { code: 'EVENTS_INVALID', message: /still refused: EVENT_NOT_JSON/ });
    const gone = await it.intake.refused.keep(Buffer.from('{}'), place('1', 'nobody'));
    await assert.rejects(retryRefused(it.intake, gone, never), { code: 'SOURCE_UNKNOWN' });
    const unknown = await it.intake.refused.keep(Buffer.from('{"u":1}'));
    await assert.rejects(retryRefused(it.intake, unknown, never), { code: 'COMMAND_REFUSED' });
    assert.deepEqual([it.intake.refused.count(), it.ledger.size()], [3, 0]);
  });

  test('what is an entry already is a duplicate', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}']);
    const name = await it.intake.refused.keep(Buffer.from('{"id":"a"}'), place('1', 'app'));
    assert.deepEqual(await retryRefused(it.intake, name, never), { sha256: name, accepted: 0, duplicates: 1, entries: [0] });
  });

  test('are given up with a declaration', async () => {
    const it = await openTestIntake();
    const name = await it.intake.refused.keep(Buffer.from('bad'), place('1'));
    assert.equal((await discardRefused(it.intake, name)).sha256, sha256('bad'));
    const [entry] = entriesOf(it.ledger);
    assert.deepEqual(entry?.event, { type: 'refused.discarded', sha256: name, bytes: 3, places: 1, sources: 'plain' });
    await assert.rejects(discardRefused(it.intake, name), { code: 'REFUSED_UNKNOWN' });
  });
});
