import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { heldIn } from '../conformance/batches.ts';
import { initWaybill, MAIN, until } from '../crash/process.ts';

test('standard output carries entries and nothing else, and its end stops one destination only', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-stdout-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const yaml = `ledger: { origin: acme.example/audit, path: ./data }
api: { listen: 127.0.0.1:${port} }
sources: { app: { type: http, schema: json, id_field: id } }
destinations:
  out: { type: stdout, start: beginning }
  archive: { type: file, path: ./audit.ndjson, start: beginning }
`;
  const file = initWaybill(directory, yaml);
  const child = spawn(process.execPath, [MAIN, 'run', '-c', file], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const url = `http://127.0.0.1:${port}`;
  await until('waybill to accept', () =>
    fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    ),
  );
  const send = async (id: string): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers, body: JSON.stringify({ id }) });
    assert.equal(answer.status, 200);
  };
  await send('first');
  await until('the reader to have it', () => text.includes('"first"'));
  assert.ok(heldIn(text).length >= 1);

  child.stdout.destroy();
  await send('second');
  const archive = join(directory, 'audit.ndjson');
  await until('the file to have it', () => existsSync(archive) && readFileSync(archive, 'utf8').includes('"second"'));
  await until('the destination to halt', async () => {
    const status = (await (await fetch(`${url}/v1/status`)).json()) as {
      destinations: { out: { state: string; error?: { code: string } } };
    };
    return status.destinations.out.state === 'halted' && status.destinations.out.error?.code === 'OUTPUT_CLOSED';
  });
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
});
