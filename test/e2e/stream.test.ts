import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, startWaybill } from '../crash/process.ts';
import { readStream } from '../doubles/event-stream.ts';

test('a reader resumes after the process was killed, and has every entry once and in order', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-stream-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const file = initWaybill(
    directory,
    `ledger: { origin: stream.example/audit, path: ./data }
api: { listen: "127.0.0.1:${port}" }
sources:
  app: { type: http, schema: json, id_field: id }
`,
  );
  let running = await startWaybill(file, port);
  t.after(() => running.end('SIGKILL'));
  const send = async (round: number): Promise<boolean> => {
    const body = JSON.stringify(Array.from({ length: 50 }, (_, k) => ({ id: `${round}.${k}` })));
    const answer = await fetch(`${running.url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return answer.ok;
  };
  const lines: string[] = [];
  let last = '';
  for (let life = 0; life < 3; life++) {
    const reader = readStream(port, '/v1/stream?from=beginning', last === '' ? {} : { 'last-event-id': last });
    await reader.until(() => reader.head().startsWith('HTTP/1.1 200'));
    // Requests are on their way when the process dies, so that some end without an answer.
    const sending = Promise.allSettled(Array.from({ length: 40 }, (_, k) => send(life * 40 + k)));
    await reader.until(() => reader.events.length > 100);
    await running.end('SIGKILL');
    await Promise.all([sending, reader.ended]);
    lines.push(...reader.events.map(({ data }) => data));
    last = reader.lastId();
    running = await startWaybill(file, port);
  }
  const rest = readStream(port, '/v1/stream?from=beginning', { 'last-event-id': last });
  assert.ok(await send(1_000));
  const durable = (await (await fetch(`${running.url}/v1/entries?limit=100000`)).text()).trimEnd().split('\n');
  await rest.until(() => lines.length + rest.events.length >= durable.length);
  rest.socket.destroy();
  assert.deepEqual([...lines, ...rest.events.map(({ data }) => data)], durable);
  assert.ok(durable.length > 300, 'there was something to lose');
});

test('a stop ends the stream with a word of it, within the time of the drain', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-stream-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const file = initWaybill(directory, `ledger: { origin: stream.example/audit, path: ./data }\napi: { listen: "127.0.0.1:${port}" }\n`);
  const running = await startWaybill(file, port);
  t.after(() => running.end('SIGKILL'));
  const reader = readStream(port, '/v1/stream');
  await reader.until(() => reader.head() !== '');
  assert.equal(await running.end('SIGTERM'), 0);
  await reader.ended;
  assert.deepEqual(reader.comments, ['the server is being stopped']);
});
