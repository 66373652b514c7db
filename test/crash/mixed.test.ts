import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startObjectStore } from '../../src/cli/demo/object-store.ts';
import { freePort } from '../../src/cli/machine.ts';
import { startHttpReceiver } from '../conformance/http-receiver.ts';
import { linesOf as linesOfObject } from '../conformance/s3-peer.ts';
import { readWebhook } from '../conformance/webhook-receiver.ts';
import { checkLedger, linesOf, sameLines } from './entries.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from './process.ts';
import { startProducer } from './producer.ts';
import { startReceiver } from './receiver.ts';

const ROUNDS = 8;
/** How long it goes on at least: `npm run soak` makes it a minute. */
const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 0);
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-access-key' };

interface View {
  readonly ledger: { readonly size: number; readonly beginning: number };
  readonly sources: Readonly<Record<string, { readonly entries: number }>>;
  readonly destinations: Readonly<Record<string, { readonly state: string; readonly cursor: number; readonly error: unknown }>>;
}

/** Writes numbered lines to a log and renames it now and then, until it is stopped. */
function startLog(path: string) {
  let written = 0;
  let over = false;
  const run = async (): Promise<void> => {
    for (let turn = 1; !over; turn += 1) {
      let text = '';
      for (let k = 0; k < 20; k += 1) text += `{"k":${written++},"text":"${'y'.repeat(100)}"}\n`;
      appendFileSync(path, text);
      await setTimeout(15);
      if (turn % 25 === 0) renameSync(path, `${path}.${written}`);
    }
  };
  const done = run();
  return {
    /** Ends it, and answers how many lines were written. */
    async stop(): Promise<number> {
      over = true;
      await done;
      return written;
    },
  };
}

test(`kill -9 again and again with everything at once: events, logs, retention, reloads and four kinds of destinations`, async (t) => {
  const directory = mkdtempSync(`${tmpdir()}/waybill-mixed-`);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(`${directory}/logs`);
  const store = await startObjectStore({ ...KEYS, bucket: 'audit', region: 'us-east-1', conditions: 'honoured' });
  t.after(() => store.stop());
  const hook = await startHttpReceiver({ drops: true, read: readWebhook(SECRET) });
  t.after(() => hook.stop());
  const lake = await startReceiver();
  t.after(() => lake.close());
  store.interfere(({ method }) => {
    const dice = Math.random();
    if (method === 'PUT' && dice < 0.1) return 'lose the answer';
    return dice < 0.15 ? { status: 503, code: 'SlowDown' } : null;
  });
  const port = await freePort();
  const yaml = (version: number): string => `ledger: { origin: crash.example/audit, path: ./data, segment: 1MiB, retain: { bytes: 16MiB } }
api: { listen: 127.0.0.1:${port} }
log_level: warn
drain: 200ms
sources:
  app: { type: http, schema: json, id_field: id }
  logs: { type: file, paths: [./logs/app.log*], schema: json, poll: ${20 + (version % 3)}ms }
destinations:
  archive: { type: file, path: ./audit.ndjson, start: beginning, rotate: 2MiB, timeout: ${5 + (version % 2)}s }
  lake: { type: http, url: "${lake.url}", start: beginning, retry: { min: 5ms, max: ${50 + version}ms } }
  hook:
    { type: webhook, url: "${hook.url}", secret: ${SECRET}, allow_private: true, idempotent: true, start: beginning,
      retry: { min: 5ms, max: ${50 + version}ms }, batch: { entries: ${100 + 10 * (version % 5)} } }
  objects:
    { type: s3, endpoint: "${store.url}", bucket: audit, access_key_id: ${KEYS.accessKeyId}, secret_access_key: ${KEYS.secretAccessKey},
      start: beginning, in_flight: ${1 + (version % 4)}, retry: { min: 5ms, max: 50ms }, batch: { entries: 500, wait: 0ms } }
`;
  const file = initWaybill(directory, yaml(0));
  let waybill: WaybillProcess = await startWaybill(file, port);
  t.after(() => waybill.end('SIGKILL'));
  const view = async (): Promise<View> => (await (await fetch(`${waybill.url}/v1/status`)).json()) as View;
  const producer = startProducer(waybill.url, 4, 100);
  t.after(() => producer.abandon());
  const log = startLog(`${directory}/logs/app.log`);
  let reloads = 0;
  const over = performance.now() + SECONDS * 1_000;
  for (let round = 0; round < ROUNDS || performance.now() < over; round += 1) {
    const before = producer.acknowledged.length;
    hook.trouble(round % 2 === 0 ? 'answer-lost' : 'refused', () => {});
    for (let step = 1; step <= 3; step += 1) {
      await until(`the load of round ${round}`, () => producer.acknowledged.length > before + step * 1_200);
      writeFileSync(file, yaml((reloads += 1)));
      waybill.child.kill('SIGHUP');
    }
    await setTimeout(Math.random() * 300);
    await waybill.end('SIGKILL');
    hook.heal();
    waybill = await startWaybill(file, port);
  }
  await until('retention to remove something', async () => (await view()).ledger.beginning > 0);
  await producer.finish();
  const written = await log.stop();
  await until('everything to be everywhere', async () => {
    const { ledger, sources, destinations } = await view();
    for (const [name, { state, error }] of Object.entries(destinations)) {
      assert.ok(state !== 'halted' && state !== 'detached', `${name} is ${state}: ${JSON.stringify(error)}\n${waybill.log()}`);
    }
    return (sources['logs']?.entries ?? 0) >= written && Object.values(destinations).every(({ cursor }) => cursor >= ledger.size);
  });
  const { ledger } = await view();
  assert.equal(await waybill.end('SIGTERM'), 0, waybill.log());
  // What is on the disk is under a signed head, byte for byte.
  execFileSync(process.execPath, [MAIN, 'verify', 'ledger', '-c', file], { stdio: 'pipe' });

  const apart = readdirSync(directory)
    .filter((name) => /^audit\.ndjson\.\d+$/.test(name))
    .sort();
  const archive = [...apart, 'audit.ndjson'].flatMap((name) => linesOf(readFileSync(`${directory}/${name}`, 'utf8')));
  assert.ok(archive.length >= ledger.size);
  checkLedger(archive, producer.acknowledged);
  const last = new Map<string, number>();
  const logged = archive.flatMap((line) => {
    const { entry } = JSON.parse(line) as { entry: { source: string; partition: string; event: { k?: number } } };
    const { k } = entry.event;
    if (entry.source !== 'logs' || k === undefined) return [];
    assert.ok(k > (last.get(entry.partition) ?? -1), `line ${k} came after ${last.get(entry.partition)}`);
    last.set(entry.partition, k);
    return [k];
  });
  assert.equal(new Set(logged).size, logged.length, 'no line twice');
  assert.equal(logged.length, written, 'every line');
  const kept = archive.slice(0, ledger.size);
  assert.deepEqual(lake.faults, []);
  sameLines(lake.lines.slice(0, ledger.size), kept, 'the HTTP destination');
  sameLines(
    hook
      .held()
      .map(({ index, entry }) => `{"index":${index},"entry":${entry}}`)
      .slice(0, ledger.size),
    kept,
    'the webhooks',
  );
  const objects = store.objects().filter(({ key }) => key.endsWith('.ndjson.gz'));
  sameLines(objects.flatMap((object) => linesOf(linesOfObject(object))).slice(0, ledger.size), kept, 'the store');
});
