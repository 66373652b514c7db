import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Coverage } from './coverage.ts';
import { runSeed } from './run.ts';

/** How many seeds every run of the tests goes through, and in how many processes. */
const SEEDS = 200;
const PROCESSES = 2;

const MAIN = new URL('./main.ts', import.meta.url).pathname;
const run = promisify(execFile);

/** Seeds that failed once, kept so that what they found stays found. */
const KEPT = readFileSync(new URL('./seeds.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^\d/.test(line))
  .map((line) => Number.parseInt(line, 10));

/** Runs `main.ts`, and answers what went wrong in it; what it prints about a failed seed becomes the message. */
async function simulate(...options: readonly string[]): Promise<Coverage> {
  try {
    const { stdout } = await run(process.execPath, [MAIN, ...options], { maxBuffer: 64 << 20 });
    return Coverage.parse(/^misfortunes: (.*)$/m.exec(stdout)?.[1] ?? '');
  } catch (error) {
    throw new Error((error as { readonly stdout?: string }).stdout || String(error), { cause: error });
  }
}

describe('simulation of the whole pipeline', { concurrency: PROCESSES }, () => {
  const coverage = new Coverage();
  let done = 0;

  for (let part = 0; part < PROCESSES; part++) {
    const first = 1 + (part * SEEDS) / PROCESSES;
    const last = ((part + 1) * SEEDS) / PROCESSES;
    test(`seeds ${first} to ${last}`, async () => {
      coverage.include(await simulate('--seeds', `${first}..${last}`));
      done += 1;
      // What never happens proves nothing.
      if (done === PROCESSES) assert.deepEqual(coverage.never, [], `what happened: ${coverage.toString()}`);
    });
  }

  test('every seed that ever failed', async () => {
    assert.ok(KEPT.length > 0);
    await simulate('--list', KEPT.join(','));
  });

  test('a seed tells the same story twice, and another one another', async () => {
    const stories = new Set<string>();
    const seeds = [3, 11, 29, 64];
    for (const seed of seeds) {
      const first = await runSeed(seed);
      const second = await runSeed(seed);
      assert.equal(second.storyHash, first.storyHash, `seed ${seed} is not repeatable`);
      assert.equal(second.steps, first.steps);
      stories.add(first.storyHash);
    }
    assert.equal(stories.size, seeds.length);
  });
});
