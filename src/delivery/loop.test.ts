import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { caughtUp, DeliveryWorld, journalOf, until, upTo } from '../../test/doubles/delivery-world.ts';
import { settle } from '../../test/doubles/manual-ports.ts';

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

  test('a tail of which nothing is to be sent is no lag, also where it cannot be carried; it rides on what comes next', async () => {
    const world = new DeliveryWorld();
    const model = new ModelDestination({ carriesEmpty: false });
    const destination = world.open(model, { control: 'none' });
    await world.fill(1);
    await settle();
    await world.control_('clock', {});
    await world.control_('clock', {});
    await settle();
    assert.deepEqual([destination.status().cursor, destination.status().lag], [1, 0]);
    await destination.pause();
    await world.fill(1);
    await settle();
    assert.equal(destination.status().lag, 3, 'nobody looks while it is paused');
    await destination.resume();
    await settle();
    assert.deepEqual(
      model.taken.map(({ from, through, count, omitted }) => [from, through, count, omitted.control]),
      [
        [0, 0, 1, 0],
        [1, 3, 1, 2],
      ],
    );
    assert.equal(destination.status().lag, 0);
    await destination.close();
  });
});
