import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { caughtUp, DeliveryWorld, journalOf, until } from '../../test/doubles/delivery-world.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { SignedHeads } from '../../test/doubles/signed-heads.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { SinkTraits } from '../contracts/sink.ts';
import type { Destination, DestinationOptions } from './destination.ts';

const IN_BATCH: Partial<SinkTraits> = { dedupe: 'key', checkpoints: { inBatch: true, everyMs: 1_000 } };
const ALONE: Partial<SinkTraits> = { dedupe: 'position', checkpoints: { inBatch: false, everyMs: 1_000 } };

/** A world whose heads are published by hand. */
class CheckpointWorld extends DeliveryWorld {
  readonly heads = new SignedHeads('test.example/log', this.ports.clock);

  /** Publishes the head over the first `size` entries; absent: over all. */
  async publish(size?: number): Promise<void> {
    const entries = await this.entries();
    await this.heads.publish(entries.slice(0, size ?? entries.length));
    await settle();
  }

  start(model: ModelDestination, options: Partial<DestinationOptions> = {}): Destination {
    return this.open(model, { heads: this.heads, ...options });
  }

  /** Opens what the model got as who knows the keys does, and compares it with what it then had. Gives the sizes in batches and alone. */
  async checked(model: ModelDestination): Promise<{ readonly inBatch: number[]; readonly alone: number[] }> {
    const entries = await this.entries();
    const inBatch: number[] = [];
    for (const batch of model.taken) {
      if (batch.checkpoint === undefined) continue;
      inBatch.push(await this.heads.check(batch.checkpoint, entries.slice(0, batch.through + 1)));
    }
    const alone: number[] = [];
    for (const { size, note } of model.checkpoints) {
      assert.equal(await this.heads.check(note, entries), size);
      alone.push(size);
    }
    return { inBatch, alone };
  }
}

describe('checkpoints in batches', () => {
  test('go with the batch that completes what they cover, at most one a second, and never one twice', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(IN_BATCH);
    await world.fill(5);
    await world.publish();
    await world.fill(20);
    const destination = world.start(model);
    await caughtUp(world, destination);
    assert.deepEqual(
      model.taken.map(({ checkpoint }) => checkpoint !== undefined),
      [true, false, false],
    );
    await world.ports.clock.pass(1_000);
    await world.fill(3);
    await caughtUp(world, destination);
    assert.deepEqual((await world.checked(model)).inBatch, [5], 'there is no newer one');
    await destination.close();
  });

  test('over more than the destination will have wait for the batch that reaches them', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(IN_BATCH);
    await world.fill(25);
    await world.publish(17);
    const destination = world.start(model);
    await caughtUp(world, destination);
    assert.deepEqual(
      model.taken.map(({ through, checkpoint }) => [through, checkpoint !== undefined]),
      [
        [9, false],
        [19, true],
        [24, false],
      ],
    );
    assert.deepEqual((await world.checked(model)).inBatch, [17]);
    await destination.close();
  });

  test('are recorded in the intent, so that a repeat after a crash is the same batch although there is a newer one', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(IN_BATCH);
    model.script.push('lose', 'hang');
    await world.fill(3);
    await world.publish();
    const first = world.start(model);
    await until(world, () => model.attempts.length === 2, 'the batch is sent again');
    world.crash();
    const after = world.start(model);
    await first.close();
    await world.publish();
    await caughtUp(world, after);
    const [once, twice, third] = model.attempts;
    assert.ok(once?.checkpoint !== undefined);
    for (const again of [twice, third]) assert.deepEqual([again?.id, again?.checkpoint], [once.id, once.checkpoint]);
    assert.equal(model.taken.length, 1);
    await after.close();
  });

  test('make another batch of the same entries, and those of old records have none', async () => {
    const world = new CheckpointWorld();
    const [plain, carrying] = [new ModelDestination(IN_BATCH), new ModelDestination(IN_BATCH)];
    await world.fill(3);
    const without = world.start(plain);
    await caughtUp(world, without);
    await without.close();
    const intents = journalOf(world)
      .flat()
      .filter(({ type }) => type === 'intent');
    assert.deepEqual(
      intents.map((intent) => 'checkpoint' in intent),
      [false],
    );
    const other = new CheckpointWorld();
    await other.fill(3);
    await other.publish();
    const withOne = other.start(carrying);
    await caughtUp(other, withOne);
    await withOne.close();
    assert.equal(plain.taken[0]?.sha256, carrying.taken[0]?.sha256);
    assert.notEqual(plain.taken[0]?.id, carrying.taken[0]?.id);
  });

  test('come again with the batch that is recovered, and never with a replay', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(IN_BATCH);
    await world.fill(3);
    await world.publish();
    const destination = world.start(model);
    await caughtUp(world, destination);
    await world.ports.clock.pass(5_000);
    await world.fill(1);
    await world.publish();
    await destination.recover(0 as never, 2 as never);
    await until(world, () => destination.status().side === null, 'the recovery has ended');
    await destination.replay(0 as never, 2 as never);
    await until(world, () => destination.status().side === null, 'the replay has ended');
    const same = model.attempts.filter(({ from, replay }) => from === 0 && replay === undefined);
    assert.equal(same.length, 2);
    assert.deepEqual([same[1]?.id, same[1]?.checkpoint], [same[0]?.id, same[0]?.checkpoint]);
    assert.deepEqual(
      model.attempts.filter(({ replay }) => replay !== undefined).map(({ checkpoint }) => checkpoint),
      [undefined],
    );
    await destination.close();
  });

  test('go to nobody whose sink takes none', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination({ dedupe: 'key' });
    await world.fill(3);
    await world.publish();
    const destination = world.start(model);
    await caughtUp(world, destination);
    await world.ports.clock.pass(60_000);
    assert.equal(model.taken[0]?.checkpoint, undefined);
    assert.equal(destination.status().checkpoint, null);
    await destination.close();
  });
});

describe('checkpoints by themselves', () => {
  for (const [name, traits] of [
    ['a destination whose batches carry them', IN_BATCH],
    ['one whose batches do not', ALONE],
  ] as const) {
    test(`go to ${name} once it has everything, and again when the head is made fresh`, async () => {
      const world = new CheckpointWorld();
      const model = new ModelDestination(traits);
      await world.fill(25);
      const destination = world.start(model);
      await caughtUp(world, destination);
      await world.publish();
      assert.deepEqual((await world.checked(model)).alone, [25]);
      await world.ports.clock.pass(60_000);
      assert.equal(model.checkpoints.length, 1, 'the same one does not go twice');
      await world.publish();
      assert.deepEqual((await world.checked(model)).alone, [25, 25]);
      assert.notEqual(model.checkpoints[0]?.note, model.checkpoints[1]?.note);
      assert.deepEqual(destination.status().checkpoint, { size: 25, at: world.ports.clock.now(), fault: null });
      await destination.close();
      assert.equal(world.ports.clock.sleeping(), 0, 'nothing sleeps after it was closed');
    });
  }

  test('go at most once a second, the newest one', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(ALONE);
    const destination = world.start(model);
    await settle();
    for (let k = 1; k <= 8; k++) {
      await world.fill(1);
      await settle();
      await world.publish();
      await world.ports.clock.pass(250);
    }
    const sizes = model.checkpoints.map(({ size }) => size);
    assert.deepEqual((await world.checked(model)).alone, sizes);
    assert.ok(sizes.length >= 2 && sizes.length <= 3, `${sizes.length} in two seconds`);
    await world.ports.clock.pass(1_000);
    assert.equal(model.checkpoints.at(-1)?.size, 8);
    await destination.close();
  });

  test('over what is not there yet wait, while newer heads come all the time', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(ALONE);
    model.script.push(new WaybillError('SINK_BUSY', 'busy', { retryAfterMs: 3_000 }));
    await world.fill(15);
    await world.publish(12);
    const destination = world.start(model);
    await settle();
    await world.publish(14);
    assert.deepEqual(model.checkpoints, []);
    await world.fill(1_000);
    await world.publish();
    await caughtUp(world, destination);
    await world.ports.clock.pass(1_000);
    const { alone } = await world.checked(model);
    assert.equal(alone.at(-1), 1_015);
    assert.deepEqual(
      alone,
      alone.toSorted((a, b) => a - b),
    );
    await destination.close();
  });

  test('that are not taken stop nothing, are told, and make room for the next', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(ALONE);
    const conflict = new WaybillError('CHECKPOINT_CONFLICT', 'there is another one');
    model.checkpointScript.push(new WaybillError('SINK_UNAUTHORIZED', 'who are you'), conflict, 'lose');
    const destination = world.start(model);
    const told: (string | undefined)[] = [];
    for (let k = 1; k <= 4; k++) {
      await world.fill(1);
      await world.publish();
      await until(world, () => destination.status().lag === 0, 'entries go on');
      await world.ports.clock.pass(20_000);
      told.push(destination.status().checkpoint?.fault?.code);
    }
    assert.deepEqual(told, ['SINK_UNAUTHORIZED', 'CHECKPOINT_CONFLICT', 'SINK_ANSWER_LOST', undefined]);
    const { state, cursor, checkpoint } = destination.status();
    assert.deepEqual([state, cursor, checkpoint?.size], ['running', 4, 4]);
    assert.equal(world.ports.log.lines.filter(({ message }) => message === 'a destination has another history').length, 1);
    await destination.close();
  });

  test('never hold up a batch, even where one hangs', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(ALONE);
    model.checkpointScript.push('hang');
    const destination = world.start(model);
    await world.fill(1);
    await world.publish();
    await world.fill(50);
    await settle();
    assert.equal(destination.status().lag, 0);
    await destination.close();
    assert.equal(world.ports.clock.sleeping(), 0, 'nothing sleeps after it was closed');
  });

  test('do not go while it is paused or halted', async () => {
    const world = new CheckpointWorld();
    const model = new ModelDestination(ALONE);
    await world.fill(10);
    const destination = world.start(model);
    await caughtUp(world, destination);
    await destination.pause();
    await world.publish();
    await world.ports.clock.pass(5_000);
    assert.deepEqual(model.checkpoints, []);
    await destination.resume();
    await settle();
    assert.deepEqual((await world.checked(model)).alone, [10]);
    model.script.push(new WaybillError('SINK_UNAUTHORIZED', 'who are you'));
    await world.fill(1);
    await settle();
    assert.equal(destination.status().state, 'halted');
    await world.publish(10);
    await world.ports.clock.pass(5_000);
    assert.equal(model.checkpoints.length, 1);
    await destination.close();
  });
});
