import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until } from '../crash/process.ts';

const OPERATOR = 'operator-token-of-this-test';

/** Runs a command while this process goes on answering as the receiver. Nobody is there to ask. */
function waybill(file: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  return new Promise((done) => {
    const child = execFile(process.execPath, [MAIN, ...args, '-c', file], { encoding: 'utf8', timeout: 60_000 }, (error, out, err) => {
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
    child.stdin?.end();
  });
}

interface Got {
  readonly batch: string;
  readonly replay: string | undefined;
  readonly from: number;
  readonly through: number;
  readonly text: string;
}

/** A receiver that refuses what holds a word, until somebody corrects it. */
async function receive(t: TestContext) {
  const state = { url: '', refuses: 'poison', got: [] as Got[] };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const bad = state.refuses !== '' && text.includes(state.refuses);
      response.writeHead(bad ? 422 : 200, { 'content-type': 'text/plain' }).end(bad ? 'no \u001b[31mthank you' : 'taken');
      if (bad) return;
      const header = (name: string) => request.headers[name] as string;
      const replay = request.headers['waybill-replay'] as string | undefined;
      state.got.push({
        batch: header('waybill-batch'),
        replay,
        from: Number(header('waybill-from')),
        through: Number(header('waybill-through')),
        text,
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`;
  return state;
}

const yaml = (port: number, destinations: string): string => `ledger: { origin: resend.example/audit, path: ./data }
api:
  listen: 127.0.0.1:${port}
  tokens: [{ name: ops, role: operator, token: ${OPERATOR} }]
sources:
  app: { type: http, schema: json, id_field: id }
destinations:${destinations}
`;

test('what a destination would not take, and what it had, is sent again; what is taken out is forgotten', async (t) => {
  const receiver = await receive(t);
  const directory = mkdtempSync(join(tmpdir(), 'waybill-resend-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const more = 'control: none, on_reject: quarantine, retry: { max: 200ms }';
  const lake = `\n  lake: { type: http, url: "${receiver.url}", start: beginning, ${more} }`;
  const file = initWaybill(directory, yaml(port, lake));
  const running = await startWaybill(file, port);
  t.after(() => running.end('SIGKILL'));
  const send = async (id: string, text: string): Promise<void> => {
    const body = JSON.stringify({ id, text });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${OPERATOR}` };
    assert.equal((await fetch(`${running.url}/v1/events`, { method: 'POST', headers, body })).status, 200);
  };
  const lakeOf = async () => JSON.parse((await waybill(file, 'status', '--json')).out).destinations.lake;

  await send('e0', 'good');
  await send('e1', 'poison \u001b[31m');
  await send('e2', 'good');
  await until('e1 to be set aside', async () => (await lakeOf()).quarantine.length === 1);

  const listed = await waybill(file, 'quarantine', 'list');
  assert.match(listed.out, /lake +1 +1 +SINK_REFUSED_ENTRY +http:\/\/127\.0\.0\.1:\d+ answered 422/);
  const shown = await waybill(file, 'quarantine', 'show', 'lake', '1');
  assert.match(shown.out, /lake would not take entry 1/);
  assert.match(shown.out, /"id": "e1"/);
  for (const { out } of [listed, shown]) assert.ok(!out.includes('\u001b'), 'nothing reaches the terminal as a command');

  receiver.refuses = '';
  const unasked = await waybill(file, 'quarantine', 'redeliver', 'lake', '--from', '1');
  assert.equal(unasked.code, 1);
  assert.match(`${unasked.out}${unasked.err}`, /CONFIRMATION_MISSING[\s\S]*--yes/);
  assert.equal((await lakeOf()).quarantine.length, 1, 'nothing was done');
  assert.equal((await waybill(file, 'quarantine', 'redeliver', 'lake', '--from', '1', '--yes')).code, 0);
  await until('e1 to be delivered', async () => (await lakeOf()).quarantine.length === 0);
  assert.ok(receiver.got.some(({ replay, text }) => replay === 'redeliver-1' && text.includes('"e1"')));

  const dry = await waybill(file, 'replay', 'lake', '--from', '0', '--through', '2', '--dry-run');
  assert.match(dry.out, /replay of 3 entries, 0 to 2/);
  const before = [...receiver.got];
  assert.equal((await waybill(file, 'replay', 'lake', '--from', '2020-01-01', '--through', '2', '--yes')).code, 0);
  await until('the replay to arrive', () => receiver.got.filter(({ replay }) => replay === 'replay-2').length > 0);
  const live = before.find(({ from, replay }) => from === 0 && replay === undefined);
  assert.ok(
    receiver.got.slice(before.length).every(({ batch }) => batch !== live?.batch),
    'a replay has identities of its own',
  );

  await until('the replay to end', async () => (await lakeOf()).side === null);
  const known = receiver.got.length;
  assert.equal((await waybill(file, 'recover', 'lake', '--from', '0', '--through', '0', '--yes', '--reason', 'lost it')).code, 0);
  await until('the original to arrive again', () => receiver.got.length > known);
  assert.deepEqual(receiver.got[known], live, 'the original batch under its own identity');
  const nothing = await waybill(file, 'recover', 'lake', '--yes');
  assert.equal(nothing.code, 1);
  assert.match(`${nothing.out}${nothing.err}`, /does not say that it lacks anything/);

  const early = await waybill(file, 'destination', 'forget', 'lake', '--yes');
  assert.equal(early.code, 1);
  assert.match(`${early.out}${early.err}`, /take it out[\s\S]*COMMAND_REFUSED/);
  writeFileSync(file, yaml(port, ' {}'));
  assert.equal((await waybill(file, 'reload')).code, 0);
  const removed = await waybill(file, 'status');
  assert.match(removed.out, /lake +removed/);
  assert.match(removed.out, /waybill destination forget lake/);
  assert.equal((await waybill(file, 'destination', 'forget', 'lake')).code, 1, 'it asks first');
  assert.match((await waybill(file, 'destination', 'forget', 'lake', '--yes')).out, /lake is forgotten/);
  assert.doesNotMatch((await waybill(file, 'status')).out, /lake/);
  const entries = await (await fetch(`${running.url}/v1/entries`, { headers: { authorization: `Bearer ${OPERATOR}` } })).text();
  for (const type of [
    'destination.gap',
    'redeliver.started',
    'redeliver.ended',
    'replay.ended',
    'recover.ended',
    'destination.forgotten',
  ]) {
    assert.equal(entries.split(`"type":"${type}"`).length - 1, 1, `${type} is declared once`);
  }
});

test('another target needs a word, and the word acts once', async (t) => {
  const [first, second] = [await receive(t), await receive(t)];
  const directory = mkdtempSync(join(tmpdir(), 'waybill-target-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const lake = (url: string, more = '') => `\n  lake: { type: http, url: "${url}", start: beginning, control: none${more} }`;
  const file = initWaybill(directory, yaml(port, lake(first.url)));
  const running = await startWaybill(file, port);
  t.after(() => running.end('SIGKILL'));
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${OPERATOR}` };
  const send = (id: string) => fetch(`${running.url}/v1/events`, { method: 'POST', headers, body: JSON.stringify({ id }) });
  const lakeOf = async () => JSON.parse((await waybill(file, 'status', '--json')).out).destinations.lake;
  await send('e0');
  await until('e0 to arrive', () => first.got.length === 1);
  writeFileSync(file, yaml(port, lake(second.url)));
  await waybill(file, 'reload');
  await until('it to stop', async () => (await lakeOf()).error?.code === 'TARGET_CHANGED');
  const refused = await waybill(file, 'retry', 'lake');
  assert.match(`${refused.out}${refused.err}`, /target_changed[\s\S]*COMMAND_REFUSED/);
  writeFileSync(file, yaml(port, lake(second.url, ', target_changed: restart')));
  assert.equal((await waybill(file, 'reload')).code, 0);
  await until('e0 to arrive at the other place', () => second.got.some(({ text }) => text.includes('"e0"')));
  await send('e1');
  await until('e1 to arrive', () => second.got.some(({ text }) => text.includes('"e1"')));
  writeFileSync(file, yaml(port, lake(second.url, ', target_changed: restart, timeout: 20s')));
  assert.equal((await waybill(file, 'reload')).code, 0);
  await send('e2');
  await until('e2 to arrive', () => second.got.some(({ text }) => text.includes('"e2"')));
  assert.equal(second.got.filter(({ text }) => text.includes('"e0"')).length, 1, 'it did not begin anew a second time');
});
