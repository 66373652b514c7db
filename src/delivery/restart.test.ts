import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { caughtUp, DeliveryWorld, diedInDoubt, journalOf, lines, until, upTo } from '../../test/doubles/delivery-world.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { BrokenInvariant } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';

import { journalKey } from './records.ts';

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
    const { world, model, dead: first } = await diedInDoubt(25, 2);
    const second = world.open(model, { batch: { entries: 3 } });
    await caughtUp(world, second);
    const [, lost, again] = model.attempts;
    assert.deepEqual(again, lost);
    assert.deepEqual(model.indexes(), upTo(25));
    await second.close();
    await first.close();
  });

  test('a batch in doubt whose bytes would be others is not sent, until a person says so', async () => {
    const { world, model, dead: first } = await diedInDoubt(5);
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

  test('a verb that meets a restart is done, or says that it was not and is to be asked again', async () => {
    const world = new DeliveryWorld();
    await world.fill(5);
    const model = new ModelDestination({ dedupe: 'key' });
    const first = world.open(model);
    await caughtUp(world, first);
    world.ledger.hold();
    const paused = first.pause();
    const closed = first.close();
    const refused = { code: 'COMMAND_REFUSED', message: /lake is being stopped or restarted: ask again/ };
    await assert.rejects(first.resume(), refused);
    await assert.rejects(first.replay(0 as never, 1 as never), refused);
    world.ledger.flush();
    await closed;
    await paused;
    const second = world.open(model);
    await settle();
    assert.equal(second.status().state, 'paused');
    await second.close();
  });

  test('a cancellation that a restart forgets says so', async () => {
    const world = new DeliveryWorld();
    await world.fill(5);
    const model = new ModelDestination({ dedupe: 'key' });
    const first = world.open(model);
    await caughtUp(world, first);
    model.script.push('hang');
    await first.replay(0 as never, 1 as never);
    await until(world, () => model.writing === 1, 'the replay is in flight');
    const cancelled = assert.rejects(first.cancel(), { code: 'COMMAND_REFUSED', message: /ask again/ });
    await first.close();
    await cancelled;
    const second = world.open(model);
    await until(world, () => second.status().side === null, 'the replay has ended');
    await second.close();
  });

  test('a snapshot of the ledger changes nothing', async () => {
    const { world, model, dead: first } = await diedInDoubt(25, 2, ({ ledger }) => ledger.snapshot());
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
    assert.deepEqual(kinds[1]?.toSorted(), ['paused', 'paused', 'resumed']);
    // What is left is still written, and waited for.
    let closed = false;
    const closing = destination.close().then(() => (closed = true));
    await settle();
    assert.equal(closed, false);
    held.shift()?.();
    await closing;
    assert.equal(held.length, 0);
  });

  test('that was full is tried once more by a close, so that what was taken does not go again', async () => {
    const world = new DeliveryWorld();
    await world.fill(10);
    const { journal } = world.ledger;
    const append = journal.append.bind(journal);
    const model = new ModelDestination({ dedupe: 'none' });
    let space = false;
    // The intent still fits; what comes of it does not.
    journal.append = async (key, record) => {
      if (model.attempts.length > 0 && !space) throw new WaybillError('LEDGER_FULL', 'no space');
      return append(key, record);
    };
    const first = world.open(model);
    await settle();
    assert.deepEqual([first.status().error?.code, model.attempts.length], ['LEDGER_FULL', 1]);
    // There is space again, and the pause before the next try is not over.
    space = true;
    await first.close();
    const second = world.open(model);
    await settle();
    assert.deepEqual([second.status().cursor, model.attempts.length], [10, 1]);
    await second.close();
  });

  test('is all that counts after a close: the same key goes on in the same process, also when the last records were refused', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const { journal } = world.ledger;
    const append = journal.append.bind(journal);
    const model = new ModelDestination();
    const first = world.open(model, { batch: { entries: 10 } });
    await settle();
    assert.equal(first.status().cursor, 25);
    let full = true;
    journal.append = async (key, record) => {
      if (full) throw new WaybillError('LEDGER_FULL', 'the reserved part is used up');
      return append(key, record);
    };
    // These are known to the destination, and never get into the journal.
    const refused = [first.pause(), first.resume(), first.pause()].map((verb) => verb.catch(() => 'refused'));
    await settle();
    const closing = first.close();
    await world.ports.clock.pass(1_000);
    await closing;
    assert.deepEqual(await Promise.all(refused), ['refused', 'refused', 'refused']);
    full = false;
    world.ledger.snapshot();
    const second = world.open(model);
    await settle();
    assert.equal(second.status().state, 'running');
    await second.pause();
    await second.close();
    world.ledger.snapshot();
    const third = world.open(model);
    await settle();
    assert.deepEqual([third.status().state, third.status().cursor], ['paused', 25]);
    await third.close();
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
