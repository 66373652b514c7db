import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { caughtUp, DeliveryWorld, until, upTo } from '../../test/doubles/delivery-world.ts';
import { settle } from '../../test/doubles/manual-ports.ts';

import { WaybillError } from '../contracts/errors.ts';
import type { Index } from '../contracts/units.ts';

const busy = (retryAfterMs?: number): WaybillError =>
  new WaybillError('SINK_BUSY', 'busy', retryAfterMs === undefined ? {} : { retryAfterMs });

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
    await assert.rejects(place.replay(0 as Index, 2 as Index), {
      code: 'COMMAND_REFUSED',
      message: /takes each index once.*`waybill recover`/,
    });
    await assert.rejects(place.replayable(0 as Index, 2 as Index), { code: 'COMMAND_REFUSED', message: /`waybill recover`/ });
    assert.deepEqual(await place.recoverable(0 as Index, 2 as Index), { from: 0, through: 2, gone: null });
    await assert.rejects(place.recoverable(0 as Index, 9 as Index), { code: 'COMMAND_REFUSED', message: /has not had index 9/ });
    await place.close();
    const key = world.open(new ModelDestination(), { name: 'hook' });
    await caughtUp(world, key);
    assert.deepEqual(await key.replayable(0 as Index, 2 as Index), { from: 0, through: 2, gone: null });
    await assert.rejects(key.replay(3 as Index, 2 as Index), { code: 'COMMAND_REFUSED' });
    await assert.rejects(key.replay(0 as Index, 5 as Index), { code: 'COMMAND_REFUSED', message: /has not had index 5/ });
    await assert.rejects(key.redeliver(0 as Index, 2 as Index), { code: 'COMMAND_REFUSED', message: /nothing is set aside/ });
    await assert.rejects(key.cancel(), { code: 'COMMAND_REFUSED' });
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
