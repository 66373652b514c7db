import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { DeliveryWorld, lines, until } from '../../test/doubles/delivery-world.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { BrokenInvariant } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Index } from '../contracts/units.ts';
import type { Intent } from './account.ts';
import type { Destination } from './destination.ts';
import { journalKey } from './records.ts';

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, k) => k);
}

async function caughtUp(world: DeliveryWorld, destination: Destination): Promise<void> {
  await until(world, () => destination.status().lag === 0, 'the destination has caught up');
}

/** The journal entries of the destination, parsed. */
function journalOf(world: DeliveryWorld): { readonly type: string; readonly [field: string]: unknown }[][] {
  return world.ledger.journal.load(journalKey('lake')).records.map((text) => (JSON.parse(text) as never[]).slice(1));
}

const busy = (retryAfterMs?: number): WaybillError =>
  new WaybillError('SINK_BUSY', 'busy', retryAfterMs === undefined ? {} : { retryAfterMs });

describe('delivery', () => {
  for (const dedupe of ['position', 'key', 'none'] as const) {
    test(`delivers everything in order to a destination of kind ${dedupe}, and follows`, async () => {
      const world = new DeliveryWorld();
      const model = new ModelDestination({ dedupe });
      await world.fill(35);
      const destination = world.open(model);
      await caughtUp(world, destination);
      assert.deepEqual(model.indexes(), upTo(35));
      await world.fill(3);
      await caughtUp(world, destination);
      assert.deepEqual(model.indexes(), upTo(38));
      const { state, counters } = destination.status();
      assert.equal(state, 'running');
      assert.equal(counters.entries, 38);
      assert.equal(counters.batches, model.taken.length);
      await destination.close();
      assert.equal(model.closed, 1);
      assert.equal(world.ports.clock.sleeping(), 0, 'nothing sleeps after it was closed');
    });
  }

  test('begins where it is told, and goes on where it was', async () => {
    const world = new DeliveryWorld();
    await world.fill(5);
    const model = new ModelDestination();
    const first = world.open(model, { start: 'now' });
    await settle();
    await world.fill(2);
    await caughtUp(world, first);
    await first.close();
    await world.fill(2);
    const second = world.open(model, { start: 'beginning' });
    await caughtUp(world, second);
    assert.deepEqual(model.indexes(), [5, 6, 7, 8]);
    await second.close();
  });

  test('tells the sink what it needs next and what it answered last', async () => {
    const world = new DeliveryWorld();
    await world.fill(5);
    const seen: unknown[] = [];
    const model = new ModelDestination({ dedupe: 'position' });
    for (let life = 0; life < 2; life++) {
      const destination = world.open(model, {
        openSink: async ({ name, origin, cursor, size, receipt }) => {
          seen.push({ name, origin, cursor, size, receipt });
          return model.open();
        },
      });
      await caughtUp(world, destination);
      await destination.close();
    }
    const known = { name: 'lake', origin: 'test.example/log', size: 5 };
    assert.deepEqual(seen, [
      { ...known, cursor: 0, receipt: null },
      { ...known, cursor: 5, receipt: { through: 4 } },
    ]);
  });

  test('every batch carries on where the one before ended, with its hash and an identity of its own', async () => {
    const world = new DeliveryWorld();
    const model = new ModelDestination({ dedupe: 'none' });
    await world.fill(25);
    const destination = world.open(model);
    await caughtUp(world, destination);
    await destination.close();
    let next = 0;
    for (const batch of model.taken) {
      assert.equal(batch.from, next);
      assert.equal(batch.contentType, 'application/x-ndjson');
      assert.match(batch.sha256, /^[0-9a-f]{64}$/);
      assert.equal(batch.replay, undefined);
      next = batch.through + 1;
    }
    assert.equal(new Set(model.taken.map(({ id }) => id)).size, model.taken.length);
  });

  test('an outcome and the next intent share an entry of the journal', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination({ dedupe: 'none', batch: { entries: 4, bytes: 1 << 20, waitMs: 0 } });
    const held: (() => void)[] = [];
    const destination = world.open(model, {
      openSink: async () => ({
        ...model.open(),
        write: async (batch) => {
          await new Promise<void>((resolve) => held.push(resolve));
          return { through: batch.through };
        },
      }),
    });
    await settle();
    await world.fill(2);
    held.shift()?.();
    await settle();
    const kinds = journalOf(world).map((records) => records.map(({ type }) => type));
    assert.deepEqual(kinds.at(-1), ['taken', 'intent']);
    const closing = destination.close();
    held.shift()?.();
    await until(world, () => world.ports.clock.sleeping() === 0, 'it is closed');
    await closing;
  });

  test('what gathers while a batch is in flight goes together', async () => {
    const world = new DeliveryWorld();
    await world.fill(1);
    const model = new ModelDestination({ batch: { entries: 100, bytes: 1 << 20, waitMs: 0 } });
    model.script.push('hang');
    const destination = world.open(model, { timeoutMs: 1_000 });
    await settle();
    await world.fill(30);
    await caughtUp(world, destination);
    assert.deepEqual(
      model.taken.map(({ count }) => count),
      [1, 30],
    );
    await destination.close();
  });

  test('where a wait is configured, a batch that is not full waits for more, and no longer', async () => {
    const world = new DeliveryWorld();
    const model = new ModelDestination({ batch: { entries: 3, bytes: 1 << 20, waitMs: 1_000 } });
    const destination = world.open(model);
    await settle();
    await world.fill(2);
    await settle();
    await world.ports.clock.pass(900);
    assert.deepEqual(model.taken, []);
    await world.ports.clock.pass(200);
    assert.deepEqual(model.indexes(), [0, 1]);
    await world.fill(3);
    await settle();
    assert.deepEqual(model.indexes(), [0, 1, 2, 3, 4], 'a full one goes at once');
    await destination.close();
  });
});

describe('retries', () => {
  test('the same batch, byte for byte, until it is taken; nothing overtakes', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'none' });
    model.script.push(busy(), new WaybillError('SINK_UNREACHABLE', 'refused'), busy());
    const destination = world.open(model);
    await settle();
    const { state, error, nextRetryAt, head } = destination.status();
    assert.equal(state, 'waiting');
    assert.equal(error?.code, 'SINK_BUSY');
    assert.ok(nextRetryAt !== null && nextRetryAt > world.ports.clock.now());
    assert.deepEqual(head, { from: 0, through: 9, count: 10, inFlight: false, inDoubt: false, attempts: 1 });
    await caughtUp(world, destination);
    assert.deepEqual(model.indexes(), upTo(25));
    assert.deepEqual(
      model.attempts.slice(0, 4).map(({ id, from }) => [id, from]),
      Array.from({ length: 4 }, () => [model.taken[0]?.id, 0]),
    );
    assert.equal(destination.status().error, null);
    assert.equal(destination.status().counters.repeats, 0);
    await destination.close();
  });

  test('wait as long as the destination asks, but not for ever', async () => {
    const world = new DeliveryWorld();
    await world.fill(1);
    const model = new ModelDestination();
    model.script.push(busy(20_000), busy(10 ** 12));
    const destination = world.open(model);
    await settle();
    await world.ports.clock.pass(19_000);
    assert.equal(model.attempts.length, 1);
    await world.ports.clock.pass(2_000);
    assert.equal(model.attempts.length, 2);
    await world.ports.clock.pass(3_600_000);
    assert.equal(model.taken.length, 1);
    await destination.close();
  });

  test('back off longer and longer up to a limit', async () => {
    const world = new DeliveryWorld();
    await world.fill(1);
    const model = new ModelDestination();
    model.script.push(...Array.from({ length: 12 }, () => busy()));
    const waits: number[] = [];
    const { clock, random } = world.ports;
    random.next = () => 0.5;
    const sleep = clock.sleep.bind(clock);
    clock.sleep = (ms, signal) => {
      if (ms < 30_000) waits.push(ms);
      return sleep(ms, signal);
    };
    const destination = world.open(model, { retry: { minMs: 100, maxMs: 1_000 } });
    await until(world, () => model.taken.length === 1, 'it is taken');
    assert.deepEqual(waits.slice(0, 6), [50, 100, 200, 400, 500, 500]);
    await destination.close();
  });

  test('a lost answer is resolved as the destination can: asked, dropped, or counted', async () => {
    for (const dedupe of ['position', 'key', 'none'] as const) {
      for (const fate of ['lose', 'miss', 'hang'] as const) {
        const world = new DeliveryWorld();
        await world.fill(15);
        const model = new ModelDestination({ dedupe });
        model.script.push(fate);
        const destination = world.open(model, { timeoutMs: 2_000 });
        await caughtUp(world, destination);
        const twice = dedupe === 'none' && fate === 'lose';
        assert.deepEqual(model.indexes(), twice ? [...upTo(10), ...upTo(15)] : upTo(15), `${dedupe} ${fate}`);
        assert.equal(destination.status().counters.repeats, dedupe === 'none' ? 1 : 0);
        await destination.close();
      }
    }
  });

  test('a sink that does not even give up when its time is over is left behind', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination();
    let stuck = true;
    const destination = world.open(model, {
      timeoutMs: 1_000,
      openSink: async () => {
        const sink = model.open();
        return {
          ...sink,
          write: async (batch, signal) => {
            if (stuck) await new Promise(() => {});
            return sink.write(batch, signal);
          },
        };
      },
    });
    await settle();
    await world.ports.clock.pass(1_000);
    assert.equal(destination.status().head?.inFlight, true);
    stuck = false;
    await world.ports.clock.pass(5_000);
    assert.equal(destination.status().error?.code, 'SINK_ANSWER_LOST');
    await caughtUp(world, destination);
    assert.deepEqual(model.indexes(), upTo(3));
    await destination.close();
  });

  test('an error that is none of ours halts, and its message is not shown', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination();
    let secret = true;
    const destination = world.open(model, {
      openSink: async () => {
        const sink = model.open();
        return {
          ...sink,
          write: async (batch, signal) => {
            if (secret) throw new TypeError('the password is hunter2');
            return sink.write(batch, signal);
          },
        };
      },
    });
    await settle();
    const { state, error, head } = destination.status();
    assert.equal(state, 'halted');
    assert.deepEqual(error?.code, 'SINK_FAILED');
    assert.equal(error.message, 'the sink failed with TypeError');
    assert.equal(head?.inDoubt, true);
    assert.ok(!JSON.stringify(world.ports.log.lines).includes('hunter2'));
    secret = false;
    await destination.retry();
    await caughtUp(world, destination);
    await destination.close();
  });
});

describe('a halt', () => {
  test('stops with code and action, and goes on after retry', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination();
    model.script.push(new WaybillError('SINK_UNAUTHORIZED', 'the destination answered 401'));
    const destination = world.open(model);
    await settle();
    await world.ports.clock.pass(10 ** 6);
    const { state, error, lag } = destination.status();
    assert.deepEqual([state, error?.code, lag], ['halted', 'SINK_UNAUTHORIZED', 3]);
    assert.match(error?.action ?? '', /waybill retry/);
    assert.equal(model.attempts.length, 1);
    await destination.retry();
    await caughtUp(world, destination);
    await destination.close();
  });

  test('because the destination has less than it had, or more than there is', async () => {
    const world = new DeliveryWorld();
    await world.fill(12);
    const model = new ModelDestination({ dedupe: 'position' });
    const first = world.open(model);
    await caughtUp(world, first);
    await first.close();
    for (const [index, code] of [
      [4, 'DESTINATION_LOST_DATA'],
      [13, 'LEDGER_REWOUND'],
    ] as const) {
      model.jump(index);
      const destination = world.open(model);
      await destination.asked;
      assert.equal(destination.status().error?.code, code);
      assert.equal(destination.status().state, 'halted');
      await destination.close();
    }
    model.jump(12);
    const last = world.open(model);
    await last.asked;
    assert.equal(last.status().state, 'running');
    await last.close();
  });

  test('because what it needs is no longer in the ledger', async () => {
    const world = new DeliveryWorld();
    await world.fill(12);
    const model = new ModelDestination();
    const destination = world.open(model, { start: 2 as Index });
    world.ledger.prune(5);
    await settle();
    const { state, error } = destination.status();
    assert.deepEqual([state, error?.code], ['detached', 'LEDGER_PRUNED']);
    await destination.close();
  });
});

describe('the sink', () => {
  test('is opened again and again, and later, while it cannot be', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination();
    let tries = 0;
    const destination = world.open(model, {
      openSink: async () => {
        tries += 1;
        if (tries === 1) throw new WaybillError('SINK_UNREACHABLE', 'refused');
        if (tries === 2) throw new WaybillError('SINK_UNAUTHORIZED', '401');
        return model.open();
      },
    });
    await destination.asked;
    assert.equal(destination.status().state, 'waiting');
    await until(world, () => destination.status().state === 'halted', 'it halts');
    await destination.pause();
    await destination.resume();
    assert.equal(tries, 2);
    await destination.retry();
    await caughtUp(world, destination);
    await destination.close();
  });

  test('that opens after its time is closed again', async () => {
    const world = new DeliveryWorld();
    const model = new ModelDestination();
    const late: (() => void)[] = [];
    const destination = world.open(model, {
      timeoutMs: 1_000,
      openSink: async () => {
        await new Promise<void>((resolve) => late.push(resolve));
        return model.open();
      },
    });
    await world.ports.clock.pass(1_000);
    await world.ports.clock.pass(5_000);
    assert.equal(destination.status().error?.code, 'SINK_ANSWER_LOST');
    late.shift()?.();
    await settle();
    assert.equal(model.closed, 1);
    const closing = destination.close();
    await world.ports.clock.pass(6_000);
    await closing;
  });

  test('that says it keeps its place and cannot say which halts', async () => {
    const world = new DeliveryWorld();
    const model = new ModelDestination({ dedupe: 'position' });
    const destination = world.open(model, {
      openSink: async () => {
        const sink = model.open();
        return { traits: sink.traits, write: (batch, signal) => sink.write(batch, signal), close: () => sink.close() };
      },
    });
    await destination.asked;
    await settle();
    assert.equal(destination.status().error?.code, 'SINK_FAILED');
    await destination.close();
  });
});

describe('several in flight', () => {
  test('at most as many as are configured and as the sink allows', async () => {
    for (const [inFlight, inFlightMax, widest] of [
      [3, 4, 3],
      [9, 2, 2],
      [1, 4, 1],
    ] as const) {
      const world = new DeliveryWorld();
      await world.fill(100);
      const model = new ModelDestination({ dedupe: 'key', inFlightMax });
      const destination = world.open(model, { inFlight });
      await caughtUp(world, destination);
      assert.equal(model.widest, widest);
      assert.deepEqual(
        model.indexes().toSorted((a, b) => a - b),
        upTo(100),
      );
      await destination.close();
    }
  });
});

describe('what is not sent', () => {
  test('rides on the next batch', async () => {
    const world = new DeliveryWorld();
    await world.control_('clock', {});
    await world.fill(2);
    await world.control_('clock', {});
    const model = new ModelDestination();
    const destination = world.open(model, { control: 'none' });
    await settle();
    assert.equal(destination.status().cursor, 4, 'what follows rides along as well');
    await world.control_('clock', {});
    await world.ports.clock.pass(10 ** 6);
    assert.equal(destination.status().cursor, 4);
    await world.fill(1);
    await caughtUp(world, destination);
    assert.deepEqual(
      model.taken.map(({ from, through, count, omitted }) => [from, through, count, omitted.control]),
      [
        [0, 3, 2, 2],
        [4, 5, 1, 1],
      ],
    );
    await destination.close();
  });

  test('goes by itself after a minute, where that can be carried', async () => {
    const world = new DeliveryWorld();
    const model = new ModelDestination({ carriesEmpty: true });
    const destination = world.open(model, { control: 'none' });
    await world.control_('clock', {});
    await settle();
    await world.ports.clock.pass(30_000);
    await world.control_('clock', {});
    await settle();
    await world.ports.clock.pass(29_000);
    assert.equal(model.taken.length, 0);
    await world.ports.clock.pass(2_000);
    assert.deepEqual(
      model.taken.map(({ from, through, count, omitted }) => [from, through, count, omitted.control]),
      [[0, 1, 0, 2]],
    );
    assert.equal(destination.status().lag, 0);
    await destination.close();
  });
});

describe('setting aside', () => {
  test('delivers everything else and declares the gap once, whatever dies in between', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'key' });
    model.poison.add(4);
    model.poison.add(17);
    let deaf = true;
    const options = {
      onReject: 'quarantine',
      emitControl: async (entry: Parameters<DeliveryWorld['emit']>[0]) => {
        await world.emit(entry);
        if (deaf) throw new WaybillError('LEDGER_FULL', 'the answer was lost');
      },
    } as const;
    const first = world.open(model, options);
    await until(world, () => world.control.length > 0, 'a gap is declared');
    await first.close();
    deaf = false;
    const second = world.open(model, options);
    await until(world, () => second.status().lag === 0 && second.status().quarantine.length === 2, 'the rest is delivered');
    await settle();
    const gaps = world.control.filter(({ type }) => type === 'destination.gap');
    assert.deepEqual(
      gaps.map(({ facts }) => [facts['destination'], facts['from'], facts['through'], facts['code']]),
      [
        ['lake', 4, 4, 'SINK_REFUSED_ENTRY'],
        ['lake', 17, 17, 'SINK_REFUSED_ENTRY'],
      ],
    );
    const sent = model.indexes();
    assert.deepEqual(
      sent,
      upTo(world.ledger.size()).filter((index) => index !== 4 && index !== 17),
    );
    assert.deepEqual(
      model.taken.flatMap(({ omitted }) => omitted.quarantined),
      [4, 17],
    );
    await second.close();
  });

  test('a gap entry that is refused itself is set aside without another gap entry', async () => {
    const world = new DeliveryWorld();
    await world.fill(4);
    const model = new ModelDestination({ dedupe: 'key' });
    model.poison.add(1);
    model.poison.add(4);
    const destination = world.open(model, { onReject: 'quarantine' });
    await until(world, () => world.control.length === 1, 'the gap is declared at index 4');
    await world.fill(2);
    await caughtUp(world, destination);
    assert.deepEqual(
      destination.status().quarantine.map(({ from }) => from),
      [1, 4],
    );
    assert.equal(world.control.length, 1);
    await destination.close();
  });

  test('waits for a later entry as long as there is none', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination({ dedupe: 'key', carriesEmpty: true });
    model.poison.add(2);
    const destination = world.open(model, { onReject: 'quarantine' });
    await settle();
    await world.ports.clock.pass(10 ** 6);
    assert.equal(destination.status().cursor, 2);
    assert.deepEqual(destination.status().quarantine, []);
    await world.fill(1);
    await until(world, () => destination.status().quarantine.length === 1, 'it is set aside');
    await destination.close();
  });

  test('redelivers and waives', async () => {
    const world = new DeliveryWorld();
    await world.fill(20);
    const model = new ModelDestination({ dedupe: 'key' });
    for (const index of [3, 8, 15]) model.poison.add(index);
    const destination = world.open(model, { onReject: 'quarantine' });
    await until(world, () => destination.status().quarantine.length === 3, 'three are set aside');
    model.poison.clear();
    const { name } = await destination.redeliver(0 as Index, 10 as Index);
    await until(world, () => destination.status().quarantine.length === 1, 'two are delivered');
    const again = model.taken.filter(({ replay }) => replay === name);
    assert.deepEqual(
      again.flatMap(({ body }) =>
        Buffer.from(body)
          .toString()
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { index: number }).index),
      ),
      [3, 8],
    );
    await destination.waive(15 as Index, 15 as Index);
    assert.deepEqual(destination.status().quarantine, []);
    await assert.rejects(destination.waive(15 as Index, 15 as Index), { code: 'COMMAND_REFUSED' });
    await until(world, () => world.control.some(({ type }) => type === 'quarantine.waived'), 'the waiver is declared');
    await destination.close();
  });
});

describe('operators', () => {
  test('a pause outlives the process', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination();
    const first = world.open(model);
    await caughtUp(world, first);
    await first.pause();
    assert.equal(first.status().state, 'paused');
    await world.fill(3);
    await world.ports.clock.pass(10 ** 6);
    await first.close();
    const second = world.open(model);
    await settle();
    assert.equal(second.status().state, 'paused');
    assert.deepEqual(model.indexes(), upTo(3));
    await second.resume();
    await caughtUp(world, second);
    assert.deepEqual(model.indexes(), upTo(6));
    await second.close();
  });

  test('retry does not wait for the back-off', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination();
    model.script.push(busy(1_000_000));
    const destination = world.open(model);
    await settle();
    assert.equal(destination.status().state, 'waiting');
    await destination.retry();
    await settle();
    assert.deepEqual(model.indexes(), upTo(3));
    assert.equal(destination.status().nextRetryAt, null);
    await destination.close();
  });

  test('a replay is marked, has its own identities, and begins and ends with a control entry', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'key' });
    const destination = world.open(model, { control: 'none' });
    await caughtUp(world, destination);
    const before = new Set(model.taken.map(({ id }) => id));
    const { name } = await destination.replay(5 as Index, 21 as Index);
    await until(world, () => destination.status().side === null, 'the replay ends');
    await world.fill(3);
    await caughtUp(world, destination);
    const replayed = model.taken.filter(({ replay }) => replay === name);
    assert.deepEqual(
      replayed.map(({ from, through }) => [from, through]),
      [
        [5, 14],
        [15, 21],
      ],
    );
    assert.ok(replayed.every(({ id }) => !before.has(id)));
    assert.deepEqual(
      world.control.map(({ type, facts }) => [type, facts['name'], facts['from'], facts['through']]),
      [
        ['replay.started', name, 5, 21],
        ['replay.ended', name, 5, 21],
      ],
    );
    assert.equal(world.control.at(-1)?.facts['entries'], 17);
    await destination.close();
  });

  test('a replay is refused where it would be dropped, and where there is nothing to send again', async () => {
    const world = new DeliveryWorld();
    await world.fill(5);
    const place = world.open(new ModelDestination({ dedupe: 'position' }));
    await caughtUp(world, place);
    await assert.rejects(place.replay(0 as Index, 2 as Index), { code: 'COMMAND_REFUSED', message: /takes each index once/ });
    await place.close();
    const key = world.open(new ModelDestination(), { name: 'hook' });
    await caughtUp(world, key);
    await assert.rejects(key.replay(3 as Index, 2 as Index), { code: 'COMMAND_REFUSED' });
    await assert.rejects(key.replay(0 as Index, 5 as Index), { code: 'COMMAND_REFUSED', message: /has not had index 5/ });
    await assert.rejects(key.redeliver(0 as Index, 2 as Index), { code: 'COMMAND_REFUSED', message: /nothing is set aside/ });
    await assert.rejects(key.cancel(), { code: 'COMMAND_REFUSED' });
    await assert.rejects(key.recover(0 as Index, 2 as Index), { code: 'COMMAND_REFUSED', message: /original batches/ });
    world.ledger.prune(2);
    await assert.rejects(key.replay(1 as Index, 2 as Index), { code: 'COMMAND_REFUSED', message: /oldest index/ });
    await key.close();
  });

  test('what was lost elsewhere is filled with the original batches under their own identities', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'none' });
    const first = world.open(model, { control: 'none' });
    await caughtUp(world, first);
    await first.close();
    const original = [...model.taken];
    const destination = world.open(model, {
      control: 'none',
      batch: { entries: 7 },
      history: async (index) => {
        const intents = journalOf(world).flat() as unknown as (Intent & { readonly type: string })[];
        const found = intents.find(({ type, from, through }) => type === 'intent' && from <= index && through >= index);
        assert.ok(found !== undefined);
        return found;
      },
    });
    await destination.asked;
    const { from, through } = await destination.recover(12 as Index, 21 as Index);
    assert.deepEqual([from, through], [10, 24]);
    await until(world, () => destination.status().side === null, 'the recovery ends');
    assert.deepEqual(model.taken.slice(original.length), original.slice(1));
    await destination.close();
  });

  test('what a destination lost is filled, and then it goes on', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'position' });
    const first = world.open(model, { control: 'none' });
    await caughtUp(world, first);
    await first.close();
    model.forget(10);
    const destination = world.open(model, { control: 'none' });
    await destination.asked;
    assert.equal(destination.status().error?.code, 'DESTINATION_LOST_DATA');
    await destination.recover(10 as Index, 24 as Index);
    await world.fill(3);
    await until(world, () => destination.status().side === null && model.indexes().length === 28, 'everything is there again');
    assert.deepEqual(
      model.indexes(),
      upTo(world.ledger.size()).filter((index) => index < 25 || model.indexes().includes(index)),
    );
    assert.equal(destination.status().state, 'running');
    await destination.close();
  });
});

describe('the end of a process', () => {
  test('a drain lets come back what is in flight, and begins nothing', async () => {
    const world = new DeliveryWorld();
    await world.fill(30);
    const model = new ModelDestination({ dedupe: 'none' });
    const held: (() => void)[] = [];
    const destination = world.open(model, {
      openSink: async () => {
        const sink = model.open();
        return {
          ...sink,
          write: async (batch, signal) => {
            await new Promise<void>((resolve) => held.push(resolve));
            return sink.write(batch, signal);
          },
        };
      },
    });
    await until(world, () => held.length === 1, 'a batch is in flight');
    const drained = destination.drain(10_000);
    await settle();
    assert.equal(destination.status().state, 'draining');
    held.shift()?.();
    assert.equal(await drained, true);
    assert.equal(held.length, 0);
    assert.equal(destination.status().cursor, 10);
    await destination.close();
    const next = world.open(model);
    await caughtUp(world, next);
    assert.deepEqual(model.indexes(), upTo(30));
    await next.close();
  });

  test('a drain ends when its time is over, and what is in flight stays in doubt', async () => {
    const world = new DeliveryWorld();
    await world.fill(3);
    const model = new ModelDestination({ dedupe: 'key' });
    model.script.push('hang');
    const destination = world.open(model);
    await until(world, () => model.writing === 1, 'a batch is in flight');
    const drained = destination.drain(2_000);
    await world.ports.clock.pass(2_000);
    assert.equal(await drained, false);
    await destination.close();
    const next = world.open(model);
    await caughtUp(world, next);
    assert.equal(model.attempts.length, 2);
    assert.equal(model.attempts[0]?.id, model.attempts[1]?.id);
    await next.close();
  });

  test('after a crash the batch in flight goes again byte for byte, though the limits are others', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'none' });
    model.script.push('take', 'hang');
    const first = world.open(model);
    await until(world, () => model.attempts.length === 2, 'the second batch is in flight');
    world.crash();
    const second = world.open(model, { batch: { entries: 3 } });
    await caughtUp(world, second);
    const [, lost, again] = model.attempts;
    assert.deepEqual(again, lost);
    assert.deepEqual(model.indexes(), upTo(25));
    await second.close();
    await first.close();
  });

  test('a batch in doubt whose bytes would be others is not sent, until a person says so', async () => {
    const world = new DeliveryWorld();
    await world.fill(5);
    const model = new ModelDestination({ dedupe: 'none' });
    model.script.push('hang');
    const first = world.open(model);
    await until(world, () => model.attempts.length === 1, 'a batch is in flight');
    world.crash();
    const changed = {
      ...lines,
      encode: (...entries: Parameters<typeof lines.encode>) => ({ ...lines.encode(...entries), bytes: Buffer.from('[]') }),
    };
    const second = world.open(model, { codec: changed });
    await settle();
    assert.deepEqual([second.status().state, second.status().error?.code], ['halted', 'BATCH_CHANGED']);
    assert.equal(model.attempts.length, 1);
    await second.close();
    const third = world.open(model, { codec: { ...lines, type: 'other' }, codecFor: () => undefined });
    await settle();
    assert.equal(third.status().error?.code, 'BATCH_CHANGED');
    await third.retry();
    await caughtUp(world, third);
    assert.deepEqual(model.indexes(), upTo(5));
    assert.equal(third.status().counters.repeats, 1);
    await third.close();
    await first.close();
  });

  test('a snapshot of the ledger changes nothing', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'none' });
    model.script.push('take', 'hang');
    const first = world.open(model);
    await until(world, () => model.attempts.length === 2, 'the second batch is in flight');
    world.ledger.snapshot();
    world.crash();
    const second = world.open(model);
    await caughtUp(world, second);
    assert.deepEqual(model.indexes(), upTo(25));
    await second.close();
    await first.close();
  });
});

describe('the journal', () => {
  test('that is full for a while holds delivery back and loses nothing', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const { journal } = world.ledger;
    let full = 3;
    const append = journal.append.bind(journal);
    journal.append = async (key, record) => {
      full -= 1;
      if (full >= 0) throw new WaybillError('LEDGER_FULL', 'no space');
      return append(key, record);
    };
    const model = new ModelDestination({ dedupe: 'none' });
    const destination = world.open(model);
    await settle();
    assert.deepEqual([destination.status().state, destination.status().error?.code], ['waiting', 'LEDGER_FULL']);
    assert.equal(model.attempts.length, 0);
    await caughtUp(world, destination);
    assert.deepEqual(model.indexes(), upTo(25));
    assert.equal(destination.status().state, 'running');
    await destination.close();
  });

  test('gets one entry at a time, which takes along what gathered', async () => {
    const world = new DeliveryWorld();
    const { journal } = world.ledger;
    const held: (() => void)[] = [];
    const append = journal.append.bind(journal);
    journal.append = async (key, record) => {
      await new Promise<void>((resolve) => held.push(resolve));
      return append(key, record);
    };
    const destination = world.open(new ModelDestination());
    const done = [destination.pause(), destination.resume(), destination.pause()];
    await settle();
    assert.equal(held.length, 1);
    held.shift()?.();
    await settle();
    assert.equal(held.length, 1);
    held.shift()?.();
    await Promise.all(done);
    const kinds = journalOf(world).map((records) => records.map(({ type }) => type));
    assert.deepEqual(kinds[0], ['began']);
    assert.deepEqual(kinds[1]?.toSorted(), ['epoch', 'paused', 'paused', 'resumed']);
    await destination.close();
  });

  test('that has failed for good stops delivery', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const { journal } = world.ledger;
    journal.append = async () => {
      throw new WaybillError('LEDGER_FAILED', 'the flush failed');
    };
    const model = new ModelDestination();
    const destination = world.open(model);
    await settle();
    await world.ports.clock.pass(10 ** 6);
    assert.deepEqual([destination.status().state, destination.status().error?.code], ['halted', 'LEDGER_FAILED']);
    assert.equal(model.attempts.length, 0);
    await destination.close();
  });

  test('that does not add up is not opened', () => {
    const world = new DeliveryWorld();
    void world.ledger.journal.append(journalKey('lake'), '[7,{"type":"paused"}]');
    assert.throws(() => world.open(new ModelDestination()), { code: 'JOURNAL_INVALID' });
  });
});

test('a broken promise of this program is told to whoever runs it, and nothing more is done', async () => {
  const world = new DeliveryWorld();
  await world.fill(5);
  const model = new ModelDestination();
  const failed: unknown[] = [];
  const destination = world.open(model, {
    codec: {
      ...lines,
      encode: () => {
        throw new BrokenInvariant('a record has two ends');
      },
    },
  });
  void destination.failed.then((reason) => failed.push(reason));
  await settle();
  await world.ports.clock.pass(1_000);
  assert.equal(failed.length, 1);
  assert.equal(model.attempts.length, 0);
  await assert.rejects(destination.pause());
  await destination.close();
});
