import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Disk } from '../../src/contracts/ports.ts';
import { VirtualDisk } from './disk.ts';
import { CALM_DISK } from './scenario.ts';
import { type Life, World } from './world.ts';

const TEXT = Buffer.from('waybill '.repeat(300));

interface Bench {
  readonly world: World;
  readonly disk: VirtualDisk;
  readonly life: Life;
  readonly port: Disk;
}

function bench(seed: number): Bench {
  const world = new World(seed);
  const disk = new VirtualDisk(world, CALM_DISK);
  const life = world.begin();
  return { world, disk, life, port: disk.portOf(life) };
}

async function run(world: World, work: () => Promise<void>): Promise<void> {
  world.watch('work', work());
  await world.run(world.time + 1_000);
  if (world.violation !== null) throw world.violation;
}

function powerCut({ disk, life }: Bench): void {
  life.end();
  disk.kill(life);
  disk.cutPower();
}

describe('virtual disk', () => {
  test('synced bytes under a synced name survive a power cut', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const it = bench(seed);
      await run(it.world, async () => {
        await it.port.makeDirectory('/data');
        const file = await it.port.open('/data/a', 'create');
        await file.commit(TEXT, 0);
        await it.port.syncDirectory('/data');
      });
      powerCut(it);
      assert.deepEqual(Buffer.from(it.disk.peek('/data/a') as Uint8Array), TEXT);
    }
  });

  test('unsynced bytes survive a kill; a power cut leaves them whole, in part, damaged or not at all', async () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 200; seed++) {
      const it = bench(seed);
      await run(it.world, async () => {
        const file = await it.port.open('/a', 'create');
        await it.port.syncDirectory('/');
        await file.commit(TEXT.subarray(0, 512), 0);
        await file.write(TEXT.subarray(512), 512);
      });
      it.life.end();
      it.disk.kill(it.life);
      assert.deepEqual(Buffer.from(it.disk.peek('/a') as Uint8Array), TEXT);
      it.disk.cutPower();
      const left = Buffer.from(it.disk.peek('/a') as Uint8Array);
      assert.deepEqual(left.subarray(0, 512), TEXT.subarray(0, 512));
      if (left.length === 512) outcomes.add('lost');
      else if (left.equals(TEXT)) outcomes.add('whole');
      else if (TEXT.subarray(0, left.length).equals(left)) outcomes.add('prefix');
      else if (left.subarray(512).every((byte) => byte === 0)) outcomes.add('hollow');
      else outcomes.add('damaged');
    }
    assert.deepEqual([...outcomes].sort(), ['damaged', 'hollow', 'lost', 'prefix', 'whole']);
  });

  test('what was written is what was there then, whatever becomes of the buffer, and nothing is done to the buffer', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const it = bench(seed);
      const buffer = Buffer.from(TEXT);
      await run(it.world, async () => {
        const file = await it.port.open('/a', 'create');
        await file.write(buffer, 0);
        powerCut(it);
      });
      assert.deepEqual(buffer, TEXT, 'a torn sector is one of the disk');
    }
    const it = bench(1);
    await run(it.world, async () => {
      const buffer = Buffer.from(TEXT);
      const file = await it.port.open('/a', 'create');
      await file.write(buffer, 0);
      buffer.fill(0);
      await file.sync();
      assert.deepEqual(Buffer.from(it.disk.peek('/a') ?? []), TEXT);
    });
  });

  test('a name is lost with the power until its directory was synced', async () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const it = bench(seed);
      await run(it.world, async () => {
        const file = await it.port.open('/new', 'create');
        await file.commit(TEXT, 0);
        await it.port.syncDirectory('/');
        await it.port.rename('/new', '/old');
      });
      powerCut(it);
      outcomes.add(it.disk.peek('/new') === null ? (it.disk.peek('/old') === null ? 'gone' : 'renamed') : 'as before');
    }
    assert.deepEqual([...outcomes].sort(), ['as before', 'renamed']);
  });

  test('a failed sync promises nothing, and the file takes nothing more', async () => {
    const it = bench(5);
    await run(it.world, async () => {
      const file = await it.port.open('/a', 'create');
      await file.write(TEXT, 0);
      it.disk.odds = { ...CALM_DISK, fail: 1 };
      await assert.rejects(file.sync(), /EIO/);
      it.disk.odds = CALM_DISK;
      await assert.rejects(file.sync(), /uncertain/);
    });
  });

  test('a full disk takes what fits, and overwrites', async () => {
    const it = bench(6);
    await run(it.world, async () => {
      const file = await it.port.open('/a', 'create');
      await file.write(TEXT.subarray(0, 1_000), 0);
      it.disk.capacity = 1_500;
      await file.write(TEXT.subarray(0, 1_000), 0);
      await assert.rejects(file.write(TEXT.subarray(0, 1_000), 1_000), { code: 'DISK_FULL' });
      assert.equal(await file.length(), 1_500);
      await assert.rejects(it.port.open('/b', 'create'), { code: 'DISK_FULL' });
    });
  });

  test('a lock is held by a paused process and freed by a dead one', async () => {
    const it = bench(7);
    const second = it.world.begin();
    await run(it.world, async () => {
      await it.port.lock('/lock');
      await assert.rejects(it.disk.portOf(second).lock('/lock'), { code: 'LEDGER_LOCKED' });
      it.life.end();
      it.disk.kill(it.life);
      await it.disk.portOf(second).lock('/lock');
    });
  });

  test('calls of one file take effect in their order', async () => {
    const it = bench(8);
    await run(it.world, async () => {
      const file = await it.port.open('/a', 'create');
      const writes = Array.from({ length: 20 }, (_, at) => file.write(Buffer.from([at]), 0));
      const read = await file.read(0, 1);
      assert.equal(read[0], 19);
      await Promise.all(writes);
    });
  });
});
