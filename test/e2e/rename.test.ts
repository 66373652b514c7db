import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from '../crash/process.ts';

const OPERATOR = 'operator-token-of-this-test';
const headers = { authorization: `Bearer ${OPERATOR}` };

interface Entry {
  readonly source: string;
  readonly n: number;
  readonly event: Readonly<Record<string, unknown>>;
}

/** A file whose sources a test names anew: one that is read, without identities, and one that takes requests. */
async function open(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-rename-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'logs'));
  const port = await freePort();
  const yaml = (reads: string, takes: string): string => `ledger: { origin: rename.example/audit, path: ./data }
api: { listen: "127.0.0.1:${port}", tokens: [{ name: ops, role: operator, token: ${OPERATOR} }] }
sources:
  ${reads.replace('}', ', type: file, paths: [./logs/*], schema: json }').replace('{,', '{')}
  ${takes.replace('}', ', type: http, schema: json, id_field: id }').replace('{,', '{')}
drain: 300ms
`;
  const file = initWaybill(directory, yaml('logins: {}', 'app: {}'));
  return {
    file,
    start: async (): Promise<WaybillProcess> => {
      const running = await startWaybill(file, port);
      t.after(() => running.end('SIGKILL'));
      return running;
    },
    save: (reads: string, takes: string) => writeFileSync(file, yaml(reads, takes)),
    log: (...lines: readonly string[]) => appendFileSync(join(directory, 'logs/a.ndjson'), `${lines.join('\n')}\n`),
    waybill: (...args: readonly string[]) =>
      spawnSync(process.execPath, [MAIN, ...args, '-c', file], { encoding: 'utf8', timeout: 60_000 }),
  };
}

async function post(url: string, source: string, body: string): Promise<{ status: number; json: Readonly<Record<string, unknown>> }> {
  const sending = { method: 'POST', body, headers: { ...headers, 'content-type': 'application/x-ndjson' } };
  const answer = await fetch(`${url}/v1/events?source=${source}`, sending);
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

/** What the ledger holds of events and renamings, one word each. */
async function story(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/v1/entries?from=0&limit=1000`, { headers });
  const lines = (await answer.text()).split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => {
    const { source, n, event } = (JSON.parse(line) as { readonly entry: Entry }).entry;
    if (source !== 'waybill') return [`${source} ${n} ${String(event['id'] ?? event['k'])}`];
    return event['type'] === 'source.renamed' ? [`${String(event['from'])} is ${String(event['to'])}`] : [];
  });
}

test('sources are renamed at a start and by a reload: nothing is read twice, and what was sent is known', {
  timeout: 120_000,
}, async (t) => {
  const { file, start, save, log, waybill } = await open(t);
  assert.ok(file);
  let running = await start();
  log('{"k":1}', '{"k":2}');
  assert.equal((await post(running.url, 'app', '{"id":"a"}')).status, 200);
  await until('the lines', async () => (await story(running.url)).length === 3);
  await running.end('SIGTERM');

  save('signins: { renamed_from: logins }', 'orders: { renamed_from: app }');
  running = await start();
  log('{"k":3}');
  const old = await post(running.url, 'app', '{"id":"a"}');
  assert.deepEqual([old.status, (old.json['error'] as { message: string }).message], [404, 'the source app is called orders now']);
  const again = await post(running.url, 'orders', '{"id":"a"}\n{"id":"b"}');
  assert.deepEqual([again.status, again.json['accepted'], (again.json['duplicates'] as unknown[]).length], [200, 1, 1]);
  await until('the third line', async () => (await story(running.url)).some((line) => line.endsWith(' 3')));
  await running.end('SIGKILL');

  running = await start();
  save('doors: { renamed_from: signins }', 'orders: {}');
  assert.equal(waybill('reload').status, 0);
  log('{"k":4}');
  await until('the fourth line', async () => (await story(running.url)).some((line) => line.endsWith(' 4')));
  assert.equal((await post(running.url, 'orders', '{"id":"a"}')).json['accepted'], 0);
  const told = await story(running.url);
  const sorted = (lines: readonly string[]): string[] => lines.filter((line) => !line.includes(' is ')).sort();
  const expected = ['app 0 a', 'doors 0 4', 'logins 0 1', 'logins 1 2', 'orders 0 b', 'signins 0 3'];
  assert.deepEqual(sorted(told), expected);
  assert.deepEqual(
    told.filter((line) => line.includes(' is ')),
    ['logins is signins', 'app is orders', 'signins is doors'],
  );
  await running.end('SIGTERM');
});

test('a renaming that cannot be is refused with the way out, at a start and by a reload, and nothing is changed', {
  timeout: 120_000,
}, async (t) => {
  const { start, save, waybill } = await open(t);
  let running = await start();
  assert.equal((await post(running.url, 'app', '{"id":"a"}')).status, 200);
  save('logins: {}', 'orders: { renamed_from: shop }');
  assert.match(waybill('reload', '--dry-run').stderr, /nothing of a source shop/);
  const unknown = waybill('reload');
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /there is nothing of a source shop that orders could take over[^]*RELOAD_REFUSED/);
  assert.equal((await post(running.url, 'app', '{"id":"a2"}')).status, 200);

  save('signins: { renamed_from: nobody }', 'orders: { renamed_from: app }');
  assert.equal(waybill('reload').status, 1);
  assert.equal((await post(running.url, 'app', '{"id":"a"}')).json['accepted'], 0);
  assert.deepEqual(await story(running.url), ['app 0 a', 'app 1 a2']);
  await running.end('SIGTERM');
  assert.equal(waybill('run').status, 78);

  save('logins: {}', 'orders: { renamed_from: app }');
  running = await start();
  await running.end('SIGTERM');
  save('logins: {}', 'app: {}');
  const back = waybill('run');
  assert.equal(back.status, 78);
  assert.match(back.stderr, /the source app is called orders now; renamed_from: orders gives it the name app/);
  save('logins: {}', 'app: { renamed_from: orders }');
  running = await start();
  assert.equal((await post(running.url, 'app', '{"id":"a"}\n{"id":"z"}')).json['accepted'], 1);
  await running.end('SIGTERM');
});
