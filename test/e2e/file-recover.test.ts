import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { native } from '../../src/codecs/native.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import type { Sink } from '../../src/contracts/sink.ts';
import type { Index } from '../../src/contracts/units.ts';
import type { Destination } from '../../src/delivery/destination.ts';
import { openDisk } from '../../src/runtime/disk.ts';
import { file } from '../../src/sinks/file.ts';
import { DeliveryWorld, upTo } from '../doubles/delivery-world.ts';

/** The disk is real and the clock is not: both get time until a condition holds. */
async function until(world: DeliveryWorld, condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 5_000; turn++) {
    if (condition()) return;
    await sleep(2);
    await world.ports.clock.pass(10);
  }
  throw new Error(`it never came true that ${what}`);
}

function caughtUp(world: DeliveryWorld, destination: Destination): Promise<void> {
  return until(world, () => destination.status().lag === 0, 'the destination has caught up');
}

/** The process dies: what is not durable is lost, and its lock is free. */
async function die(world: DeliveryWorld, destination: Destination): Promise<void> {
  world.crash();
  let closed = false;
  const closing = destination.close().then(() => {
    closed = true;
  });
  for (let turn = 0; turn < 100 && !closed; turn++) {
    await sleep(2);
    await world.ports.clock.pass(1_000);
  }
  await closing;
}

/** A ledger in memory and the real file sink on the real disk. */
function open(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-recover-'));
  const disk = openDisk();
  t.after(async () => {
    await disk.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const path = join(directory, 'audit.ndjson');
  const world = new DeliveryWorld();
  /** `writes`: how many writes come through before the disk hangs for good. */
  const deliver = (writes = Number.POSITIVE_INFINITY): Destination => {
    let left = writes;
    return world.open(undefined as never, {
      codec: native,
      batch: { entries: 4 },
      control: 'none',
      openSink: async (context) => {
        const sink = await file.open({ path }, { ...context, ports: { ...world.ports, disk } as unknown as Ports });
        const write: Sink['write'] = (batch, signal) => {
          left -= 1;
          return left < 0 ? new Promise(() => {}) : sink.write(batch, signal);
        };
        return {
          traits: sink.traits,
          write,
          next: (signal) => (sink.next as NonNullable<Sink['next']>)(signal),
          close: () => sink.close(),
        };
      },
    });
  };
  const indexes = (): number[] =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { index: number }).index);
  return { world, path, deliver, indexes };
}

async function filled(t: TestContext) {
  const it = open(t);
  await it.world.fill(40);
  const first = it.deliver();
  await caughtUp(it.world, first);
  await first.close();
  return it;
}

const lostData = (destination: Destination): boolean => destination.status().error?.code === 'DESTINATION_LOST_DATA';

test('a file that lost its end is filled, also when the process dies in the middle of that', async (t) => {
  const { world, path, deliver, indexes } = await filled(t);
  const lines = readFileSync(path, 'utf8').split('\n');
  truncateSync(path, Buffer.byteLength(`${lines.slice(0, 10).join('\n')}\n`));
  const second = deliver(3);
  await until(world, () => lostData(second), 'the loss is seen');
  assert.deepEqual(second.status().lacks, { from: 10, through: 39 });
  await second.recover(10 as Index, 39 as Index);
  await until(world, () => second.status().side?.cursor === 22, 'a part of it is filled');
  await die(world, second);
  const third = deliver();
  await until(world, () => third.status().side === null && third.status().state === 'running', 'the recovery goes on and ends');
  assert.equal(third.status().state, 'running');
  assert.deepEqual(indexes(), upTo(40));
  await third.close();
});

test('a recovery that was cancelled is not taken for a whole one after a restart', async (t) => {
  const { world, path, deliver, indexes } = await filled(t);
  const text = readFileSync(path, 'utf8').split('\n');
  writeFileSync(path, `${text.slice(0, 10).join('\n')}\n`);
  const second = deliver(2);
  await until(world, () => lostData(second), 'the loss is seen');
  await second.recover(10 as Index, 39 as Index);
  await until(world, () => second.status().side?.cursor === 18, 'a part of it is filled');
  await die(world, second);
  const third = deliver(0);
  await until(world, () => third.status().head?.inFlight === true, 'it goes on');
  const cancelled = third.cancel();
  await until(world, () => third.status().side === null, 'what was in flight is given up');
  await cancelled;
  await die(world, third);
  const fourth = deliver();
  await until(world, () => fourth.status().side === null && lostData(fourth), 'what is still missing is seen');
  assert.deepEqual(fourth.status().lacks, { from: 18, through: 39 });
  await fourth.recover(18 as Index, 39 as Index);
  await until(world, () => fourth.status().side === null && fourth.status().state === 'running', 'all is filled');
  assert.deepEqual(indexes(), upTo(40));
  await fourth.close();
});

test('a file that somebody restored is taken as it is, without a restart', async (t) => {
  const { world, path, deliver, indexes } = await filled(t);
  const text = readFileSync(path);
  unlinkSync(path);
  const second = deliver();
  await until(world, () => lostData(second), 'the loss is seen');
  writeFileSync(path, text);
  await second.retry();
  await until(world, () => second.status().state === 'running', 'it goes on');
  await world.fill(5);
  await caughtUp(world, second);
  assert.deepEqual(indexes(), upTo(45));
  await second.close();
});
