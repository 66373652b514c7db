import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DIRECTORY, IdentitiesWorld } from '../../../test/crash/identities-world.ts';
import { isWaybillError } from '../../contracts/errors.ts';

const runOf = (path: string): boolean => path.endsWith('.run');

async function append(world: IdentitiesWorld, count: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    await world.ready();
    world.append({ source: 'app', id: `e${world.entries.length}` });
    world.flush();
  }
}

describe('an index of identities', () => {
  test('finds what was added and nothing else, in memory and on disk', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    for (let round = 0; round < 40; round++) {
      await append(world, 7);
      assert.deepEqual(world.faults(), []);
    }
    await world.quiet();
    assert.deepEqual(world.faults(), []);
    assert.ok(world.open.facts().entries >= 240, 'most of them are in runs');
  });

  test('the same identity of another source is another one', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    for (const source of ['a', 'b', 'ab']) world.append({ source, id: 'x' });
    world.append({ source: 'a', id: 'bx' });
    assert.deepEqual(world.faults(), []);
  });

  test('keeps the number of runs near the logarithm of what is in them', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    await append(world, 8 * 64);
    await world.quiet();
    const { runs, entries } = world.open.facts();
    assert.equal(entries, 512);
    assert.ok(runs <= 7, `there are ${runs} runs`);
    const files = world.disk.paths().filter(runOf);
    assert.equal(files.length, runs, 'merged runs leave no file behind');
  });

  test('reads after a clean end only what is not in runs, and nothing when all is', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    await append(world, 29);
    world.appendControl();
    world.flush();
    await world.stop();
    await world.start();
    assert.equal(world.open.watermark(), 29);
    assert.ok(world.replayed <= 2, `it read ${world.replayed} entries`);
    assert.deepEqual(world.faults(), []);
  });

  test('reads after a kill only what lies above the watermark', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    await append(world, 45);
    await world.quiet();
    const watermark = world.open.watermark();
    assert.equal(watermark, 40);
    world.crash('kill');
    await world.start();
    assert.equal(world.replayed, 45 - 40 + 1, 'those above, and the one below that it compares');
    assert.deepEqual(world.faults(), []);
  });

  test('does not write down entries that are not durable', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    for (let n = 0; n < 20; n++) world.append({ source: 'app', id: `lost${n}` });
    await world.quiet();
    assert.equal(world.open.watermark(), 0);
    world.crash('kill');
    await world.start();
    assert.deepEqual(world.find({ source: 'app', id: 'lost3' }), []);
    await append(world, 30);
    await world.quiet();
    assert.deepEqual(world.faults(), []);
    assert.deepEqual(world.find({ source: 'app', id: 'lost3' }), []);
  });

  test('asks to wait when the disk is slower than the events, and loses nothing when nobody waits', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    for (let n = 0; n < 24; n++) world.append({ source: 'app', id: `e${n}` });
    const wait = world.open.ready();
    assert.notEqual(wait, null);
    for (let n = 24; n < 200; n++) world.append({ source: 'app', id: `e${n}` });
    world.flush();
    await wait;
    assert.deepEqual(world.faults(), []);
    await world.quiet();
    assert.equal(world.open.ready(), null);
    assert.deepEqual(world.faults(), []);
  });

  test('a full disk stops nothing but more, and it goes on by itself', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    world.disk.full = true;
    for (let n = 0; n < 24; n++) world.append({ source: 'app', id: `e${n}` });
    world.flush();
    let waiting = true;
    const wait = world.open.ready();
    assert.notEqual(wait, null);
    void wait?.then(() => (waiting = false));
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(waiting, true);
    assert.deepEqual(world.faults(), []);
    world.disk.full = false;
    await wait;
    await world.quiet();
    assert.equal(world.open.ready(), null);
    assert.equal(world.open.watermark(), 24);
    assert.deepEqual(world.faults(), []);
    assert.ok(world.warnings.some((line) => line.includes('no space left')));
  });

  test('closes on a full disk, and the next start has everything', async () => {
    const world = new IdentitiesWorld();
    await world.start();
    await append(world, 20);
    await world.quiet();
    world.disk.full = true;
    await append(world, 10);
    await world.stop();
    world.disk.full = false;
    await world.start();
    assert.deepEqual(world.faults(), []);
  });

  test('stays within its memory, filters or not', async () => {
    for (const memoryBytes of [66_000, 68_000, 90_000, 1 << 20]) {
      const world = new IdentitiesWorld({ memoryBytes, memtableEntries: 16 });
      await world.start();
      let most = 0;
      for (let round = 0; round < 200; round++) {
        await append(world, 16);
        most = Math.max(most, world.open.facts().memoryBytes);
      }
      await world.quiet();
      assert.deepEqual(world.faults(), []);
      const fences = 4096;
      assert.ok(most <= Math.max(memoryBytes, 65_536 + 3 * 512 + fences), `${most} bytes of ${memoryBytes}`);
    }
  });
});

describe('an index of identities that cannot be used', () => {
  async function grown(): Promise<IdentitiesWorld> {
    const world = new IdentitiesWorld();
    await world.start();
    await append(world, 8 * 13 + 3);
    await world.quiet();
    await world.stop();
    return world;
  }

  test('is rebuilt when a file is lost', async () => {
    const files = (await grown()).disk.paths();
    for (let at = 0; at < files.length; at++) {
      const world = await grown();
      world.disk.lose(world.disk.paths()[at] as string);
      await world.start();
      assert.deepEqual(world.faults(), []);
      assert.ok(world.replayed >= world.entries.length, 'it reads every entry');
    }
  });

  test('is rebuilt, at the start or when it is met, whatever bit is damaged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(7), async (file, at, bit) => {
        const world = await grown();
        const paths = world.disk.paths();
        const path = paths[file % paths.length] as string;
        world.disk.flip(path, at % world.disk.lengthOf(path), bit);
        await world.start();
        await faultsWhileRebuilding(world);
        await append(world, 40);
        await world.quiet();
        assert.deepEqual(await faultsWhileRebuilding(world), []);
      }),
      { numRuns: 150 },
    );
  });

  test('is rebuilt while the process runs, and nothing is looked up meanwhile', async () => {
    const world = await grown();
    await world.start();
    for (const path of world.disk.paths().filter(runOf)) for (let at = 5; at < 4096; at += 512) world.disk.flip(path, at, 1);
    assert.throws(
      () => world.faults(),
      (error) => isWaybillError(error) && error.code === 'IDENTITIES_REBUILDING' && error.remedy === 'retry',
    );
    assert.equal(world.open.facts().rebuilding, true);
    await world.ready();
    assert.equal(world.open.facts().rebuilding, false);
    assert.deepEqual(world.faults(), []);
    assert.ok(world.warnings.some((line) => line.includes('damaged block')));
    await append(world, 40);
    assert.deepEqual(world.faults(), []);
    await world.stop();
    await world.start();
    assert.deepEqual(world.faults(), []);
  });

  test('misses nothing that is added while it is being rebuilt', async () => {
    for (let every = 1; every < 8; every++) {
      const world = await grown();
      await world.start();
      for (const path of world.disk.paths().filter(runOf)) world.disk.flip(path, 5, 1);
      assert.throws(() => world.faults());
      let added = 0;
      for (let turn = 0; world.open.facts().rebuilding; turn++) {
        // Not for ever: it ends once it has read all that there is.
        if (turn % every === 0 && added < 30) world.appendAssigned({ source: 'app', id: `assigned${added++}` });
        if (turn % 3 === 0) world.flush();
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (let n = 0; n < 20; n++) world.appendAssigned({ source: 'app', id: `after${n}` });
      assert.ok(added > 3);
      assert.deepEqual(world.faults(), []);
      world.flush();
      await world.stop();
    }
  });

  test('closes while it is being rebuilt, also on a full disk', async () => {
    const world = await grown();
    await world.start();
    for (const path of world.disk.paths().filter(runOf)) world.disk.flip(path, 5, 1);
    world.disk.full = true;
    assert.throws(() => world.faults());
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
    await world.stop();
    world.disk.full = false;
    await world.start();
    assert.deepEqual(world.faults(), []);
  });

  test('refuses a ledger that has lost its end, and changes nothing', async () => {
    const world = await grown();
    const before = world.disk.paths();
    world.durable = 50;
    world.crash('kill');
    for (let start = 0; start < 2; start++)
      await assert.rejects(world.start(), { code: 'LEDGER_REWOUND', message: /knows 1\d\d entries, and the ledger has 50/ });
    assert.deepEqual(world.disk.paths(), before);
    assert.equal(world.disk.openFiles, 0);
  });

  test('is rebuilt when the ledger is another one', async () => {
    const world = await grown();
    const other = new IdentitiesWorld();
    await other.start();
    for (let n = 0; n < 200; n++) {
      await other.ready();
      other.append({ source: 'other', id: `o${n}` });
      other.flush();
    }
    world.entries = other.entries;
    world.durable = other.durable;
    await world.start();
    assert.ok(world.warnings.some((line) => line.includes('another entry')));
    const found = world.find({ source: 'other', id: 'o5' });
    assert.deepEqual(found, [5]);
    assert.deepEqual(world.find({ source: 'app', id: 'e5' }), []);
  });

  test('says which identities it has to forget when the ledger does not keep their entries', async () => {
    const world = await grown();
    world.beginning = 40;
    world.disk.lose(`${DIRECTORY}/manifest`);
    await world.start();
    assert.deepEqual(world.find({ source: 'app', id: 'e40' }), [40]);
    assert.ok(world.warnings.some((line) => line.includes('"below":40')));
  });

  test('an entry that is none stops the start and names it', async () => {
    const world = await grown();
    world.disk.lose(`${DIRECTORY}/manifest`);
    world.entries[17] = new TextEncoder().encode('{"v":2}');
    await assert.rejects(world.start(), (error) => isWaybillError(error) && error.code === 'LEDGER_CORRUPT' && /17/.test(error.message));
  });
});

/** Looks everything up, as often as it takes with an index that may find out on the way that it is damaged. */
async function faultsWhileRebuilding(world: IdentitiesWorld): Promise<string[]> {
  for (;;) {
    await world.ready();
    try {
      return world.faults();
    } catch (error) {
      if (!isWaybillError(error) || error.code !== 'IDENTITIES_REBUILDING') throw error;
    }
  }
}
