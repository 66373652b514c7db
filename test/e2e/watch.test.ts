import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until } from '../crash/process.ts';

async function start(t: TestContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-watch-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const file = initWaybill(
    directory,
    `ledger: { origin: watch.example/audit, path: ./data }
api: { listen: "127.0.0.1:${port}" }
sources: { app: { type: http, schema: json } }
destinations: { archive: { type: file, path: ./out.ndjson, start: beginning } }
`,
  );
  const running = await startWaybill(file, port);
  t.after(() => running.end('SIGKILL'));
  return file;
}

// `script` gives the command a terminal of its own; it is part of util-linux.
const SCRIPT = '/usr/bin/script';

for (const key of ['q', '\u0003']) {
  test(`status --watch draws on a terminal and ends on ${JSON.stringify(key)}`, {
    skip: existsSync(SCRIPT) ? false : 'there is no script',
  }, async (t) => {
    const file = await start(t);
    const command = `${process.execPath} ${MAIN} status --watch -c ${file}`;
    const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    t.after(() => child.kill('SIGKILL'));
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    const gone = once(child, 'exit');
    await until('two pictures', () => out.split('\u001b[HLEDGER watch.example/audit').length > 2);
    child.stdin.write(key);
    assert.deepEqual(await gone, [0, null]);
    assert.match(out, /archive {2}running/);
    assert.ok(out.startsWith('\u001b[?1049h\u001b[?25l'), 'the alternate screen was taken');
    assert.ok(out.trimEnd().endsWith('\u001b[?25h\u001b[?1049l'), 'and given back');
  });
}

test('status --watch without a terminal prints lines, and ends on a signal', async (t) => {
  const file = await start(t);
  const child = spawn(process.execPath, [MAIN, 'status', '--watch', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  const gone = once(child, 'exit');
  await until('the first lines', () => /archive {2}running/.test(out));
  child.kill('SIGTERM');
  assert.deepEqual(await gone, [0, null]);
  assert.ok(!out.includes('\u001b'));
});
