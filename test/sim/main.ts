import { parseArgs } from 'node:util';
import { runSeed, type SeedResult } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    trace: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

/** How a failure is repeated. */
function repeatLine(seed: number): string {
  return `npm run sim -- --seed ${seed}`;
}

function line({ seed, steps, lives, entries, deliveries, repeats, storyHash }: SeedResult): string {
  return `seed ${seed}: ${entries} entries, ${lives} lives, ${deliveries} attempts, ${repeats} repeats, ${steps} steps, story ${storyHash.slice(0, 16)}`;
}

async function main(): Promise<void> {
  const [first, last] = range();
  const print = values.trace ? (text: string) => console.log(text) : null;
  let failed = 0;
  // Nobody reads the stacks of the many errors that are part of the game; a seed that fails is run once more with them.
  const stackTraceLimit = Error.stackTraceLimit;
  for (let seed = first; seed <= last; seed++) {
    Error.stackTraceLimit = first === last ? stackTraceLimit : 0;
    let result = await runSeed(seed, print);
    if (result.violation !== null && first !== last) {
      Error.stackTraceLimit = stackTraceLimit;
      result = await runSeed(seed, print);
    }
    if (result.violation === null) {
      if (values.verbose || first === last) console.log(line(result));
      continue;
    }
    failed += 1;
    console.log(`seed ${seed} failed: ${result.violation.stack ?? result.violation.message}`);
    console.log(`plan: ${JSON.stringify(result.plan)}`);
    console.log(`repeat: ${repeatLine(seed)} --trace`);
  }
  console.log(`${last - first + 1} seeds, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function range(): readonly [number, number] {
  if (values.seed !== undefined) return [Number(values.seed), Number(values.seed)];
  const [from, to] = (values.seeds ?? '1..200').split('..').map(Number);
  if (from === undefined || to === undefined || !Number.isSafeInteger(from) || !Number.isSafeInteger(to))
    throw new Error('say --seeds A..B');
  return [from, to];
}

await main();
