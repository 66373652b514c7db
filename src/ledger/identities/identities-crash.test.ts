import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { IdentitiesWorld } from '../../../test/crash/identities-world.ts';
import type { Ending } from '../../../test/crash/step-disk.ts';
import { isWaybillError } from '../../contracts/errors.ts';

/** Opens, appends over several memtables with merges between, and closes, twice. */
async function work(world: IdentitiesWorld): Promise<void> {
  for (let life = 0; life < 2; life++) {
    await world.start();
    for (let n = 0; n < 21; n++) {
      await world.ready();
      world.append({ source: n % 2 === 0 ? 'app' : 'other', id: `life ${life} entry ${n}` });
      if (n % 3 === 0) world.flush();
    }
    world.flush();
    await world.quiet();
    await world.stop();
  }
}

/** Runs some work that ends with the process at one operation of the disk, or at its own end. True when the process ended. */
function runUntilEnd(world: IdentitiesWorld, endAt: number, job: () => Promise<void>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    world.disk.endAt = endAt;
    world.disk.onEnd = () => resolve(true);
    job().then(() => resolve(false), reject);
  });
}

/** How many operations of the disk `work` takes. */
async function stepsOfWork(): Promise<number> {
  const world = new IdentitiesWorld();
  await work(world);
  return world.disk.steps;
}

describe('the end of the process at any operation of the disk', () => {
  for (const ending of ['kill', 'power'] satisfies Ending[]) {
    test(`leaves an index that misses nothing (${ending})`, async () => {
      const most = await stepsOfWork();
      let ended = 0;
      let rebuilt = 0;
      for (let endAt = 1; endAt <= most; endAt++) {
        const world = new IdentitiesWorld({}, endAt);
        if (await runUntilEnd(world, endAt, () => work(world))) ended++;
        world.crash(ending);
        await world.start();
        if (world.warnings.some((line) => line.includes('is rebuilt'))) rebuilt++;
        assert.deepEqual(world.faults(), [], `after the end at operation ${endAt}`);
        for (let n = 0; n < 20; n++) {
          await world.ready();
          world.append({ source: 'app', id: `after ${n}` });
          world.flush();
        }
        await world.quiet();
        assert.deepEqual(world.faults(), [], `some time after the end at operation ${endAt}`);
        await world.stop();
      }
      // The seed decides names and with them the order of the files, so that the last few operations may not be reached.
      assert.ok(ended > most - 20, `only ${ended} of ${most} ends were tried`);
      assert.equal(rebuilt, 0, 'a crash alone never costs a rebuild');
    });
  }
});

describe('at any moment of the background work', () => {
  /** A world in which a flush began some turns ago, which leads to a merge. */
  async function busy(turns: number): Promise<IdentitiesWorld> {
    const world = new IdentitiesWorld({}, turns);
    await world.start();
    for (let n = 0; n < 16; n++) {
      world.append({ source: 'app', id: `e${world.entries.length}` });
      world.flush();
      if (n === 7) await world.quiet();
    }
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    return world;
  }

  test('a close ends all of it', async () => {
    for (let turns = 0; turns < 120; turns++) {
      const world = await busy(turns);
      await world.stop();
      const { steps } = world.disk;
      await world.quiet();
      assert.equal(world.disk.steps, steps, `something went on after the close at turn ${turns}`);
      await world.start();
      assert.deepEqual(world.faults(), []);
      await world.stop();
    }
  });

  test('a rebuild ends all of it and begins with nothing', async () => {
    for (let turns = 0; turns < 120; turns++) {
      const world = await busy(turns);
      for (const path of world.disk.paths().filter((name) => name.endsWith('.run'))) world.disk.flip(path, 9, 1);
      for (let tries = 0; world.warnings.length === 0 && tries < 200; tries++) world.tryFaults();
      await world.ready();
      await world.quiet();
      assert.deepEqual(world.faults(), []);
      assert.ok(world.open.facts().entries <= 16, `there are ${world.open.facts().entries} after a rebuild at turn ${turns}`);
      await world.stop();
    }
  });
});

type Plain = 'control' | 'flush' | 'quiet' | 'restart' | 'fill' | 'free';

type Action =
  | { readonly kind: 'append'; readonly count: number; readonly flush: boolean }
  | { readonly kind: Plain }
  | { readonly kind: 'crash'; readonly ending: Ending }
  | { readonly kind: 'damage'; readonly file: number; readonly at: number; readonly bit: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 40 }), flush: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom<Plain>('control', 'flush', 'quiet', 'restart', 'fill', 'free') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), ending: fc.constantFrom<Ending>('kill', 'power') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('damage' as const), file: fc.nat(), at: fc.nat(), bit: fc.nat(7) }) },
);

/** Looks everything up, again after a rebuild if the index finds out that it is damaged. */
async function check(world: IdentitiesWorld): Promise<void> {
  for (;;) {
    world.flush();
    // A rebuild on a full disk waits for space.
    world.disk.full = false;
    await world.ready();
    try {
      assert.deepEqual(world.faults(), []);
      return;
    } catch (error) {
      if (!isWaybillError(error)) throw error;
    }
  }
}

async function perform(world: IdentitiesWorld, step: Action): Promise<void> {
  if (step.kind === 'append') {
    for (let n = 0; n < step.count; n++) {
      if (world.open.ready() !== null) {
        if (world.disk.full) break;
        // What was numbered becomes durable sooner or later; without that the index waits for good.
        world.flush();
        await world.ready();
      }
      world.appendOrRetry({ source: n % 3 === 0 ? 'a' : 'b', id: `${world.entries.length} in ${world.disk.steps}` });
    }
    if (step.flush) world.flush();
  } else if (step.kind === 'control') world.appendControl();
  else if (step.kind === 'flush') world.flush();
  else if (step.kind === 'quiet') await world.pause();
  else if (step.kind === 'fill') world.disk.full = true;
  else if (step.kind === 'free') world.disk.full = false;
  else if (step.kind === 'damage') world.damage(step.file, step.at, step.bit);
  else {
    world.disk.full = false;
    if (step.kind === 'crash') world.crash(step.ending);
    else {
      world.flush();
      await world.stop();
    }
    await world.start();
  }
}

test('the index is a map from identities to indexes, whatever happens to it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(action, { minLength: 1, maxLength: 25 }),
      fc.constantFrom(8, 20, 64),
      async (seed, steps, entries) => {
        const world = new IdentitiesWorld({ memtableEntries: entries }, seed);
        await world.start();
        for (const step of steps) await perform(world, step);
        await check(world);
        await world.quiet();
        await check(world);
        await world.stop();
        await world.start();
        await check(world);
        await world.stop();
      },
    ),
    {
      numRuns: 300,
      // A merge meets the damage while the index is being opened.
      examples: [
        [
          1724011837,
          [
            { kind: 'append', count: 26, flush: true },
            { kind: 'crash', ending: 'power' },
            { kind: 'damage', file: 1610376878, at: 1463839939, bit: 2 },
            { kind: 'append', count: 17, flush: true },
            { kind: 'damage', file: 2136828684, at: 1077586282, bit: 7 },
            { kind: 'crash', ending: 'kill' },
          ],
          8,
        ],
      ],
    },
  );
});
