/**
 * What an identity costs with many of them there: `node bench/parts/identities.ts [count] [directory]`.
 * Every identity is looked up and then added, as the sequencer does. Only this is on the clock, not the making of the identities;
 * runs are written and merged by a background thread meanwhile.
 */
import { randomFillSync } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { asIndex, asSize } from '../../src/contracts/units.ts';
import type { IdentitiesLedger } from '../../src/ledger/identities/identities.ts';
import { openIdentities } from '../../src/ledger/identities/identities.ts';
import { openPorts } from '../../src/runtime/ports.ts';
import { cpuSeconds, percentiles, rssMb } from '../figures.ts';
import { number } from '../report.ts';

const COUNT = Number(process.argv[2] ?? 10_000_000);
const DIRECTORY = process.argv[3] ?? `${tmpdir()}/waybill-bench-identities`;
const BATCH = 10_000;
const IDENTITY_BYTES = 36;

rmSync(DIRECTORY, { recursive: true, force: true });
const ports = await openPorts({ logLevel: 'warn', jobs: new URL('./identities-jobs.ts', import.meta.url) });
let size = 0;
const ledger = ledgerOf();
const identities = await openIdentities({ path: DIRECTORY }, ledger, ports);
const made = new Uint8Array(BATCH * IDENTITY_BYTES);
const before = rssMb(process.pid);
const began = performance.now();
let clocked = 0;
let recent = 0;
let waited = 0;
const pauses: number[] = [];

for (let first = 0; first < COUNT; first += BATCH) {
  makeIdentities();
  const start = performance.now();
  for (let at = 0; at < BATCH; at += 100) {
    const pauseStart = performance.now();
    for (let k = at; k < at + 100; k++) {
      const from = k * IDENTITY_BYTES;
      if (identities.find('app', made, from, from + IDENTITY_BYTES).length > 0)
        throw new Error('an identity that was never added was found');
    }
    for (let k = at; k < at + 100; k++) identities.add('app', made, k * IDENTITY_BYTES, (k + 1) * IDENTITY_BYTES, asIndex(first + k));
    pauses.push(performance.now() - pauseStart);
  }
  const took = performance.now() - start;
  clocked += took;
  if (first >= COUNT * 0.9) recent += took;
  size = first + BATCH;
  const waitStart = performance.now();
  await new Promise((resolve) => setImmediate(resolve));
  for (let wait = identities.ready(); wait !== null; wait = identities.ready()) await wait;
  waited += performance.now() - waitStart;
  if (size % 1_000_000 === 0) {
    const { runs, memoryBytes } = identities.facts();
    process.stderr.write(
      `${number(size)}: ${((clocked * 1000) / size).toFixed(3)} us each, ${runs} runs, ${number(memoryBytes / 2 ** 20)} MiB\n`,
    );
  }
}

const quiet = await measureQuiet();
const { p50, p99, max } = percentiles(pauses);
const seconds = (performance.now() - began) / 1000;
const facts = identities.facts();
const dups = measureDuplicates();
report('find + add, mean of all', `${((clocked * 1000) / COUNT).toFixed(3)} us`);
report('find + add, mean of the last tenth', `${((recent * 1000) / (COUNT / 10)).toFixed(3)} us`);
report('find + add, nothing in the background', `${quiet.toFixed(3)} us`);
report('100 identities at once, p50 / p99 / max', `${p50.toFixed(3)} / ${p99.toFixed(3)} / ${max.toFixed(2)} ms`);
report('find of one that is there', `${dups.toFixed(2)} us`);
report('waited for the disk', `${(waited / 1000).toFixed(2)} s of ${seconds.toFixed(1)} s`);
report('CPU of all threads', `${cpuSeconds(process.pid).toFixed(1)} s`);
report('RSS before / after', `${before.toFixed(0)} / ${rssMb(process.pid).toFixed(0)} MB`);
report('memory that it counts', `${(facts.memoryBytes / 2 ** 20).toFixed(1)} MiB in ${facts.runs} runs`);
await identities.close();
const files = readdirSync(DIRECTORY).map((name) => statSync(`${DIRECTORY}/${name}`).size);
report('files', `${files.length}, ${number(files.reduce((sum, bytes) => sum + bytes, 0) / 2 ** 20)} MiB`);
const opening = performance.now();
const again = await openIdentities({ path: DIRECTORY }, ledger, ports);
report('open again', `${(performance.now() - opening).toFixed(0)} ms`);
await again.close();
await ports.close();
rmSync(DIRECTORY, { recursive: true, force: true });

function report(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(44)}${figure}\n`);
}

/** Random text of the length of a UUID. */
function makeIdentities(): void {
  randomFillSync(made);
  for (let at = 0; at < made.length; at++) made[at] = 0x40 | ((made[at] as number) & 0x1f);
}

/** Some more, after the merges have ended and before the next run has to be written: what it costs below full speed. */
async function measureQuiet(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  let took = 0;
  const rounds = 5;
  for (let round = 0; round < rounds; round++) {
    makeIdentities();
    const start = performance.now();
    for (let k = 0; k < BATCH; k++) {
      const from = k * IDENTITY_BYTES;
      if (identities.find('app', made, from, from + IDENTITY_BYTES).length > 0)
        throw new Error('an identity that was never added was found');
      identities.add('app', made, from, from + IDENTITY_BYTES, asIndex(size + k));
    }
    took += performance.now() - start;
    size += BATCH;
  }
  return (took * 1000) / (rounds * BATCH);
}

/** The last identities are looked up again, after others, so that they are in runs. */
function measureDuplicates(): number {
  const start = performance.now();
  for (let k = 0; k < BATCH; k++) identities.find('app', made, k * IDENTITY_BYTES, (k + 1) * IDENTITY_BYTES);
  return ((performance.now() - start) * 1000) / BATCH;
}

/** A ledger in which everything is durable at once. The index reads nothing of it but the entry below the watermark. */
function ledgerOf(): IdentitiesLedger {
  const bytes = new Uint8Array(1);
  return {
    size: () => asSize(size),
    assigned: () => asSize(size),
    beginning: () => asIndex(0),
    read: async (from) => ({ first: from, count: 1, bytes, starts: Uint32Array.of(0), ends: Uint32Array.of(1) }),
  };
}
