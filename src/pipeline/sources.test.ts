import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ListSource } from '../../test/doubles/list-source.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { entriesOf, openTestIntake } from '../../test/doubles/open-test-intake.ts';
import { BrokenInvariant } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Source } from '../contracts/source.ts';
import { pullSource } from './sources.ts';

const BATCHES = [['{"id":"a"}'], ['{"id":"b"}'], ['{"id":"c"}']];

/** A source whose `failures`, by attempt, come after its first batch. */
async function start(failures: readonly (() => Error)[]) {
  const it = await openTestIntake();
  let opened = 0;
  let closed = 0;
  const open = async (): Promise<Source> => {
    const failure = failures[opened++];
    const list = new ListSource(BATCHES);
    return {
      async *batches(after, signal) {
        for await (const batch of list.batches(after, signal)) {
          yield batch;
          if (failure !== undefined) throw failure();
        }
      },
      facts: () => ({ lagBytes: 7, problems: [] }),
      close: async () => void (closed += 1),
    };
  };
  const source = pullSource({ name: 'app', open, ...it });
  await settle();
  return { ...it, source, opened: () => opened, closed: () => closed, ids: () => entriesOf(it.ledger).map(({ id }) => id) };
}

describe('a pull source at work', () => {
  test('is read, and ends when it is closed', async () => {
    const it = await start([]);
    assert.deepEqual(it.source.status(), { state: 'running', error: null, positions: 1, lagBytes: 7, problems: [] });
    await it.source.close();
    assert.deepEqual([it.ids(), it.opened(), it.closed()], [['a', 'b', 'c'], 1, 1]);
  });

  test('is tried again by itself after what may succeed later, with growing pauses, without a gap or a repeat', async () => {
    const gone = () => new WaybillError('SINK_UNREACHABLE', 'gone for a while');
    const it = await start([gone, gone]);
    assert.equal(it.source.status().state, 'waiting');
    assert.equal(it.source.status().error?.code, 'SINK_UNREACHABLE');
    await it.ports.clock.pass(499);
    assert.equal(it.opened(), 1);
    await it.ports.clock.pass(1);
    assert.equal(it.opened(), 2);
    await it.ports.clock.pass(500);
    assert.equal(it.opened(), 2);
    await it.ports.clock.pass(500);
    assert.deepEqual([it.opened(), it.source.status().state, it.source.status().error], [3, 'running', null]);
    assert.deepEqual(it.ids(), ['a', 'b', 'c']);
    await it.source.close();
    assert.equal(it.closed(), 3);
  });

  test('halts where a person has to act, until it is told to try again', async () => {
    const it = await start([() => new WaybillError('DISK_FAILED', 'no')]);
    await it.ports.clock.pass(3_600_000);
    assert.deepEqual([it.opened(), it.source.status().state], [1, 'halted']);
    it.source.retry();
    await settle();
    assert.deepEqual([it.opened(), it.source.status().state], [2, 'running']);
    assert.deepEqual(it.ids(), ['a', 'b', 'c']);
    await it.source.close();
  });

  test('halts with a code of its own where the source has no word for it', async () => {
    const it = await start([() => new TypeError('odd')]);
    assert.deepEqual([it.source.status().state, it.source.status().error?.code], ['halted', 'SOURCE_FAILED']);
    await it.source.close();
    assert.equal(it.opened(), 1);
  });

  test('a broken promise of this program ends the process', async () => {
    const it = await start([() => new BrokenInvariant('never')]);
    assert.match(String(await it.source.failed), /never/);
    await it.source.close();
  });

  test('a halted source can be closed', async () => {
    const it = await start([() => new WaybillError('DISK_FAILED', 'no')]);
    await it.source.close();
    assert.equal(it.opened(), 1);
  });
});
