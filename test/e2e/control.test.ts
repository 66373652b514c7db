import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until } from '../crash/process.ts';

const OPERATOR = 'operator-token-of-this-test';
const RECEIVER = 'receiver-token-of-this-test';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command while this process goes on answering as the receiver. */
function waybill(file: string, ...args: readonly string[]): Promise<Ran> {
  return new Promise((done) => {
    execFile(process.execPath, [MAIN, ...args, '-c', file], { encoding: 'utf8', timeout: 60_000 }, (error, out, err) => {
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

/** A receiver that answers with `status`. */
async function receive(t: TestContext): Promise<{ readonly url: string; status: number; count: number }> {
  const state = { url: '', status: 401, count: 0 };
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.statusCode = state.status;
      if (state.status === 200) state.count += Number(request.headers['waybill-count']);
      response.end();
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

async function start(t: TestContext, receiver: string) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-control-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const file = initWaybill(
    directory,
    `ledger: { origin: control.example/audit, path: ./data }
api:
  listen: 127.0.0.1:${port}
  tokens: [{ name: ops, role: operator, token: ${OPERATOR} }]
sources:
  app: { type: http, schema: json, id_field: id }
destinations:
  archive: { type: file, path: ./out.ndjson, start: beginning }
  lake: { type: http, url: "${receiver}", token: ${RECEIVER}, start: beginning, retry: { max: 200ms } }
`,
  );
  const running = await startWaybill(file, port);
  t.after(() => running.end('SIGKILL'));
  const send = async (id: string): Promise<void> => {
    const answer = await fetch(`${running.url}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${OPERATOR}` },
      body: JSON.stringify({ id, text: 'x\u001b[31m' }),
    });
    assert.equal(answer.status, 200, await answer.text());
  };
  return { file, running, send };
}

interface Status {
  readonly destinations: Readonly<Record<string, { readonly state: string; readonly cursor: number; readonly lag: number }>>;
}

test('an operator sees a halt with its way out, and retry, pause and resume do what they say', async (t) => {
  const receiver = await receive(t);
  const { file, send } = await start(t, receiver.url);
  const stateOf = async (name: string) => (JSON.parse((await waybill(file, 'status', '--json')).out) as Status).destinations[name];
  await send('e1');

  await until('lake to halt', async () => (await stateOf('lake'))?.state === 'halted');
  const halted = await waybill(file, 'status');
  assert.match(halted.out, /lake +http +halted +0 +1/);
  assert.match(halted.out, /lake: SINK_UNAUTHORIZED: .*\n.*waybill retry DEST/);
  assert.match(halted.out, /archive +file +running +1 +0/);
  const connected = await waybill(file, 'check', '--connect', '--json');
  assert.equal(connected.code, 1, 'a destination that halted is not connected');
  for (const { out, err } of [halted, connected]) assert.ok(![OPERATOR, RECEIVER].some((secret) => `${out}${err}`.includes(secret)));

  receiver.status = 200;
  assert.equal((await waybill(file, 'retry', 'lake')).code, 0);
  // What an operator asks for is an entry itself.
  await until('lake to have the event and the request', async () => (await stateOf('lake'))?.cursor === 2);
  assert.equal((await waybill(file, 'check', '--connect')).code, 0);

  assert.match((await waybill(file, 'pause', 'lake', '--reason', 'Wartung für 50 %')).out, /lake is paused/);
  const paused = await stateOf('lake');
  const count = receiver.count;
  await send('e2');
  await until('archive to have the second event', async () => (await stateOf('archive'))?.cursor === 4);
  assert.deepEqual({ ...paused, state: 'paused', lag: 4 - (paused?.cursor ?? 0) }, await stateOf('lake'));
  assert.equal(receiver.count, count);
  assert.equal((await waybill(file, 'resume', 'lake')).code, 0);
  await until('lake to have the second event', async () => (await stateOf('lake'))?.cursor === 5);

  const nobody = await waybill(file, 'retry', 'lakes', '--json');
  assert.equal(nobody.code, 1);
  assert.equal((JSON.parse(nobody.out) as { readonly error: { readonly code: string } }).error.code, 'DESTINATION_UNKNOWN');

  const requests = (await waybill(file, 'tap', '--from', '0', '--limit', '6', '--json')).out
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { readonly entry: { readonly source: string; readonly event: Record<string, unknown> } }).entry)
    .filter(({ source }) => source === 'waybill')
    .map(({ event }) => event);
  const of = (verb: string, destination: string, more: Readonly<Record<string, string>> = {}) => ({
    type: 'operator.request',
    by: 'ops',
    address: '127.0.0.1',
    method: 'POST',
    path: `/v1/destinations/${destination}/${verb}`,
    destination,
    ...more,
    body: {},
  });
  assert.deepEqual(requests, [
    of('retry', 'lake'),
    of('pause', 'lake', { reason: 'Wartung für 50 %' }),
    of('resume', 'lake'),
    of('retry', 'lakes'),
  ]);
});

test('tap shows entries on one line each, and nothing in them reaches the terminal as a command', async (t) => {
  const { file, send } = await start(t, 'http://127.0.0.1:1/in');
  await send('e1');
  await send('e2');
  const text = await waybill(file, 'tap', '--from', '0', '--limit', '2');
  assert.equal(text.code, 0, text.err);
  const lines = text.out.trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /^0 {2}\d{4}-\d\d-\d\dT.* app {2}e1 {2}/);
  assert.ok(!text.out.includes('\u001b'));
  const json = await waybill(file, 'tap', 'lake', '--limit', '1', '--json');
  const { index, entry } = JSON.parse(json.out) as { readonly index: number; readonly entry: { readonly id: string } };
  assert.deepEqual([index, entry.id], [0, 'e1']);
  assert.equal((await waybill(file, 'tap', 'lakes')).code, 1);
});
