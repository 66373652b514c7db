import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { caughtUp, DeliveryWorld, lines, until, upTo } from '../../test/doubles/delivery-world.ts';
import { settle } from '../../test/doubles/manual-ports.ts';

import { WaybillError } from '../contracts/errors.ts';
import type { Index } from '../contracts/units.ts';

const busy = (retryAfterMs?: number): WaybillError =>
  new WaybillError('SINK_BUSY', 'busy', retryAfterMs === undefined ? {} : { retryAfterMs });

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
    await settle();
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

  test('that opens while its destination is being closed is closed before that ends', async () => {
    const world = new DeliveryWorld();
    const model = new ModelDestination();
    const opened = Promise.withResolvers<void>();
    const destination = world.open(model, {
      openSink: async () => {
        await opened.promise;
        return model.open();
      },
    });
    await settle();
    const closing = destination.close().then(() => model.closed);
    opened.resolve();
    assert.equal(await closing, 1);
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

test('a format that fails over an entry halts that destination and nothing else', async () => {
  const world = new DeliveryWorld();
  await world.fill(5);
  const model = new ModelDestination();
  const destination = world.open(model, {
    codec: {
      ...lines,
      encode: () => {
        throw new TypeError('cannot read the password hunter2');
      },
    },
  });
  await settle();
  const { state, error } = destination.status();
  assert.deepEqual([state, error?.code, error?.message], ['halted', 'BATCH_FAILED', 'making the batch failed with TypeError']);
  await destination.close();
});
