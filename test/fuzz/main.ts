import { parseArgs } from 'node:util';
import { fuzzBodies } from './json-bodies.ts';
import { fuzzEvents, fuzzScanner } from './json-check.ts';

// The long run: `node test/fuzz/main.ts --inputs 1000000 [--seed 1]`. It ends at the first difference, with the seed and the input.
const { values } = parseArgs({ options: { inputs: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } } });
const inputs = Number(values.inputs);
const seed = Number(values.seed);
const STEP = 50_000;

for (const { name, fuzz, share } of [
  { name: 'scanner against JSON.parse', fuzz: fuzzScanner, share: 1 },
  { name: 'waybill/1, one pass against readable', fuzz: fuzzEvents, share: 1 },
  // A submission holds several events and is read in two ways, so that each takes as long as twenty of the others.
  { name: 'submissions against the obvious way', fuzz: fuzzBodies, share: 20 },
]) {
  let accepted = 0;
  const total = Math.ceil(inputs / share);
  for (let done = 0; done < total; done += STEP) accepted += fuzz(seed + done, Math.min(STEP, total - done)).accepted;
  console.log(`${name}: ${total} inputs, ${accepted} accepted, ${total - accepted} refused, no difference`);
}
