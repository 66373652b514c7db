import { parseArgs } from 'node:util';
import { Coverage } from './coverage.ts';
import { runSeed, type SeedResult } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    list: { type: 'string' },
    trace: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

/** How a failure is repeated. */
function repeatLine(seed: number): string {
  return `npm run sim -- --seed ${seed}`;
}

function line({ seed, steps, lives, entries, deliveries, repeats, storyHash }: SeedResult): string {
  const counts = `${entries} entries, ${lives} lives, ${deliveries} attempts, ${repeats} repeats, ${steps} steps`;
  return `seed ${seed}: ${counts}, story ${storyHash.slice(0, 16)}`;
}

async function main(): Promise<void> {
  const seeds = wanted();
  const only = seeds.length === 1;
  const print = values.trace ? (text: string) => console.log(text) : null;
  let failed = 0;
  const coverage = new Coverage();
  // Nobody reads the stacks of the many errors that are part of the game; a seed that fails is run once more with them.
  const stackTraceLimit = Error.stackTraceLimit;
  for (const seed of seeds) {
    Error.stackTraceLimit = only ? stackTraceLimit : 0;
    let result = await runSeed(seed, print);
    if (result.violation !== null && !only) {
      Error.stackTraceLimit = stackTraceLimit;
      result = await runSeed(seed, print);
    }
    coverage.include(result.coverage);
    if (result.violation === null) {
      if (values.verbose || only) console.log(line(result));
      continue;
    }
    failed += 1;
    console.log(`seed ${seed} failed: ${result.violation.stack ?? result.violation.message}`);
    console.log(`plan: ${JSON.stringify(result.plan)}`);
    console.log(`repeat: ${repeatLine(seed)} --trace`);
  }
  console.log(`${seeds.length} seeds, ${failed} failed`);
  console.log(`misfortunes: ${coverage.toString()}`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function wanted(): readonly number[] {
  if (values.seed !== undefined) return numbers(values.seed);
  if (values.list !== undefined) return numbers(values.list);
  const [first = Number.NaN, last = Number.NaN] = (values.seeds ?? '1..200').split('..').map(Number);
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || last < first) throw new Error('say --seeds A..B');
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

function numbers(text: string): readonly number[] {
  const seeds = text.split(',').map(Number);
  if (!seeds.every(Number.isSafeInteger)) throw new Error(`${text} is not a list of seeds`);
  return seeds;
}

await main();
