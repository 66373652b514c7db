import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, startWaybill, until } from '../crash/process.ts';

/** The commands of the page for operators, one block a step. */
const [ROOT = '', SIGNATURE = '', FRESH = ''] = (() => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
  const section = page.split('### What a destination can check by itself')[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, commands = '']) => commands);
})();

test('a file destination is checked against its checkpoint with the commands of the page, and what is changed is found', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-file-checkpoint-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const file = initWaybill(
    directory,
    `ledger: { origin: check.example/audit, path: ./data }
api: { listen: 127.0.0.1:${port} }
log_level: error
sources: { app: { type: http, schema: json, id_field: id } }
destinations: { local: { type: file, path: ./audit.ndjson, rotate: 4KiB, batch: { entries: 5 }, start: beginning } }
`,
  );
  const waybill = await startWaybill(file, port);
  t.after(() => waybill.end('SIGKILL'));
  for (let batch = 0; batch < 5; batch += 1) {
    const events = Array.from({ length: 20 }, (_, k) => ({ id: `e-${batch}-${k}`, note: `ünï \u2028 ${'x'.repeat(50 * (k % 5))}` }));
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${waybill.url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(events) });
    assert.equal(answer.status, 200);
  }
  const checkpoint = join(directory, 'audit.ndjson.checkpoint');
  const covered = (): number => (existsSync(checkpoint) ? Number(readFileSync(checkpoint, 'utf8').split('\n')[1]) : 0);
  await until('the checkpoint to cover everything', () => covered() >= 100);
  await waybill.end('SIGTERM');
  copyFileSync(join(directory, 'keys', 'log.vkey'), join(directory, 'log.vkey'));

  const run = (commands: string): { readonly status: number | null; readonly said: string } => {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', commands], { cwd: directory, encoding: 'utf8' });
    return { status, said: `${stdout}${stderr}`.trim() };
  };
  const apart = readdirSync(directory).filter((name) => /^audit\.ndjson\.\d{12}$/.test(name));
  assert.ok(apart.length >= 2, 'files were set apart');
  assert.match(run(ROOT).said, /^ok: \d+ of \d+ entries are those of check\.example\/audit$/);
  assert.deepEqual(run(SIGNATURE), { status: 0, said: 'Signature Verified Successfully' });
  assert.deepEqual(run(FRESH), { status: 0, said: '' });

  const changing = (name: string, change: (text: string) => string, check: () => void): void => {
    const path = join(directory, name);
    const before = readFileSync(path, 'latin1');
    writeFileSync(path, change(before), 'latin1');
    check();
    writeFileSync(path, before, 'latin1');
  };
  const first = apart.toSorted()[0] ?? '';
  const without = (text: string): string => text.split('\n').toSpliced(3, 1).join('\n');
  changing(
    first,
    (text) => text.replace('"e-0-5"', '"e-0-6"'),
    () => assert.match(run(ROOT).said, /^CHANGED/),
  );
  const twice = (text: string): string => without(text).replace(/\n$/, `\n${text.split('\n')[9]}\n`);
  changing(first, twice, () => assert.deepEqual(run(ROOT), { status: 1, said: 'LOST: line 4 has the entry 4' }));
  changing(first, without, () => assert.match(run(ROOT).said, /^LOST/));
  changing(
    'audit.ndjson',
    () => '',
    () => assert.match(run(ROOT).said, /^LOST: the checkpoint covers/),
  );
  changing(
    'audit.ndjson.checkpoint',
    (text) => text.replace(/\n(\d+)\n/, '\n1\n'),
    () => assert.notEqual(run(SIGNATURE).status, 0),
  );
  const old = new Date(Date.now() - 600_000);
  utimesSync(checkpoint, old, old);
  assert.equal(run(FRESH).said, 'audit.ndjson.checkpoint');
  assert.match(run(ROOT).said, /^ok/);
});
