import { parseArgs } from 'node:util';
import { fuzzBodies } from './json-bodies.ts';
import { fuzzEvents, fuzzScanner } from './json-check.ts';
import { type FuzzCount, fuzz } from './target.ts';
import { TARGETS } from './targets.ts';

// The long run: `npm run fuzz -- [--inputs 1000000] [--seed 1] [--only WORD]`. It ends at the first difference, with the seed of the input.
const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
const STEP = 50_000;
// Nobody reads the stacks of what is refused. Whoever repeats one input gets them.
if (inputs > 1) Error.stackTraceLimit = 0;

for (const { name, run } of [
  { name: 'scanner against JSON.parse', run: fuzzScanner },
  { name: 'waybill/1, one pass against readable', run: fuzzEvents },
  { name: 'submissions against the obvious way', run: fuzzBodies },
].filter(wanted)) {
  const began = performance.now();
  let accepted = 0;
  for (let done = 0; done < inputs; done += STEP) accepted += run(seed + done, Math.min(STEP, inputs - done)).accepted;
  report(name, { inputs, accepted }, began);
}

for (const target of TARGETS.filter(wanted)) {
  const began = performance.now();
  report(target.name, await fuzz(target, seed, inputs), began);
}

function wanted({ name }: { readonly name: string }): boolean {
  return name.toLowerCase().includes(values.only.toLowerCase());
}

function report(name: string, { inputs: made, accepted }: FuzzCount, began: number): void {
  const perSecond = Math.round((made / (performance.now() - began)) * 1_000);
  console.log(`${name}: ${made} inputs, ${accepted} accepted, ${made - accepted} refused, no difference; ${perSecond} a second`);
}
