import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { settle } from '../../test/doubles/manual-ports.ts';
import { MemoryIdentities } from '../../test/doubles/memory-identities.ts';
import { MemoryLedger } from '../../test/doubles/memory-ledger.ts';
import { entriesOf, openTestIntake } from '../../test/doubles/open-test-intake.ts';
import { asPosition } from '../contracts/units.ts';

const never = new AbortController().signal;

describe('sequencer: accepting', () => {
  test('appends the events of a submission as one run, in order and byte for byte', async () => {
    const { send, ledger } = await openTestIntake();
    const answer = await send('app', ['{"id":"a", "x" : 1}', '{"id":"b"}', '{"x":2}']);
    assert.deepEqual(answer, { outcome: 'accepted', accepted: 3, firstIndex: 0, size: 3, duplicates: [], rejected: [] });
    const [first = '', second = ''] = ledger.texts();
    assert.equal(
      first,
      '{"v":1,"source":"app","n":0,"partition":null,"position":null,"received_at":"2026-11-24T11:08:09.123Z",' +
        '"id":"a","schema":"json","event":{"id":"a", "x" : 1}}',
    );
    assert.match(second, /^\{"v":1,"source":"app","n":1,/);
    assert.match(entriesOf(ledger)[2]?.id ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('numbers each source by itself, and on from where a restart found it', async () => {
    const before = await openTestIntake();
    await before.send('app', ['{"id":"a"}', '{"id":"b"}']);
    await before.send('other', ['{"id":"a"}']);
    const after = await before.crash();
    await after.send('app', ['{"id":"c"}']);
    const numbers = entriesOf(after.ledger).map(({ source, n }) => `${source} ${n}`);
    assert.deepEqual(numbers, ['app 0', 'app 1', 'other 0', 'app 2']);
  });

  test('counts over the borders of decimal digits within a run', async () => {
    const { send, ledger } = await openTestIntake();
    await send(
      'plain',
      Array.from({ length: 98 }, () => '{}'),
    );
    await send(
      'plain',
      Array.from({ length: 1_100 }, () => '{}'),
    );
    assert.deepEqual(
      entriesOf(ledger).map(({ n }) => n),
      Array.from({ length: 1_198 }, (_, n) => n),
    );
  });

  test('answers only after durability', async () => {
    const { send, ledger } = await openTestIntake();
    ledger.hold();
    let answered = false;
    const sent = send('app', ['{"id":"a"}']).then(() => (answered = true));
    await settle();
    assert.equal(ledger.assigned(), 1);
    assert.equal(answered, false);
    ledger.flush();
    await sent;
  });

  test('takes nothing from an unknown source', async () => {
    const { intake } = await openTestIntake();
    const checked = intake.check('app', Buffer.from('{}\n'), 'lines');
    await assert.rejects(intake.submit({ source: 'nobody', checked, partial: false }, never), { code: 'SOURCE_UNKNOWN' });
  });

  test('appends an empty run where a position moved without an event', async () => {
    const { send, ledger } = await openTestIntake();
    await send('app', ['{"id":"a"}'], { position: asPosition('10'), partition: 'p' });
    const again = await send('app', ['{"id":"a"}'], { position: asPosition('20'), partition: 'p' });
    assert.deepEqual([again.accepted, again.firstIndex, again.duplicates], [0, null, [{ at: 0, index: 0 }]]);
    assert.equal(ledger.positions('app').get('p'), '20');
    assert.equal(ledger.assigned(), 1);
  });

  test('writes positions that hold any character', async () => {
    const { send, ledger } = await openTestIntake();
    const position = asPosition('a"\\\u0001€');
    await send('app', ['{"id":"a"}', '{"id":"b"}'], { position, partition: 'täil"', positions: [position, null] });
    const [first = '', second = ''] = ledger.texts();
    assert.equal((JSON.parse(first) as { position: string }).position, position);
    assert.equal((JSON.parse(second) as { position: null }).position, null);
    const again = await send('app', ['{"id":"b"}', '{"id":"a"}']);
    assert.deepEqual(again.duplicates, [
      { at: 0, index: 1 },
      { at: 1, index: 0 },
    ]);
  });
});

describe('sequencer: all or nothing', () => {
  test('one invalid event refuses all of them, and says which', async () => {
    const { send, ledger } = await openTestIntake();
    const answer = await send('app', ['{"id":"a"}', '{"id":', '{"id":"c"}']);
    assert.deepEqual([answer.outcome, answer.accepted, answer.firstIndex], ['invalid', 0, null]);
    assert.deepEqual(
      answer.rejected.map(({ at, code }) => [at, code]),
      [[1, 'EVENT_NOT_JSON']],
    );
    assert.equal(ledger.assigned(), 0);
    assert.equal((await send('app', ['{"id":"a"}'])).accepted, 1, 'a refused event is not remembered');
  });

  test('partial: the others are accepted and lie in order', async () => {
    const { send, ledger } = await openTestIntake();
    const answer = await send('app', ['{"id":"a"}', '7', '{"id":"c"}', '{"id":"a"}'], { partial: true });
    assert.deepEqual([answer.outcome, answer.accepted, answer.firstIndex], ['accepted', 2, 0]);
    assert.deepEqual(answer.duplicates, [{ at: 3, index: 0 }]);
    assert.deepEqual(
      answer.rejected.map(({ at }) => at),
      [1],
    );
    assert.deepEqual(
      entriesOf(ledger).map(({ id, n }) => [id, n]),
      [
        ['a', 0],
        ['c', 1],
      ],
    );
  });

  test('pushback leaves nothing behind', async () => {
    const { send, ledger } = await openTestIntake();
    ledger.limitBytes = 100;
    await assert.rejects(send('app', ['{"id":"a"}']), { code: 'LEDGER_FULL' });
    ledger.limitBytes = Number.MAX_SAFE_INTEGER;
    const answer = await send('app', ['{"id":"a"}']);
    assert.deepEqual([answer.accepted, answer.duplicates], [1, []]);
  });

  test('an aborted submission that has no place leaves nothing behind', async () => {
    const { intake, send, ledger } = await openTestIntake();
    const checked = intake.check('app', Buffer.from('{"id":"a"}\n'), 'lines');
    await assert.rejects(intake.submit({ source: 'app', checked, partial: false }, AbortSignal.abort(new Error('gone'))), /gone/);
    assert.equal(ledger.assigned(), 0);
    assert.equal((await send('app', ['{"id":"a"}'])).accepted, 1);
  });

  test('once another writer has fenced the ledger, nothing more is taken', async () => {
    const { send, ledger } = await openTestIntake();
    const assigned = ledger.assigned.bind(ledger);
    ledger.assigned = () => {
      // Another writer appends between the look at the size and the append.
      const seen = assigned();
      ledger.intrude();
      return seen;
    };
    await assert.rejects(send('app', ['{"id":"a"}']), { code: 'LEDGER_FENCED' });
    ledger.assigned = assigned;
    await assert.rejects(send('app', ['{"id":"a"}']), { code: 'LEDGER_FENCED' });
    assert.ok(ledger.runs().every(({ source }) => source === 'intruder'));
  });

  test('a ledger that fails after numbering rejects everybody who waits', async () => {
    const { send, ledger } = await openTestIntake();
    ledger.hold();
    const first = send('app', ['{"id":"a"}']);
    const duplicate = send('app', ['{"id":"a"}']);
    const both = Promise.allSettled([first, duplicate]);
    await settle();
    ledger.fail(new Error('the disk is gone'));
    for (const outcome of await both) {
      assert.equal(outcome.status, 'rejected');
      assert.equal((outcome.reason as { code: string }).code, 'LEDGER_FAILED');
    }
    await assert.rejects(send('app', ['{"id":"b"}']), { code: 'LEDGER_FAILED' });
  });
});

describe('sequencer: what fails its schema', () => {
  const good = '{"id":"g","occurred_at":"2026-01-01T00:00:00Z","action":"user.login","outcome":"success","actor":{"type":"user","id":"u"}}';

  test('keep: stored as schema json with its faults, and a duplicate like any other', async () => {
    const { send, ledger } = await openTestIntake();
    const bad = '{"id":"b","action":"user.login"}';
    const answer = await send('kept', [good, bad]);
    assert.deepEqual([answer.accepted, answer.rejected], [2, []]);
    const [first, second] = ledger.texts().map((text) => JSON.parse(text) as { schema: string; faults?: { code: string }[]; id: string });
    assert.deepEqual([first?.schema, first?.faults], ['waybill/1', undefined]);
    assert.deepEqual([second?.schema, second?.id, second?.faults?.[0]?.code], ['json', 'b', 'EVENT_FIELD_MISSING']);
    assert.deepEqual((await send('kept', [bad])).duplicates, [{ at: 0, index: 1 }]);
    assert.equal((await send('kept', ['{"id":"b"}'])).outcome, 'conflict');
  });

  test('keep: what is no JSON object is refused all the same', async () => {
    const { send, ledger } = await openTestIntake();
    assert.equal((await send('kept', [good, '{"a":1,"a":2}'])).outcome, 'invalid');
    assert.equal(ledger.assigned(), 0);
  });

  test('an event of the largest size fits, kept or not', async () => {
    const { send } = await openTestIntake();
    assert.equal(Buffer.byteLength(padded(good)), 64_000);
    assert.equal((await send('kept', [padded(good), padded('{"id":"k"}')])).accepted, 2);
    assert.equal((await send('kept', [`${padded(good)} `.replace('"g"', '"gg"')])).outcome, 'invalid');
  });

  test('an entry that would be too large is refused, whatever its number', async () => {
    const { send } = await openTestIntake();
    const event = `{"id":"a","pad":"${'x'.repeat(63_900)}"}`;
    const answer = await send('app', [event], {
      position: asPosition('p'.repeat(1_024)),
      positions: [asPosition('p'.repeat(1_024))],
      partition: 'q'.repeat(600),
    });
    assert.equal(answer.rejected[0]?.code, 'ENTRY_TOO_LARGE');
  });
});

/** The event with a field that brings it to the largest size. */
function padded(text: string): string {
  return text.replace(/\}$/, `,"pad":"${'x'.repeat(64_000 - text.length - 9)}"}`);
}

describe('sequencer: other sources', () => {
  test('are taken from then on, and what was submitted before goes by the rules that it was checked by', async () => {
    const identities: MemoryIdentities & { ready?(): Promise<void> } = new MemoryIdentities();
    const { intake, ledger, send } = await openTestIntake(new MemoryLedger(), identities);
    await send('app', ['{"id":"a"}']);
    const ready = Promise.withResolvers<void>();
    identities.ready = () => ready.promise;
    const waiting = send('app', ['{"id":"b"}']);
    await settle();
    delete identities.ready;
    intake.changeSources(
      new Map([
        ['app', { schema: 'json', idField: null, onInvalid: 'refuse' }],
        ['fresh', { schema: 'json', idField: 'id', onInvalid: 'refuse' }],
      ]),
    );
    await send('app', ['{"id":"a"}']);
    ready.resolve();
    await waiting;
    await send('fresh', ['{"id":"a"}']);
    assert.deepEqual(
      entriesOf(ledger).map(({ source, n, id }) => [source, n, id.length > 1 ? 'assigned' : id]),
      [
        ['app', 0, 'a'],
        ['app', 1, 'assigned'],
        ['app', 2, 'b'],
        ['fresh', 0, 'a'],
      ],
    );
    assert.throws(() => intake.check('other', Buffer.from('{}\n'), 'lines'), { code: 'SOURCE_UNKNOWN' });
    assert.deepEqual(
      [...intake.status().sources].map(([name, { accepted, entries }]) => [name, accepted, entries]),
      [
        ['app', 3, 3],
        ['fresh', 1, 1],
      ],
    );
    await intake.close();
  });
});
