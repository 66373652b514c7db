import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from '../crash/process.ts';

/** Runs a command to its end. */
function waybill(directory: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: directory, encoding: 'utf8', timeout: 60_000 });
  return { code: status, out: stdout, err: stderr };
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-keys-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describe('the keys of the log', () => {
  /** A directory after `waybill init`. */
  function made(t: TestContext, origin = 'my-company.example/audit'): string {
    const directory = temporary(t);
    assert.equal(waybill(directory, ['init', '--origin', origin]).code, 0);
    return directory;
  }

  test('are shown by `key show` and `check`, and their private halves by nothing', (t) => {
    const directory = made(t);
    const shown = waybill(directory, ['key', 'show']);
    const verifier = readFileSync(join(directory, 'keys/log.vkey'), 'utf8').trim();
    assert.match(verifier, /^my-company\.example\/audit\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}=?$/);
    assert.ok(shown.out.includes(verifier));
    assert.ok(waybill(directory, ['check']).out.includes(verifier));
    const json = JSON.parse(waybill(directory, ['key', 'show', '--json']).out) as { readonly log: string };
    assert.equal(json.log, verifier);
  });

  test('come from references just as well', (t) => {
    const directory = made(t);
    const own = `ledger:
  origin: my-company.example/audit
  path: ./data
  keys: { log: "\${file:keys/log.key}", freshness: "\${file:keys/freshness.key}" }
`;
    writeFileSync(join(directory, 'own.yaml'), own);
    const verifier = readFileSync(join(directory, 'keys/log.vkey'), 'utf8').trim();
    assert.ok(waybill(directory, ['key', 'show', '-c', 'own.yaml']).out.includes(verifier));
    const init = waybill(directory, ['init', '-c', 'own.yaml', '--json']);
    assert.deepEqual((JSON.parse(init.out) as { readonly made: readonly string[] }).made, []);
  });

  const REFUSED: readonly (readonly [string, (directory: string, t: TestContext) => void, RegExp])[] = [
    ['are gone', (directory) => rmSync(join(directory, 'keys'), { recursive: true }), /keys\/log\.key[\s\S]*KEYS_MISSING: .*waybill init/],
    [
      'are open to others',
      (directory) => chmodSync(join(directory, 'keys/log.key'), 0o604),
      /log\.key \(mode 604\)[\s\S]*KEYS_EXPOSED: .*chmod 600/,
    ],
    ['can be replaced by the group', (directory) => chmodSync(join(directory, 'keys/log.key'), 0o620), /KEYS_EXPOSED: .*chmod 600/],
    [
      'belong to another log',
      (directory, t) => cpSync(join(made(t, 'another.example/audit'), 'keys'), join(directory, 'keys'), { recursive: true }),
      /log\.key holds a key of another\.example\/audit, not of my-company\.example\/audit[\s\S]*KEY_INVALID: .*ledger\.keys/,
    ],
    ['are no keys', (directory) => writeFileSync(join(directory, 'keys/log.key'), 'a secret\n'), /log\.key holds no key[\s\S]*KEY_INVALID/],
    ['are of the other use', (directory) => cpSync(join(directory, 'keys/freshness.key'), join(directory, 'keys/log.key')), /KEY_INVALID/],
  ];
  for (const [what, spoil, says] of REFUSED) {
    test(`run refuses when they ${what}: 78`, (t) => {
      const directory = made(t);
      spoil(directory, t);
      const { code, err } = waybill(directory, ['run']);
      assert.match(err, says);
      if (existsSync(join(directory, 'keys'))) assert.ok(!err.includes(readFileSync(join(directory, 'keys/log.key'), 'utf8').trim()));
      assert.equal(code, 78);
    });
  }

  test('may not lie inside the ledger', (t) => {
    const directory = temporary(t);
    writeFileSync(join(directory, 'waybill.yaml'), 'ledger: { origin: a.example, path: ./data, keys: ./data/keys }\n');
    const { code, err } = waybill(directory, ['check']);
    assert.match(err, /waybill\.yaml:1:\d+ ledger\.keys: .*data\/keys is inside ledger\.path/);
    assert.equal(code, 78);
  });

  test('that their group may read are warned of', (t) => {
    const directory = made(t);
    chmodSync(join(directory, 'keys/log.key'), 0o640);
    assert.match(waybill(directory, ['check']).out, /warning: the group of its owner may read .*log\.key/);
  });
});

describe('another key', () => {
  /** A ledger that has run, and how it is started again. */
  async function ran(t: TestContext) {
    const directory = temporary(t);
    const port = await freePort();
    const file = initWaybill(
      directory,
      `ledger: { origin: rotated.example/audit, path: ./data }
api: { listen: "127.0.0.1:${port}" }
sources: { app: { type: http, schema: json } }
`,
    );
    const start = () => startWaybill(file, port);
    const end = async (log: WaybillProcess): Promise<void> => assert.equal(await log.end('SIGTERM'), 0, log.log());
    const keys = async ({ url }: WaybillProcess): Promise<readonly Range[]> => {
      const { ledger } = (await (await fetch(`${url}/v1/status`)).json()) as {
        readonly ledger: { readonly heads: { readonly keys: readonly Range[] } };
      };
      return ledger.heads.keys;
    };
    const key = (use: string): string => readFileSync(join(directory, `keys/${use}`), 'utf8').trim();
    await end(await start());
    return { directory, file, start, end, keys, key };
  }

  interface Range {
    readonly verifier_key: string;
    readonly from: number;
    readonly through: number | null;
  }

  test('takes over at the next start: both sign once, then the old private key is gone', async (t) => {
    const { directory, start, end, keys, key } = await ran(t);
    const [old, oldPrivate] = [key('log.vkey'), key('log.key')];
    assert.equal(waybill(directory, ['key', 'rotate']).code, 0);
    const again = waybill(directory, ['key', 'rotate', '--json']);
    const { next, made } = JSON.parse(again.out) as { readonly next: string; readonly made: boolean };
    assert.equal(made, false, 'a key that was made already is left as it is');
    assert.equal(key('log.vkey'), old);
    const log = await start();
    await until('the new key to sign alone', async () => (await keys(log)).length === 2);
    const [before, after] = await keys(log);
    assert.deepEqual([before?.verifier_key, after?.verifier_key, before?.through], [old, next, after?.from]);
    const entries = await (await fetch(`${log.url}/v1/entries?from=0&limit=100`)).text();
    assert.equal(entries.split('"type":"key.rotated"').length, 2);
    assert.ok(entries.includes(old) && entries.includes(next));
    await until('the files to say so', () => key('log.vkey') === next);
    assert.ok(!existsSync(join(directory, 'keys/log.next.key')));
    assert.notEqual(key('log.key'), oldPrivate);
    await end(log);
    const last = await start();
    assert.equal((await keys(last)).length, 2);
    await end(last);
  });

  test('that nobody announced is refused; when the old one is gone, --lost says so', async (t) => {
    const { directory, file, start, end, keys, key } = await ran(t);
    const old = key('log.vkey');
    assert.match(waybill(directory, ['key', 'rotate', '--lost']).err, /log\.key is there[\s\S]*KEY_ROTATION_REFUSED/);
    rmSync(join(directory, 'keys'), { recursive: true });
    assert.match(waybill(directory, ['run', '-c', file]).err, /KEYS_MISSING/);
    waybill(directory, ['init']);
    assert.match(waybill(directory, ['run', '-c', file]).err, /this log is signed with rotated\.example[\s\S]*KEY_FOREIGN: .*--lost/);
    rmSync(join(directory, 'keys/log.key'));
    assert.equal(waybill(directory, ['key', 'rotate', '--lost']).code, 0);
    const log = await start();
    await until('the new key to sign', async () => (await keys(log)).length === 2);
    const [before, after] = await keys(log);
    assert.deepEqual([before?.verifier_key, after?.verifier_key], [old, key('log.vkey')]);
    assert.match(await (await fetch(`${log.url}/v1/entries?from=0&limit=100`)).text(), /"type":"key\.rotated"[^\n]*"lost":true/);
    await until('the mark to be gone', () => !existsSync(join(directory, 'keys/log.lost')));
    await end(log);
  });

  test('takes over once, whenever the process is killed', async (t) => {
    const { directory, start, end, keys, key } = await ran(t);
    waybill(directory, ['key', 'rotate']);
    const next = key('log.next.vkey');
    for (const ms of [0, 10, 40, 120]) {
      const log = await start();
      await new Promise((resolve) => setTimeout(resolve, ms));
      await log.end('SIGKILL');
    }
    const log = await start();
    await until('the new key to sign alone', async () => (await keys(log)).length === 2 && key('log.vkey') === next);
    assert.equal((await (await fetch(`${log.url}/v1/entries?from=0&limit=100`)).text()).split('"type":"key.rotated"').length, 2);
    await end(log);
  });
});
