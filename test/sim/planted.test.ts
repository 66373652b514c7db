import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { PLANTED_BUGS } from './planted.ts';
import type { PlantedResult } from './planted-run.ts';
import { runSeed } from './run.ts';

/** How many seeds are tried before a bug counts as not caught. */
const SEEDS_MAX = 300;

const run = promisify(execFile);
const RUN = new URL('./planted-run.ts', import.meta.url).pathname;

describe('planted bugs', { concurrency: 2 }, () => {
  const caught: string[] = [];

  for (const { name } of PLANTED_BUGS) {
    test(name, async () => {
      const { stdout } = await run(process.execPath, [RUN, '--plant', name, '--seeds', String(SEEDS_MAX)], { maxBuffer: 64 << 20 });
      const result = JSON.parse(stdout.trim().split('\n').at(-1) as string) as PlantedResult;
      assert.notEqual(result.caught, null, `not caught by ${SEEDS_MAX} seeds; other failures: ${result.other.join(' | ') || 'none'}`);
      caught.push(`${name} -> ${result.caught} (${result.message.split('\n')[0]?.slice(0, 100)})`);
      // The bug made the difference: without it the same seed finds nothing.
      const { violation } = await runSeed(result.caught as number);
      assert.equal(violation, null);
    });
  }

  after(() => {
    console.log(['caught by seed:', ...caught].join('\n'));
  });
});
