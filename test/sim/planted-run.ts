/**
 * Runs seeds with one planted bug in the product until one of them catches it, and prints what it found as JSON. It is a process of
 * its own,
 * because a module is loaded once: `planted.test.ts` starts it.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { parseArgs } from 'node:util';
import { PLANTED_BUGS, type PlantedBug } from './planted.ts';

/** What came of the search. `caught` is `null` when no seed found the bug. */
export interface PlantedResult {
  readonly name: string;
  readonly caught: number | null;
  readonly message: string;
  /** Seeds that failed for another reason. */
  readonly other: readonly string[];
}

const SRC = new URL('../../src/', import.meta.url);

function plant(bug: PlantedBug): void {
  const target = new URL(bug.file, SRC).href;
  const text = readFileSync(new URL(target), 'utf8');
  const times = text.split(bug.find).length - 1;
  if (times !== 1) throw new Error(`the plant "${bug.name}" is stale: its text is ${times} times in ${bug.file}`);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      return url === target ? { ...loaded, source: text.replace(bug.find, () => bug.replace) } : loaded;
    },
  });
}

async function search(bug: PlantedBug, seedsMax: number): Promise<PlantedResult> {
  const { runSeed } = await import('./run.ts');
  const other: string[] = [];
  for (let at = 0; at <= seedsMax; at++) {
    const seed = at === 0 ? bug.seed : at;
    if (at === bug.seed) continue;
    const { violation } = await runSeed(seed);
    if (violation === null) continue;
    if (bug.says.test(violation.message)) return { name: bug.name, caught: seed, message: violation.message.slice(0, 300), other };
    other.push(`${seed}: ${violation.message.slice(0, 200)}`);
  }
  return { name: bug.name, caught: null, message: '', other };
}

const { values } = parseArgs({ options: { plant: { type: 'string' }, seeds: { type: 'string', default: '300' } } });
const bug = PLANTED_BUGS.find(({ name }) => name === values.plant);
if (bug === undefined) throw new Error(`there is no planted bug "${values.plant}"`);
plant(bug);
// Nobody reads the stacks of the many errors that are part of the game.
Error.stackTraceLimit = 0;
console.log(JSON.stringify(await search(bug, Number(values.seeds))));
