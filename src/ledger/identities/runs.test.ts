import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StepDisk } from '../../../test/crash/step-disk.ts';
import { createChance } from '../../../test/sim/chance.ts';
import type { Disk } from '../../contracts/ports.ts';
import { planFilter } from './filter.ts';
import { FLUSH_JOB, identityJobs, MERGE_JOB } from './jobs.ts';
import { Memtable } from './memtable.ts';
import type { MergeAnswer } from './merge.ts';
import { Run, RunDamaged } from './run.ts';
import { BLOCK_ENTRIES, BlockBuffer } from './run-format.ts';

type Item = readonly [high: number, low: number, index: number];

const DIRECTORY = 'runs';

/** Few different values, so that fingerprints collide in one half, or in both. */
const half = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.constantFrom(0, -1, 1, 2 ** 31 - 1, -(2 ** 31)));

function memtableOf(items: readonly Item[]): Memtable {
  const table = new Memtable(16);
  for (const [high, low, index] of items) table.add(high, low, index);
  return table;
}

async function write(disk: Disk, name: string, items: readonly Item[], filterBytes: number): Promise<void> {
  const { words, count } = memtableOf(items);
  await identityJobs(disk)[FLUSH_JOB]?.({ path: `${DIRECTORY}/${name}`, words, count, filter: planFilter(count, filterBytes) });
}

async function open(disk: Disk, name: string): Promise<Run> {
  const run = await Run.open(disk, DIRECTORY, name, new BlockBuffer());
  await run.loadFilter();
  return run;
}

function expected(items: readonly Item[], high: number, low: number): number[] {
  return items.filter((item) => item[0] === high && item[1] === low).map((item) => item[2]);
}

function found(in_: { collect(high: number, low: number, into: number[]): void }, high: number, low: number): number[] {
  const into: number[] = [];
  in_.collect(high, low, into);
  return into.sort((a, b) => a - b);
}

function numbered(halves: readonly (readonly [number, number])[], first = 0): Item[] {
  return halves.map(([high, low], place) => [high, low, first + place * 3]);
}

describe('a memtable and the run made of it', () => {
  test('give all indexes of a fingerprint, also where fingerprints collide', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(half, half), { minLength: 1, maxLength: 400 }), fc.nat(1000), async (halves, filterBytes) => {
        const items = numbered(halves, 2 ** 32 - 300);
        const disk = new StepDisk(createChance(1)).start();
        await write(disk, 'a', items, filterBytes);
        const run = await open(disk, 'a');
        const table = memtableOf(items);
        for (const [high, low] of [...halves, [5, 5], [-1, 7], [0, -1]] as const) {
          const there = expected(items, high, low);
          assert.deepEqual(found(table, high, low), there);
          assert.deepEqual(found(run, high, low), there);
          if (there.length > 0) assert.equal(run.mayHold(high, low), true);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('hold one fingerprint many times, over many blocks', async () => {
    for (const count of [1, BLOCK_ENTRIES - 1, BLOCK_ENTRIES, BLOCK_ENTRIES + 1, 3 * BLOCK_ENTRIES + 5]) {
      for (const high of [0, 77, -1]) {
        const same = numbered(Array.from({ length: count }, () => [high, 1] as const));
        const items: Item[] = [...same, [high, 2, 100_000], [high ^ 1, 1, 100_001]];
        const disk = new StepDisk(createChance(1)).start();
        await write(disk, 'a', items, 10_000);
        const run = await open(disk, 'a');
        assert.equal(found(run, high, 1).length, count);
        assert.deepEqual(found(run, high, 2), [100_000]);
        assert.deepEqual(found(run, high ^ 1, 1), [100_001]);
        assert.deepEqual(found(run, high, 3), []);
      }
    }
  });

  test('a memtable is empty after clear, and refuses an index that does not come next', () => {
    const table = memtableOf([[1, 2, 3]]);
    assert.throws(() => table.add(1, 2, 3), /entry 3/);
    table.clear();
    assert.deepEqual(found(table, 1, 2), []);
    table.add(1, 2, 3);
    assert.deepEqual(found(table, 1, 2), [3]);
  });
});

async function cut(disk: Disk, path: string, length: number): Promise<void> {
  const file = await disk.open(path, 'existing');
  await file.truncate(length);
  await file.close();
}

async function mergeKind(jobs: ReturnType<typeof identityJobs>, input: unknown): Promise<string> {
  const answer = (await jobs[MERGE_JOB]?.(input)) as MergeAnswer | undefined;
  return answer?.kind ?? 'no such job';
}

describe('a merge', () => {
  test('holds what its inputs held, a slice at a time', async () => {
    const chance = createChance(7);
    const disk = new StepDisk(chance).start();
    // More than one slice, so that it is called again.
    const sizes = [1, 300, 5_000, 2 ** 20];
    const all: Item[][] = [];
    for (const [place, size] of sizes.entries()) {
      const items: Item[] = [];
      for (let n = 0; n < size; n++) items.push([(chance.next() * 2 ** 32) | 0, (chance.next() * 2 ** 32) | 0, place * 2 ** 21 + n]);
      all.push(items);
      await write(disk, `in${place}`, items, 2 ** 22);
    }
    const entries = sizes.reduce((sum, size) => sum + size, 0);
    const input = {
      path: `${DIRECTORY}/out`,
      inputs: sizes.map((size, place) => ({ path: `${DIRECTORY}/in${place}`, entries: size })),
      entries,
      filter: planFilter(entries, 2 ** 22),
    };
    const jobs = identityJobs(disk);
    const answers: string[] = [];
    while (answers.at(-1) !== 'done') answers.push(await mergeKind(jobs, input));
    assert.deepEqual(answers, ['more', 'done']);
    const run = await open(disk, 'out');
    assert.equal(run.entries, entries);
    let perhaps = 0;
    for (const items of all) {
      for (let n = 0; n < items.length; n += 1 + (items.length >> 10)) {
        const [high, low, index] = items[n] as Item;
        assert.equal(run.mayHold(high, low), true);
        assert.deepEqual(found(run, high, low), [index]);
        if (run.mayHold(high ^ 0x5555, ~low)) perhaps++;
      }
    }
    assert.ok(perhaps < 20, `its filter says perhaps ${perhaps} times`);
  });

  test('refuses an input that is damaged or cut, and leaves no file open', async () => {
    for (const damage of ['flip', 'cut'] as const) {
      const steps = new StepDisk(createChance(3));
      const disk = steps.start();
      const items = numbered(Array.from({ length: 1000 }, (_, n) => [n * 1_000_003, n] as const));
      await write(disk, 'a', items, 0);
      await write(disk, 'b', items, 0);
      if (damage === 'flip') steps.flip(`${DIRECTORY}/b`, 4096 + 40, 3);
      else await cut(disk, `${DIRECTORY}/b`, 2 * 4096);
      const inputs = ['a', 'b'].map((name) => ({ path: `${DIRECTORY}/${name}`, entries: 1000 }));
      const jobs = identityJobs(disk);
      const input = { path: `${DIRECTORY}/out`, inputs, entries: 2000, filter: planFilter(2000, 0) };
      const answer = (await jobs[MERGE_JOB]?.(input)) as MergeAnswer;
      assert.equal(answer.kind, 'damaged');
      assert.match(answer.kind === 'damaged' ? answer.message : '', damage === 'flip' ? /runs\/b.*block at byte 4096/ : /runs\/b ends/);
      await assert.rejects(Run.open(disk, DIRECTORY, 'out', new BlockBuffer()), RunDamaged);
      assert.equal(steps.openFiles, 0);
    }
  });
});

describe('a run file', () => {
  test('is refused when any byte of its end, its fences or its filter is another one', async () => {
    const items = numbered(Array.from({ length: 600 }, (_, n) => [n * 7_000_003, n] as const));
    const blocks = 3 * 4096;
    const probe = new StepDisk(createChance(1));
    await write(probe.start(), 'a', items, 1 << 20);
    const length = probe.lengthOf(`${DIRECTORY}/a`);
    for (let at = blocks; at < length; at += 7) {
      const steps = new StepDisk(createChance(1));
      const disk = steps.start();
      await write(disk, 'a', items, 1 << 20);
      steps.flip(`${DIRECTORY}/a`, at, at % 8);
      await assert.rejects(open(disk, 'a'), RunDamaged, `byte ${at}`);
    }
  });

  test('says so when a block is met that has changed', async () => {
    const items = numbered(Array.from({ length: 600 }, (_, n) => [n * 7_000_003, n] as const));
    const steps = new StepDisk(createChance(1));
    const disk = steps.start();
    await write(disk, 'a', items, 0);
    const run = await open(disk, 'a');
    steps.flip(`${DIRECTORY}/a`, 4096 + 2000, 0);
    const damaged = items.filter(([high, low]) => {
      try {
        return found(run, high, low).length !== 1;
      } catch (error) {
        assert.ok(error instanceof RunDamaged);
        return true;
      }
    });
    assert.ok(damaged.length >= 290 && damaged.length <= 310, `${damaged.length} identities were in the block`);
  });
});
