import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until } from '../crash/process.ts';

test('what a file source refused is shown, taken in again after its rules were corrected, or given up', async (t) => {
  const directory = mkdtempSync(`${tmpdir()}/waybill-refused-`);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(`${directory}/logs`);
  writeFileSync(`${directory}/logs/app.log`, '{"k":1}\nnot json \u001b[31m\n');
  const port = await freePort();
  const config = (schema: string): string => `ledger: { origin: refused.example/audit, path: ./data }
api:
  listen: 127.0.0.1:${port}
  tokens: [{ name: ops, role: operator, token: token-of-the-operator }]
log_level: warn
sources:
  logs: { type: file, paths: [./logs/app.log*], schema: ${schema}, poll: 20ms }
`;
  const file = initWaybill(directory, config('waybill/1'));
  const waybill = await startWaybill(file, port);
  t.after(() => waybill.end('SIGKILL'));
  const run = (...words: string[]): string => execFileSync(process.execPath, [MAIN, ...words, '-c', file], { encoding: 'utf8' });
  const refused = (): { sha256: string; places: { reason: string }[] }[] =>
    run('refused', 'list', '--json')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { sha256: string; places: { reason: string }[] });

  await until('both lines to be refused', () => refused().length === 2);
  const missing = refused().find(({ places }) => places[0]?.reason === 'EVENT_FIELD_MISSING')?.sha256 ?? '';
  const garbled = refused().find(({ places }) => places[0]?.reason === 'EVENT_NOT_JSON')?.sha256 ?? '';
  const shown = run('refused', 'show', garbled);
  assert.match(shown, /not json \\u\{1b\}\[31m/);
  assert.ok(!shown.includes('\u001b'), 'a control character reached the terminal');

  const early = spawnSync(process.execPath, [MAIN, 'refused', 'retry', missing, '-c', file], { encoding: 'utf8' });
  assert.equal(early.status, 1);
  assert.match(early.stderr, /still refused: EVENT_FIELD_MISSING/);

  writeFileSync(file, config('json'));
  run('reload');
  assert.match(run('refused', 'retry', missing), /became 1 entries/);
  assert.match(run('refused', 'discard', garbled, '--reason', 'a test'), /is discarded/);
  assert.deepEqual(refused(), []);
  assert.match(run('retry', '--source', 'logs'), /tries again/);
  const { size } = (JSON.parse(run('status', '--json')) as { ledger: { size: number } }).ledger;
  const lines = run('tap', '--from', '0', '--limit', String(size), '--json').trim().split('\n');
  const types = lines.map((line) => {
    const { event, source } = (JSON.parse(line) as { entry: { source: string; event: { type?: string } } }).entry;
    return source === 'logs' ? 'event' : event.type;
  });
  const told = ['event', 'refused.retried', 'refused.discarded'];
  assert.deepEqual(
    types.filter((type) => told.includes(type ?? '')),
    told,
  );
});
