import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { until } from '../crash/process.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What makes a copy of the checkout that can be built beside it: other tests build in the checkout itself. */
const COPIED = [
  'bin',
  'console',
  'verifier',
  'src',
  'tools',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'LICENSE',
  'README.md',
];

test('the package that npm makes of a checkout runs where it is installed, and nothing else is there', { timeout: 240_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-package-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const checkout = join(directory, 'checkout');
  mkdirSync(checkout);
  execFileSync('cp', ['-R', ...COPIED, checkout], { cwd: ROOT });
  execFileSync('ln', ['-s', join(ROOT, 'node_modules'), join(checkout, 'node_modules')]);
  // A machine may be told to run no scripts of packages; this one is our own.
  const npm = (where: string, ...args: readonly string[]): string =>
    execFileSync('npm', [...args, '--ignore-scripts=false', '--loglevel=error'], {
      cwd: where,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  npm(checkout, 'pack', '--pack-destination', directory);
  const packed = readdirSync(directory).find((name) => name.endsWith('.tgz')) ?? '';
  const files = execFileSync('tar', ['tzf', join(directory, packed)], { encoding: 'utf8' }).split('\n');
  assert.ok(files.includes('package/dist/cli/main.js') && files.includes('package/dist/console/index.html'), files.slice(0, 20).join('\n'));
  const published = /^package\/(?:dist\/|bin\/|LICENSE$|README\.md$|package\.json$)/;
  assert.deepEqual(
    files.filter((name) => name !== '' && (!published.test(name) || name.includes('.test.'))),
    [],
  );

  const empty = join(directory, 'empty');
  mkdirSync(empty);
  npm(empty, 'install', '--prefer-offline', '--no-audit', '--no-fund', join(directory, packed));
  assert.ok(!existsSync(join(empty, 'node_modules/typescript')), 'what only a checkout needs stays behind');
  const main = join(empty, 'node_modules/.bin/waybill');
  const waybill = (...args: readonly string[]): string => execFileSync(process.execPath, [main, ...args], { cwd: empty, encoding: 'utf8' });
  waybill('init');
  const port = await freePort();
  const file = join(empty, 'waybill.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('127.0.0.1:8400', `127.0.0.1:${port}`));
  waybill('check');
  const child = spawn(process.execPath, [main, 'run'], { cwd: empty, stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const url = `http://127.0.0.1:${port}`;
  await until('the product to accept', async () => {
    assert.equal(child.exitCode, null, said);
    return fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  const authorization = `Bearer ${readFileSync(join(empty, 'waybill.token'), 'utf8').trim()}`;
  const answer = await fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: '{"id":"evt_1","occurred_at":"2026-11-24T11:08:09Z","action":"a.b","outcome":"success","actor":{"type":"user","id":"u"}}',
  });
  assert.equal(answer.status, 200, await answer.text());
  const entries = await fetch(`${url}/v1/entries?from=0&limit=10`, { headers: { authorization } });
  assert.match(await entries.text(), /"id":"evt_1"/);
  await until('the event to be delivered', () => existsSync(join(empty, 'out/audit.ndjson')));
  await until('the line to be there', () => readFileSync(join(empty, 'out/audit.ndjson'), 'utf8').includes('"evt_1"'));
  assert.match(waybill('status'), /archive +file +running/);
  assert.equal((await fetch(url)).headers.get('content-type')?.split(';')[0], 'text/html');
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await gone, [0, null], said);
});
