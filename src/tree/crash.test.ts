import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ending } from '../../test/crash/step-disk.ts';
import { DIRECTORY, naiveRoot, naiveTile, ORIGIN, TreeWorld } from '../../test/crash/tree-world.ts';
import { asSize } from '../contracts/units.ts';
import { tilesOf } from '../tlog/tile.ts';
import { readEdgeFile } from './edge-file.ts';
import { Packs } from './packs.ts';

/** Grows over several tiles with an edge stored now and then, twice, and lets retention have the older half. */
async function work(world: TreeWorld): Promise<void> {
  for (let life = 0; life < 2; life++) {
    await world.start();
    for (let k = 0; k < 4; k++) await world.grow(world.size + 290);
    await world.open.pin(asSize(256 * (2 + life)));
    await world.grow(world.size + 130);
    await world.stop();
  }
}

/** Runs some work that ends with the process at one operation of the disk, or at its own end. True when the process ended. */
function runUntilEnd(world: TreeWorld, endAt: number, job: () => Promise<void>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    world.disk.endAt = endAt;
    world.disk.onEnd = () => resolve(true);
    job().then(() => resolve(false), reject);
  });
}

/** What the stored edge covers and is not in the packs. */
async function lacking(world: TreeWorld): Promise<string[]> {
  const disk = world.disk.start();
  const stored = await readEdgeFile(disk, DIRECTORY);
  if (stored.kind !== 'top') return stored.kind === 'none' ? [] : [stored.kind];
  const packs = new Packs(`${DIRECTORY}/packs`, ORIGIN, { disk });
  const faults: string[] = [];
  for (const { level, n, width } of tilesOf(stored.top.edge.size)) {
    if (level === 'entries') continue;
    const tile = width === 256 ? await packs.read(level, n) : stored.top.tiles[level];
    if (tile === null || tile === undefined || !naiveTile(level, n, width).equals(tile)) faults.push(`${level}/${n}.p/${width}`);
  }
  await packs.close();
  return faults;
}

describe('the end of the process at any operation of the disk', () => {
  for (const ending of ['kill', 'power'] satisfies Ending[]) {
    test(`leaves an edge that covers only what is durable, and the same tree (${ending})`, async () => {
      const whole = new TreeWorld({ storeEvery: 300 });
      await work(whole);
      for (let endAt = 1; endAt <= whole.disk.steps; endAt++) {
        const world = new TreeWorld({ storeEvery: 300, seed: endAt });
        assert.ok(await runUntilEnd(world, endAt, () => work(world)), `the work ended before operation ${endAt}`);
        world.crash(ending);
        assert.deepEqual(await lacking(world), [], `after the end at operation ${endAt}`);
        await world.start();
        await world.grow(world.size + 600);
        assert.equal(world.open.head().root, naiveRoot(0, world.size).toString('base64'), `operation ${endAt}`);
        for (const { level, n, width } of tilesOf(world.size)) {
          if (level === 'entries') continue;
          const tile = await world.open.tile(level, n, width);
          assert.ok(tile !== null && naiveTile(level, n, width).equals(tile), `tile ${level}/${n}.p/${width}, operation ${endAt}`);
        }
        assert.deepEqual(world.warnings, [], `a crash alone costs nothing, operation ${endAt}`);
        await world.stop();
      }
    });
  }

  test('also where a pack is full', async () => {
    const start = async (seed: number): Promise<TreeWorld> => {
      const world = new TreeWorld({ storeEvery: 1_000, seed });
      await world.start();
      await world.grow(65_000);
      await world.stop();
      return world;
    };
    const over = async (world: TreeWorld): Promise<void> => {
      await world.start();
      await world.grow(65_700);
      await world.grow(66_100);
      await world.stop();
    };
    const whole = await start(1);
    const before = whole.disk.steps;
    await over(whole);
    for (let endAt = before + 1; endAt <= whole.disk.steps; endAt++) {
      const world = await start(endAt);
      await runUntilEnd(world, endAt, () => over(world));
      world.crash(endAt % 2 === 0 ? 'power' : 'kill');
      world.size = Math.max(world.size, 65_700);
      await world.start();
      await world.reached();
      for (const [level, n] of [
        [0, 254],
        [0, 255],
        [1, 0],
      ] as const) {
        const tile = await world.open.tile(level, n, 256);
        assert.ok(tile !== null && naiveTile(level, n, 256).equals(tile), `tile ${level}/${n}, operation ${endAt}`);
      }
      assert.deepEqual(world.warnings, []);
      await world.stop();
    }
  });
});
