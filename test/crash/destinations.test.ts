import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { startObjectStore } from '../../src/cli/demo/object-store.ts';
import { freePort } from '../../src/cli/machine.ts';
import { startHttpReceiver } from '../conformance/http-receiver.ts';
import { linesOf as linesOfObject } from '../conformance/s3-peer.ts';
import { readWebhook } from '../conformance/webhook-receiver.ts';
import { checkCheckpoints } from './checkpoints.ts';
import { allEntries, checkLedger, linesOf, sameLines, status } from './entries.ts';
import { initWaybill, startWaybill, until, type WaybillProcess } from './process.ts';
import { startProducer } from './producer.ts';

const ROUNDS = 4;
const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-access-key' };

test(`${ROUNDS} times kill -9, answers lost and refused in between: objects and webhooks are the ledger`, async (t) => {
  const directory = mkdtempSync(`${tmpdir()}/waybill-destinations-`);
  const store = await startObjectStore({ ...KEYS, bucket: 'audit', region: 'us-east-1', conditions: 'honoured' });
  const bodies = new Map<string, string>();
  let repeats = 0;
  const read = readWebhook(SECRET);
  const receiver = await startHttpReceiver({
    drops: true,
    read(headers, body) {
      const batch = read(headers, body);
      if (bodies.has(batch.id)) repeats += 1;
      // A repeat under the same identity has the same bytes, or its receiver could not drop it.
      assert.equal(bodies.get(batch.id) ?? body, body);
      bodies.set(batch.id, body);
      return batch;
    },
  });
  store.interfere(({ method }) => {
    const dice = Math.random();
    if (method === 'PUT' && dice < 0.1) return 'lose the answer';
    if (dice < 0.15) return { status: 503, code: 'SlowDown' };
    return dice < 0.2 ? { status: 409, code: 'ConditionalRequestConflict' } : null;
  });
  const port = await freePort();
  const s3 = `endpoint: ${store.url}, bucket: audit, access_key_id: ${KEYS.accessKeyId}, secret_access_key: ${KEYS.secretAccessKey}`;
  const quick = 'start: beginning, retry: { min: 5ms, max: 50ms }';
  const file = initWaybill(
    directory,
    `ledger: { origin: crash.example/audit, path: ./data, segment: 1MiB }
api: { listen: 127.0.0.1:${port} }
log_level: error
sources: { app: { type: http, schema: json, id_field: id } }
destinations:
  archive: { type: s3, ${s3}, ${quick}, batch: { entries: 200, wait: 0ms }, in_flight: 4 }
  hook: { type: webhook, url: ${receiver.url}, secret: ${SECRET}, allow_private: true, idempotent: true, ${quick} }
`,
  );
  let waybill: WaybillProcess = await startWaybill(file, port);
  const producer = startProducer(waybill.url, 4, 25);
  t.after(async () => {
    producer.abandon();
    await waybill.end('SIGKILL');
    await Promise.all([receiver.stop(), store.stop()]);
    rmSync(directory, { recursive: true, force: true });
  });
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = producer.acknowledged.length;
    receiver.trouble(round % 2 === 0 ? 'answer-lost' : 'refused', () => {});
    await until(`the load of round ${round}`, () => producer.acknowledged.length > before + 400);
    await waybill.end('SIGKILL');
    receiver.heal();
    waybill = await startWaybill(file, port);
  }
  await producer.finish();
  const { size } = (await status(waybill.url)).ledger;
  await until('both destinations to have everything', async () => {
    const { destinations } = await status(waybill.url);
    for (const [name, { state }] of Object.entries(destinations)) assert.notEqual(state, 'halted', `${name} is halted:\n${waybill.log()}`);
    return Object.values(destinations).every(({ cursor }) => cursor >= size);
  });
  const entries = await allEntries(waybill.url);
  checkLedger(entries, producer.acknowledged);
  const objects = store.objects().filter(({ key }) => key.endsWith('.ndjson.gz'));
  sameLines(
    objects.flatMap((object) => linesOf(linesOfObject(object))),
    entries,
    'the store',
  );
  assert.equal(objects.length, store.versions.filter(({ key }) => key.endsWith('.ndjson.gz')).length, 'no object was written twice');
  sameLines(
    receiver.held().map(({ index, entry }) => `{"index":${index},"entry":${entry}}`),
    entries,
    'the webhooks',
  );
  const keys = `${directory}/keys`;
  await until('the webhooks to bring a checkpoint over everything', () => {
    const came = receiver.checkpoints().map((note) => ({ note, held: entries.length }));
    return checkCheckpoints(keys, came, entries, 'the webhooks') >= size;
  });
  const kept = store.versions.filter(({ key }) => key.startsWith('checkpoint'));
  const inStore = kept.map(({ body }) => ({ note: body.toString(), held: entries.length }));
  assert.ok(checkCheckpoints(keys, inStore, entries, 'the store') > 0, 'the store has checkpoints');
  assert.ok(repeats > 0, 'answers were lost');
});
