import { parseArgs } from 'node:util';
import { fuzzBodies } from './json-bodies.ts';
import { fuzzEvents, fuzzScanner } from './json-check.ts';

// The long run: `node test/fuzz/main.ts --inputs 1000000 [--seed 1]`. It ends at the first difference, with the seed and the input.
const { values } = parseArgs({ options: { inputs: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } } });
const inputs = Number(values.inputs);
const seed = Number(values.seed);
const STEP = 50_000;

for (const [name, fuzz] of [
  ['scanner against JSON.parse', fuzzScanner],
  ['waybill/1, one pass against readable', fuzzEvents],
  ['submissions against the obvious way', fuzzBodies],
] as const) {
  let accepted = 0;
  for (let done = 0; done < inputs; done += STEP) accepted += fuzz(seed + done, Math.min(STEP, inputs - done)).accepted;
  console.log(`${name}: ${inputs} inputs, ${accepted} accepted, ${inputs - accepted} refused, no difference`);
}
