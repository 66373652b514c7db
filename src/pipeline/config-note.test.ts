import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualPorts } from '../../test/doubles/manual-ports.ts';
import { entriesOf, openTestIntake, type TestIntake } from '../../test/doubles/open-test-intake.ts';
import { WaybillError } from '../contracts/errors.ts';
import { CHANGED_MAX, openConfigNote } from './config-note.ts';

const FIRST = { ledger: { path: './data' }, destinations: { lake: { type: 'http', secret: '(hidden)' } } };
const SECOND = { ledger: { path: './data' }, destinations: { lake: { type: 'http', secret: '(hidden)', timeout: '5s' }, more: {} } };

function noteOf({ ledger, intake }: TestIntake) {
  return openConfigNote(ledger.journal, intake, manualPorts().log);
}

function eventsOf({ ledger }: TestIntake): Record<string, unknown>[] {
  return entriesOf(ledger).map(({ event }) => event);
}

describe('the note of the configuration', () => {
  test('is no entry at the first start, nor at a start with the same values in another order', async () => {
    const first = await openTestIntake();
    await noteOf(first).note(FIRST, { how: 'start' });
    const second = await first.crash();
    await noteOf(second).note({ destinations: FIRST.destinations, ledger: FIRST.ledger }, { how: 'start' });
    assert.deepEqual(eventsOf(second), []);
  });

  test('names what changed, who changed it, and no value', async () => {
    const it = await openTestIntake();
    const note = noteOf(it);
    await note.note(FIRST, { how: 'start' });
    await note.note(SECOND, { how: 'request', name: 'ops' });
    await note.note(SECOND, { how: 'signal' }, ['destinations.lake.secret']);
    await note.note(FIRST, { how: 'signal' });
    const events = eventsOf(it);
    assert.deepEqual(
      events.map(({ type, by, token, changed, changed_count }) => ({ type, by, token, changed, changed_count })),
      [
        { type: 'config', by: 'request', token: 'ops', changed: ['destinations.lake.timeout', 'destinations.more'], changed_count: 2 },
        { type: 'config', by: 'signal', token: undefined, changed: ['destinations.lake.secret'], changed_count: 1 },
        { type: 'config', by: 'signal', token: undefined, changed: ['destinations.lake.timeout', 'destinations.more'], changed_count: 2 },
      ],
    );
    assert.equal(events[0]?.['sha256'], events[1]?.['sha256']);
    assert.notEqual(events[1]?.['sha256'], events[2]?.['sha256']);
    assert.doesNotMatch(JSON.stringify(events), /5s|hidden/);
  });

  test('is written once, also when the process dies before it is remembered', async () => {
    const first = await openTestIntake();
    const note = noteOf(first);
    await note.note(FIRST, { how: 'start' });
    const append = first.ledger.journal.append.bind(first.ledger.journal);
    first.ledger.journal.append = async (key, record) => {
      if (key === 'config') throw new WaybillError('LEDGER_FULL', 'no room');
      return append(key, record);
    };
    await note.note(SECOND, { how: 'signal' });
    const second = await first.crash();
    await noteOf(second).note(SECOND, { how: 'start' });
    assert.equal(eventsOf(second).length, 1);
    await noteOf(second).note(FIRST, { how: 'start' });
    assert.deepEqual(
      eventsOf(second).map(({ by }) => by),
      ['signal', 'start'],
    );
  });

  test('is made up for by the next one when there was no room for it, and survives a snapshot', async () => {
    const first = await openTestIntake();
    await noteOf(first).note(FIRST, { how: 'start' });
    first.ledger.snapshot();
    const reserve = first.ledger.reserve.bind(first.ledger);
    first.ledger.reserve = async () => {
      throw new WaybillError('LEDGER_FULL', 'no room');
    };
    const note = noteOf(first);
    await note.note(SECOND, { how: 'signal' });
    assert.deepEqual(eventsOf(first), []);
    first.ledger.reserve = reserve;
    await note.note(SECOND, { how: 'signal' });
    assert.equal(eventsOf(first).length, 1);
    first.ledger.snapshot();
    const second = await first.crash();
    await noteOf(second).note(SECOND, { how: 'start' });
    assert.equal(eventsOf(second).length, 1);
  });

  test('stays small, however much there is', async () => {
    const it = await openTestIntake();
    const note = noteOf(it);
    const large = (value: string) => Object.fromEntries(Array.from({ length: 5_000 }, (_, k) => [`destination-${k}`, value]));
    await note.note(large('a'), { how: 'start' });
    await note.note(large('b'), { how: 'signal' }, [`destinations.${'x'.repeat(10_000)}`]);
    await note.note({ one: 1 }, { how: 'signal' });
    const [first, second] = eventsOf(it);
    assert.deepEqual(first?.['changed'], [`destinations.${'x'.repeat(187)}`]);
    assert.deepEqual(second?.['changed'], []);
    await note.note(Object.fromEntries(Array.from({ length: 300 }, (_, k) => [`k${k}`, k])), { how: 'signal' });
    const third = eventsOf(it)[2];
    assert.ok(Array.isArray(third?.['changed']) && third['changed'].length === CHANGED_MAX);
    assert.equal(third?.['changed_count'], 301);
  });

  test('of a later version is not guessed', async () => {
    const it = await openTestIntake();
    await it.ledger.journal.append('config', '{"v":2}');
    assert.throws(() => noteOf(it), { code: 'JOURNAL_INVALID' });
  });
});
