import { performance } from 'node:perf_hooks';
import type { CheckRules } from '../../src/intake/check.ts';
import { checkBody } from '../../src/intake/check.ts';
import type { BodyShape } from '../../src/intake/split.ts';
import { eventBatch } from '../event.ts';

// What checking costs per event of 500 bytes, in batches of 100 as they come over HTTP: `node bench/parts/check.ts`.
// The least of many rounds is printed: on a shared machine everything above it is somebody else's work.
const ROUNDS = 400;
const COUNT = 100;

const lines = eventBatch(COUNT, 'random', 'check').bytes;
const events = lines.toString().trimEnd().split('\n');
const bodies: Readonly<Record<string, Buffer>> = {
  lines,
  array: Buffer.from(`[${events.join(',')}]`),
  'lines, spaced': Buffer.from(events.map((event) => `${JSON.stringify(JSON.parse(event), null, 1).replaceAll(/\n */g, ' ')}\n`).join('')),
  'lines, escapes': Buffer.from(lines.toString().replaceAll('acme', 'acm\\u0065').replaceAll('"paid"', '"pa\\nid"')),
};
const rules: Readonly<Record<string, CheckRules>> = {
  'json, no id_field': { schema: 'json', idField: null },
  'json, id_field': { schema: 'json', idField: 'id' },
  'waybill/1': { schema: 'waybill/1', idField: null },
};

for (const [bodyName, body] of Object.entries(bodies)) {
  const shape: BodyShape = bodyName === 'array' ? 'array' : 'lines';
  for (const [ruleName, rule] of Object.entries(rules)) {
    console.log(`${bodyName.padEnd(16)}${ruleName.padEnd(20)}${leastUs(() => checkBody(body, shape, rule)).toFixed(3)} us per event`);
  }
}
const texts = events.map((event) => Buffer.from(event));
const parse = (): unknown[] => texts.map((text) => JSON.parse(text.toString()) as unknown);
console.log(`${'for comparison'.padEnd(16)}${'JSON.parse'.padEnd(20)}${leastUs(parse).toFixed(3)} us per event`);

function leastUs(run: () => { readonly faults?: ReadonlyMap<number, unknown> } | unknown[]): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = performance.now();
    const result = run();
    least = Math.min(least, performance.now() - from);
    if (!Array.isArray(result) && result.faults?.size !== 0) throw new Error('the load does not pass the check');
  }
  return (least * 1_000) / COUNT;
}
