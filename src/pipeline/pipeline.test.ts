import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/crash/process.ts';
import { makeKeys } from '../cli/key-files.ts';
import { codecs } from '../codecs/table.ts';
import type { Config } from '../config/config.ts';
import { faultText } from '../config/faults.ts';
import { planReload } from '../config/plan-reload.ts';
import { readConfig } from '../config/read-config.ts';
import { WaybillError } from '../contracts/errors.ts';
import { createEmbeddedLedger } from '../ledger/embedded/create.ts';
import { openPorts } from '../runtime/ports.ts';
import { sinks } from '../sinks/table.ts';
import { sources } from '../sources/table.ts';
import { JOBS, type Pipeline, startPipeline } from './pipeline.ts';
import { isPushed } from './sources.ts';

/** A real pipeline on a real disk. */
async function open(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-pipeline-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const ports = await openPorts({ logLevel: 'silent', jobs: JOBS });
  const running: Pipeline[] = [];
  t.after(async () => {
    for (const pipeline of running) await pipeline.stop({ drainMs: 0 });
    await ports.close();
  });
  const config = (destinations: string): Config => {
    const common = 'ledger: { origin: pipeline.example/audit, path: ./data }\nsources: { app: { type: http, schema: json } }';
    const text = `${common}\ndestinations: { ${destinations} }\n`;
    const readers = { environment: () => null, file: () => null };
    const reading = readConfig(text, join(directory, 'waybill.yaml'), readers, { sinks, sources, codecs });
    assert.ok(reading.ok, reading.ok ? '' : reading.faults.map(faultText).join('\n'));
    return reading.config;
  };
  await makeKeys(config('').ledger, ports);
  await createEmbeddedLedger(config('').ledger, ports);
  return {
    config,
    start: async (destinations: string) => {
      const pipeline = await startPipeline(config(destinations), ports);
      running.push(pipeline);
      return pipeline;
    },
    change: (pipeline: Pipeline, destinations: string) => {
      const next = config(destinations);
      return pipeline.change(next, planReload(pipeline.config, next, isPushed), { how: 'signal' });
    },
    lines: (name: string) => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1),
  };
}

async function send({ intake }: Pipeline, text: string): Promise<void> {
  const checked = intake.check('app', Buffer.from(`{"text":"${text}"}\n`), 'lines');
  await intake.submit({ source: 'app', checked, partial: false }, new AbortController().signal);
}

/** Waits until a destination has everything. */
async function caughtUp(pipeline: Pipeline, name: string): Promise<void> {
  await until(`${name} to have everything`, () => pipeline.destinations.get(name)?.status().lag === 0);
}

const LAKE = 'lake: { type: file, path: ./lake.ndjson, start: beginning }';
const LAKE_CHANGED = 'lake: { type: file, path: ./lake.ndjson, start: beginning, batch: { entries: 3 } }';

test('when a new destination cannot be started, those that were stopped for the change go on as they were', async (t) => {
  const { start, change, lines } = await open(t);
  const pipeline = await start(LAKE);
  await send(pipeline, 'one');
  await caughtUp(pipeline, 'lake');
  const before = pipeline.config;
  // Where the new one begins has to be looked up in the ledger, which fails.
  const { ledger } = pipeline;
  const read = ledger.read.bind(ledger);
  ledger.read = async (from, limits) => {
    if (limits.bytes === 1) throw new WaybillError('LEDGER_CORRUPT', 'a segment is damaged');
    return read(from, limits);
  };
  await assert.rejects(change(pipeline, `${LAKE_CHANGED}, fresh: { type: file, path: ./fresh.ndjson, start: 2026-01-31T00:00:00Z }`), {
    code: 'RELOAD_FAILED',
    message: 'LEDGER_CORRUPT: a segment is damaged',
  });
  ledger.read = read;
  assert.equal(pipeline.config, before);
  assert.deepEqual([...pipeline.destinations.keys()], ['lake']);
  await send(pipeline, 'two');
  await caughtUp(pipeline, 'lake');
  await change(pipeline, LAKE_CHANGED);
  await send(pipeline, 'three');
  await caughtUp(pipeline, 'lake');
  await pipeline.stop({ drainMs: 1_000 });
  const texts = lines('lake.ndjson').map((line) => /"text":"(\w+)"|"type":"(\w+)"/.exec(line)?.slice(1).join(''));
  assert.deepEqual(texts, ['one', 'two', 'config', 'three']);
});

test('a destination that is taken out goes on where it was when it comes back, and nobody can forget it meanwhile', async (t) => {
  const { start, change, lines } = await open(t);
  const pipeline = await start(LAKE);
  await send(pipeline, 'one');
  await caughtUp(pipeline, 'lake');
  await change(pipeline, '');
  assert.equal(pipeline.status().destinations['lake']?.state, 'removed');
  await send(pipeline, 'two');
  const back = change(pipeline, LAKE_CHANGED);
  await assert.rejects(pipeline.removed.forget('lake'), { code: 'COMMAND_REFUSED' });
  await back;
  await caughtUp(pipeline, 'lake');
  // What is known of it now is what is shown once it is gone again.
  await change(pipeline, '');
  const { cursor } = pipeline.status().destinations['lake'] ?? {};
  assert.equal(cursor, lines('lake.ndjson').length);
  await pipeline.stop({ drainMs: 1_000 });
});

test('a destination that is forgotten just before it comes back begins anew, and its journal adds up', async (t) => {
  const { start, change } = await open(t);
  const pipeline = await start('lake: { type: http, url: "http://127.0.0.1:9/in", start: now }');
  await send(pipeline, 'one');
  await change(pipeline, '');
  const forgotten = pipeline.removed.forget('lake');
  const again = 'lake: { type: http, url: "http://127.0.0.1:9/in", start: beginning }';
  const back = change(pipeline, again);
  await forgotten;
  await back;
  assert.equal(pipeline.destinations.get('lake')?.status().cursor, 0);
  await pipeline.stop({ drainMs: 0 });
  const next = await start(again);
  assert.equal(next.destinations.get('lake')?.status().cursor, 0);
  await next.stop({ drainMs: 0 });
});
