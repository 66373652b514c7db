import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import { ListSource } from '../../test/doubles/list-source.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { MemoryIdentities } from '../../test/doubles/memory-identities.ts';
import type { MemoryLedger } from '../../test/doubles/memory-ledger.ts';
import type { TestIntake } from '../../test/doubles/open-test-intake.ts';
import { entriesOf, openTestIntake } from '../../test/doubles/open-test-intake.ts';
import type { Position } from '../contracts/units.ts';
import { runSource } from './pull.ts';

function start(it: TestIntake, source: ListSource, options: { name?: string; unsettledMax?: number } = {}) {
  const stopping = new AbortController();
  const { intake, ledger, ports } = it;
  const running = runSource({ name: 'app', source, intake, ledger, ...ports, ...options }, stopping.signal);
  running.catch(() => undefined);
  return {
    running,
    stop: async () => {
      stopping.abort(new Error('stop'));
      await running;
    },
  };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('pull sources', () => {
  test('move in order, with their positions, and settle after durability', async () => {
    const it = await openTestIntake();
    it.ledger.hold();
    const source = new ListSource([['{"id":"a"}', '{"id":"b"}'], [], ['{"id":"c"}']], 'p');
    const { stop } = start(it, source);
    await settle();
    assert.deepEqual(
      it.ledger.runs().map(({ position, count }) => [position, count]),
      [
        ['0', 2],
        ['1', 0],
        ['2', 1],
      ],
    );
    assert.deepEqual(source.settled, []);
    it.ledger.release();
    await settle();
    assert.deepEqual(source.settled, [
      ['0', 'accepted'],
      ['1', 'accepted'],
      ['2', 'accepted'],
    ]);
    assert.deepEqual((JSON.parse(it.ledger.texts()[1] ?? '') as { partition: string; position: string }).position, '0.1');
    await stop();
  });

  test('resume behind the last position; what comes again is no second entry', async () => {
    let it = await openTestIntake();
    const batches = [['{"id":"a"}'], ['{"id":"b"}'], ['{"id":"c"}']];
    const first = start(it, new ListSource(batches.slice(0, 2)));
    await settle();
    await first.stop();
    it = await it.crash();
    const source = new ListSource(batches);
    const second = start(it, source);
    await settle();
    await second.stop();
    assert.deepEqual(source.settled, [['2', 'accepted']]);
    // A source that forgot its position reads everything again.
    const third = start(
      { ...it, ledger: Object.assign(Object.create(it.ledger), { positions: () => new Map<string, Position>() }) },
      new ListSource(batches),
    );
    await settle();
    await third.stop();
    assert.deepEqual(
      entriesOf(it.ledger).map(({ id }) => id),
      ['a', 'b', 'c'],
    );
  });

  test('keep and declare what cannot become an entry, before its position', async () => {
    const it = await openTestIntake();
    const bad = ['not json', '{"a":1,"a":2}', ' ', '{"x":"line\nbreak"}', '7'];
    const source = new ListSource([['{"id":"a"}'], [...bad, '{"id":\n"b"}'], ['{"id":"a","x":1}']]);
    const { stop } = start(it, source);
    await settle();
    await stop();
    const entries = entriesOf(it.ledger);
    const refused = entries.filter(({ source }) => source === 'waybill').map(({ event }) => event);
    assert.deepEqual(
      refused.map(({ type, source, position, sha256, bytes, reason }) => [type, source, position, sha256, bytes, reason]),
      [
        ...bad.map((text, place) => {
          const reasons = ['EVENT_NOT_JSON', 'EVENT_DUPLICATE_KEY', 'EVENT_NOT_JSON', 'EVENT_NOT_JSON', 'EVENT_NOT_OBJECT'];
          return ['source.refused', 'app', `1.${place}`, sha256(text), Buffer.byteLength(text), reasons[place]];
        }),
        ['source.refused', 'app', '2.0', sha256('{"id":"a","x":1}'), 16, 'IDENTITY_CONFLICT'],
      ],
    );
    for (const text of bad)
      assert.equal(
        it.ports.disk
          .crash()
          .files.get(`/refused/${sha256(text)}`)
          ?.toString(),
        text,
      );
    assert.deepEqual(
      entries.filter(({ source }) => source === 'app').map(({ id, event }) => [id, event]),
      [
        ['a', { id: 'a' }],
        ['b', { id: 'b' }],
      ],
    );
    assert.equal(it.ledger.positions('app').get(''), '2');
    assert.equal(
      it.ledger.runs().findIndex(({ position }) => position === '1'),
      1 + bad.length,
    );
    assert.deepEqual(source.settled.length, 3);
  });

  test('a crash between declaration and position loses neither and declares nothing twice', async () => {
    const batches = [['{"id":"a"}', 'bad', 'bad'], ['worse']];
    for (let flushes = 0; flushes < 8; flushes++) {
      let it = await openTestIntake();
      it.ledger.hold();
      const first = start(it, new ListSource(batches));
      for (let k = 0; k < flushes; k++) {
        await settle();
        it.ledger.flush();
      }
      await settle();
      const reopened = it.ledger.crash();
      it.ledger.release();
      await first.stop();
      it = await openTestIntake(reopened, rebuilt(reopened), it.ports);
      const second = start(it, new ListSource(batches));
      await settle();
      await second.stop();
      const told = entriesOf(it.ledger).map(({ source, id, event }) =>
        source === 'app' ? id : `${event['position'] as string} ${event['sha256'] as string}`,
      );
      const expected = ['a', `0.1 ${sha256('bad')}`, `0.2 ${sha256('bad')}`, `1.0 ${sha256('worse')}`];
      assert.deepEqual(told.toSorted(), expected.toSorted(), `after ${flushes} flushes`);
      assert.equal(it.ledger.positions('app').get(''), '1');
    }
  });

  test('what a source says about itself is told before its position, once across crashes', async () => {
    const batches = [['{"id":"a"}'], []];
    for (let flushes = 0; flushes < 6; flushes++) {
      let it = await openTestIntake();
      const source = () =>
        Object.assign(new ListSource(batches, 'p'), {
          more: (k: number) => ({ notes: [0, 1].map((at) => ({ type: 'source.note' as const, facts: { place: `${k}.${at}` } })) }),
        });
      it.ledger.hold();
      const first = start(it, source());
      for (let k = 0; k < flushes; k++) {
        await settle();
        it.ledger.flush();
      }
      await settle();
      const reopened = it.ledger.crash();
      it.ledger.release();
      await first.stop();
      it = await openTestIntake(reopened, rebuilt(reopened), it.ports);
      const second = start(it, source());
      await settle();
      await second.stop();
      assert.deepEqual(
        entriesOf(it.ledger).map(({ source: from, event }) =>
          from === 'app' ? 'event' : [event['source'], event['partition'], event['place']],
        ),
        [['app', 'p', '0.0'], ['app', 'p', '0.1'], 'event', ['app', 'p', '1.0'], ['app', 'p', '1.1']],
        `after ${flushes} flushes`,
      );
    }
  });

  test('a partition that is closed is forgotten', async () => {
    const it = await openTestIntake();
    const source = new ListSource([['{"id":"a"}'], ['{"id":"b"}']], 'p');
    source.more = (k) => (k === 1 ? { closes: true } : {});
    const { stop } = start(it, source);
    await settle();
    await stop();
    assert.equal(it.ledger.positions('app').size, 0);
    assert.equal(it.ledger.size(), 2);
  });

  test('what the source could make no event of is kept and declared as the source says', async () => {
    const it = await openTestIntake();
    const source = new ListSource([['{"id":"a"}', '{"id":"b"}', '{"id":"c"}']]);
    source.more = () => ({
      events: ['{"id":"a"}', '{"id":"b"}', '{"id":"c"}'].map((text, at) => ({
        position: `0.${at}` as Position,
        bytes: Buffer.from(text),
        start: 0,
        end: text.length,
        ...(at === 1 ? { fault: { path: '', code: 'EVENT_TOO_LARGE', message: 'a long line' } } : {}),
      })),
    });
    const { stop } = start(it, source);
    await settle();
    await stop();
    const entries = entriesOf(it.ledger);
    assert.deepEqual(
      entries.map(({ id, event }) => event['type'] ?? id),
      ['source.refused', 'a', 'c'],
    );
    assert.deepEqual([entries[0]?.event['reason'], entries[0]?.event['message']], ['EVENT_TOO_LARGE', 'a long line']);
  });

  test('settle one after the other, however long the source takes', async () => {
    const it = await openTestIntake();
    const source = new ListSource([['{"id":"a"}'], ['{"id":"b"}'], []]);
    const slow = Promise.withResolvers<void>();
    source.settling = slow.promise;
    const { stop } = start(it, source);
    await settle();
    assert.equal(source.settled.length, 0);
    slow.resolve();
    await settle();
    assert.deepEqual(
      source.settled.map(([position]) => position),
      ['0', '1', '2'],
    );
    await stop();
  });

  test('the same bytes twice at one position are two refusals, and stay two when they come again', async () => {
    let it = await openTestIntake();
    for (let life = 0; life < 2; life++) {
      const source = new ListSource([['bad', 'bad', 'worse']]);
      source.onePosition = true;
      // The position is forgotten, as when the crash came before it.
      const ledger = Object.assign(Object.create(it.ledger), { positions: () => new Map<string, Position>() }) as typeof it.ledger;
      const { stop } = start({ ...it, ledger }, source);
      await settle();
      await stop();
      const told = entriesOf(it.ledger).map(({ event }) => event['sha256']);
      assert.deepEqual(told, ['bad', 'bad', 'worse'].map(sha256));
      it = await it.crash();
    }
  });

  test('wait while the ledger pushes back', async () => {
    const it = await openTestIntake();
    it.ledger.limitBytes = 0;
    const source = new ListSource([['{"id":"a"}']]);
    const { stop } = start(it, source);
    await settle();
    assert.deepEqual(source.settled, []);
    it.ledger.limitBytes = Number.MAX_SAFE_INTEGER;
    await it.ports.clock.pass(1_000);
    assert.deepEqual(source.settled, [['0', 'accepted']]);
    await stop();
  });

  test('stopping while the ledger pushes back refuses what has no place, after what has one', async () => {
    const it = await openTestIntake();
    it.ledger.hold();
    const source = new ListSource([['{"id":"a"}'], ['{"id":"b"}']]);
    const { intake } = it;
    const sequence = intake.sequence.bind(intake);
    Object.assign(intake, {
      sequence: async (...args: Parameters<typeof sequence>) => {
        const sequenced = await sequence(...args);
        it.ledger.limitBytes = 0;
        return sequenced;
      },
    });
    const { stop, running } = start(it, source);
    await settle();
    const stopped = stop();
    await settle();
    assert.deepEqual(source.settled, []);
    it.ledger.release();
    await Promise.all([stopped, running]);
    assert.deepEqual(source.settled, [
      ['0', 'accepted'],
      ['1', 'refused'],
    ]);
  });

  test('no more batches are asked for than may be unsettled', async () => {
    const it = await openTestIntake();
    it.ledger.hold();
    const source = new ListSource(Array.from({ length: 10 }, (_, k) => [`{"id":"${k}"}`]));
    const { stop } = start(it, source, { unsettledMax: 3 });
    await settle();
    assert.equal(it.ledger.assigned(), 3);
    it.ledger.release();
    await settle();
    assert.equal(source.settled.length, 10);
    await stop();
  });

  test('halt when there is no room for refused events, and lose nothing', async () => {
    const it = await openTestIntake();
    const source = new ListSource([['{"id":"a"}'], ['bad'], ['{"id":"b"}']]);
    it.ports.disk.failure = new Error('no room');
    const { running } = start(it, source);
    await assert.rejects(running, /no room/);
    assert.deepEqual(source.settled, [
      ['0', 'accepted'],
      ['1', 'refused'],
    ]);
    assert.equal(it.ledger.positions('app').get(''), '0');
  });

  for (const [what, place, batch] of [
    ['partition', 'p'.repeat(1_025), '{}'],
    ['position', null, '{}'],
  ] as const) {
    test(`halt at a ${what} that the ledger cannot keep, and take nothing of its batch`, async () => {
      const it = await openTestIntake();
      const source = new ListSource([[batch]], place);
      if (what === 'position') source.prefix = '9'.repeat(1_030);
      await assert.rejects(start(it, source).running, { code: 'SOURCE_BROKEN' });
      assert.deepEqual([source.settled.map(([, outcome]) => outcome), it.ledger.runs()], [['refused'], []]);
    });
  }

  test('halt at more partitions than may be open', async () => {
    const it = await openTestIntake();
    const positions = new Map(Array.from({ length: 10_000 }, (_, k) => [`p${k}`, '1' as Position]));
    const ledger = Object.assign(Object.create(it.ledger), { positions: () => positions }) as typeof it.ledger;
    await assert.rejects(start({ ...it, ledger }, new ListSource([['{}']], 'one more')).running, { code: 'SOURCE_BROKEN' });
    const known = new ListSource([[], [], ['{}']], 'p7');
    const { stop } = start({ ...it, ledger }, known);
    await settle();
    await stop();
    assert.deepEqual(known.settled, [['2', 'accepted']]);
  });

  test('a source that cannot settle ends its run', async () => {
    const it = await openTestIntake();
    const source = new ListSource([['{"id":"a"}']]);
    source.settleFailure = new Error('connection lost');
    await assert.rejects(start(it, source).running, /connection lost/);
  });

  test('whatever a source waited for ends with its run, also when that fails', async () => {
    const it = await openTestIntake();
    const source = new ListSource([]);
    let given: AbortSignal | null = null;
    source.batches = async function* (_, signal) {
      given = signal;
      signal.addEventListener('abort', () => {}, { once: true });
      yield* [];
      throw new Error('connection lost');
    };
    await assert.rejects(start(it, source).running, /connection lost/);
    assert.ok(given !== null);
    assert.equal((given as AbortSignal).aborted, true);
    assert.equal(getEventListeners(given, 'abort').length, 0);
  });

  test('a ledger that fails ends the run', async () => {
    const it = await openTestIntake();
    it.ledger.hold();
    const source = new ListSource([['{"id":"a"}']]);
    const { running } = start(it, source);
    await settle();
    it.ledger.fail(new Error('gone'));
    await assert.rejects(running, { code: 'LEDGER_FAILED' });
    assert.deepEqual(source.settled, []);
  });
});

function rebuilt(ledger: MemoryLedger): MemoryIdentities {
  const identities = new MemoryIdentities();
  identities.rebuild(ledger.texts());
  return identities;
}
