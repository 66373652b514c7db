import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { MAIN } from '../crash/process.ts';

/** Runs a command to its end. */
function waybill(directory: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'], ...environment },
  });
  return { code: status, out: stdout, err: stderr };
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-commands-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describe('waybill token', () => {
  test('prints a token once, and the line that lets it in', (t) => {
    const directory = temporary(t);
    const { code, out, err } = waybill(directory, ['token', '--name', 'billing']);
    assert.equal(code, 0, err);
    assert.match(out, /^[0-9a-f]{48}\n$/);
    assert.ok(err.includes(`- { name: billing, role: producer, token_sha256: ${hash('sha256', out.trim())} }`), err);
    assert.ok(!err.includes(out.trim()));
    const json = JSON.parse(waybill(directory, ['token', '--role', 'operator', '--json']).out) as Record<string, string>;
    assert.deepEqual([json['role'], json['token_sha256']], ['operator', hash('sha256', json['token'] ?? '')]);
    assert.equal(waybill(directory, ['token', '--role', 'root']).code, 2);
  });
});

describe('waybill init', () => {
  test('writes a configuration that has no mistakes, a private token and an empty ledger, and says what is next', (t) => {
    const directory = temporary(t);
    const { code, out, err } = waybill(directory, ['init', '--origin', 'acme.example/audit']);
    assert.equal(code, 0, err);
    assert.match(out, /waybill run/);
    assert.equal(statSync(join(directory, 'waybill.token')).mode & 0o777, 0o600);
    assert.match(readFileSync(join(directory, 'waybill.token'), 'utf8'), /^[0-9a-f]{48}\n$/);
    assert.ok(existsSync(join(directory, 'data/ledger.json')));
    for (const use of ['log', 'freshness']) {
      assert.equal(statSync(join(directory, `keys/${use}.key`)).mode & 0o777, 0o600);
      assert.ok(out.includes(readFileSync(join(directory, `keys/${use}.vkey`), 'utf8').trim()), out);
      assert.ok(!out.includes('PRIVATE+KEY'));
    }
    const checked = waybill(directory, ['check', '--json']);
    assert.equal(checked.code, 0, checked.err);
    assert.equal((JSON.parse(checked.out) as { readonly ok: boolean }).ok, true);
  });

  test('changes nothing the second time', (t) => {
    const directory = temporary(t);
    waybill(directory, ['init']);
    const names = ['waybill.yaml', 'waybill.token', 'data/ledger.json', 'keys/log.key', 'keys/freshness.key'];
    const before = names.map((name) => readFileSync(join(directory, name), 'utf8'));
    const again = waybill(directory, ['init', '--json']);
    assert.equal(again.code, 0, again.err);
    assert.deepEqual((JSON.parse(again.out) as { readonly made: readonly string[] }).made, []);
    const after = names.map((name) => readFileSync(join(directory, name), 'utf8'));
    assert.deepEqual(after, before);
  });

  test('creates the ledger of a configuration that is there, and leaves that alone', (t) => {
    const directory = temporary(t);
    const text = 'ledger: { origin: a.example, path: ./elsewhere }\n';
    writeFileSync(join(directory, 'own.yaml'), text);
    assert.equal(waybill(directory, ['init', '-c', 'own.yaml']).code, 0);
    assert.equal(readFileSync(join(directory, 'own.yaml'), 'utf8'), text);
    assert.ok(existsSync(join(directory, 'elsewhere/ledger.json')));
    assert.ok(!existsSync(join(directory, 'waybill.token')));
  });

  test('creates no ledger for a configuration with mistakes', (t) => {
    const directory = temporary(t);
    writeFileSync(join(directory, 'waybill.yaml'), 'ledger: { origin: a.example, path: ./data, limits: 1GiB }\n');
    const { code, err } = waybill(directory, ['init']);
    assert.equal(code, 78);
    assert.match(err, /waybill\.yaml:1:\d+ ledger\.limits: unknown key; did you mean limit\?/);
    assert.ok(!existsSync(join(directory, 'data')));
  });
});

describe('exit codes', () => {
  const ROWS: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['a word that is no command', ['rnu'], 2, /unknown command 'rnu'[\s\S]*run/],
    ['an unknown option', ['status', '--wach'], 2, /unknown option '--wach'/],
    ['a destination that is not named', ['retry'], 2, /missing required argument/],
    ['a duration that is none', ['demo', '--for', 'long'], 2, /from 4s to 10m/],
    ['a schema that is none', ['schema', 'entry'], 2, /there is no schema entry/],
    ['no configuration', ['run'], 78, /there is no configuration at .*waybill\.yaml[\s\S]*CONFIG_MISSING: .*waybill init/],
    ['no configuration to check', ['check', '-c', 'gone.yaml'], 78, /gone\.yaml/],
  ];
  for (const [what, args, expected, says] of ROWS) {
    test(`${what}: ${expected}`, (t) => {
      const { code, err } = waybill(temporary(t), args);
      assert.match(err, says);
      assert.equal(code, expected);
    });
  }

  test('a run without its ledger: 78, and nothing is created', (t) => {
    const directory = temporary(t);
    writeFileSync(join(directory, 'waybill.yaml'), 'ledger: { origin: a.example, path: ./data }\napi: { listen: 127.0.0.1:0 }\n');
    const { code, err } = waybill(directory, ['run']);
    assert.match(err, /LEDGER_MISSING: .*waybill init/);
    assert.equal(code, 78);
    assert.ok(!existsSync(join(directory, 'data/ledger.json')));
  });

  for (const args of [['status'], ['tap'], ['pause', 'archive'], ['resume', 'archive'], ['retry', 'archive']]) {
    test(`waybill ${args.join(' ')} where nothing runs: 75`, (t) => {
      const directory = temporary(t);
      // Nobody listens on port 1 of the loopback interface.
      writeFileSync(join(directory, 'waybill.yaml'), 'ledger: { origin: a.example, path: ./data }\napi: { listen: 127.0.0.1:1 }\n');
      const text = waybill(directory, args);
      assert.match(text.err, /NOT_RUNNING: .*waybill run/);
      assert.equal(text.code, 75);
      const json = waybill(directory, [...args, '--json']);
      assert.equal(json.code, 75);
      assert.equal((JSON.parse(json.out) as { readonly error: { readonly code: string } }).error.code, 'NOT_RUNNING');
    });
  }
});

describe('waybill check', () => {
  test('lists every mistake with its place, also as JSON', (t) => {
    const directory = temporary(t);
    const text =
      'ledger: { origin: a.example, path: ./data }\nsources:\n  app: { type: htp }\ndestinations:\n  a: { type: file, start: beginning }\n';
    writeFileSync(join(directory, 'waybill.yaml'), text);
    const { code, err } = waybill(directory, ['check']);
    assert.equal(code, 78);
    assert.match(err, /waybill\.yaml:3:16 sources\.app\.type: no such source; .*did you mean http\?/);
    assert.match(err, /waybill\.yaml:5:6 destinations\.a\.path: missing/);
    const json = JSON.parse(waybill(directory, ['check', '--json']).out) as { readonly faults: readonly { readonly line: number }[] };
    assert.deepEqual(
      json.faults.map(({ line }) => line),
      [3, 5],
    );
  });

  test('names the weakest hop of each path', (t) => {
    const directory = temporary(t);
    writeFileSync(
      join(directory, 'waybill.yaml'),
      `ledger: { origin: a.example, path: ./data }
sources:
  app: { type: http }
  old: { type: http, schema: json }
destinations:
  archive: { type: file, path: ./out.ndjson, start: now }
  search: { type: http, url: "http://127.0.0.1:9/in", start: now }
`,
    );
    const { code, out } = waybill(directory, ['check', '--json']);
    assert.equal(code, 0);
    const { paths } = JSON.parse(out) as { readonly paths: readonly { readonly source: string; readonly weakest: string }[] };
    assert.deepEqual(
      paths.map(({ weakest }) => weakest),
      ['app -> ledger', 'ledger -> search', 'old -> ledger', 'old -> ledger'],
    );
  });
});

test('waybill schema prints JSON Schemas that know every key', (t) => {
  const directory = temporary(t);
  const config = JSON.parse(waybill(directory, ['schema']).out) as { readonly properties: Readonly<Record<string, unknown>> };
  assert.deepEqual(Object.keys(config.properties), ['ledger', 'api', 'sources', 'destinations', 'telemetry', 'drain', 'log_level']);
  const event = JSON.parse(waybill(directory, ['schema', 'event']).out) as { readonly required: readonly string[] };
  assert.ok(event.required.includes('action'));
});
