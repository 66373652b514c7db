import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { startObjectStore } from '../../src/cli/demo/object-store.ts';
import { freePort } from '../../src/cli/machine.ts';
import { startHttpReceiver } from '../conformance/http-receiver.ts';
import { MAIN } from '../crash/process.ts';

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-access-key' };

interface Checked {
  readonly code: number | null;
  readonly found: Readonly<Record<string, { readonly found: readonly string[]; readonly code: string | undefined }>>;
}

async function check(directory: string, yaml: string, args: readonly string[]): Promise<Checked> {
  writeFileSync(join(directory, 'waybill.yaml'), yaml);
  const child = spawn(process.execPath, [MAIN, 'check', '--json', ...args], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const { connections } = JSON.parse(out) as {
    readonly connections: readonly { destination: string; found: readonly string[]; error: { code: string } | null }[];
  };
  return {
    code,
    found: Object.fromEntries(connections.map(({ destination, found, error }) => [destination, { found, code: error?.code }])),
  };
}

async function peers(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-connect-'));
  const receiver = await startHttpReceiver({ drops: false, read: () => ({ id: '', held: [], checkpoint: null }) });
  const store = await startObjectStore({ ...KEYS, bucket: 'audit', region: 'us-east-1', conditions: 'honoured' });
  t.after(async () => {
    await receiver.stop();
    await store.stop();
    rmSync(directory, { recursive: true });
  });
  const closed = await freePort();
  const yaml = `ledger: { origin: acme.example/audit, path: ./data }
api: { listen: 127.0.0.1:${closed} }
destinations:
  lake: { type: http, url: ${receiver.url}/in, start: now }
  hook: { type: webhook, url: ${receiver.url}/hook, secret: ${SECRET}, allow_private: true, start: now }
  archive:
    { type: s3, endpoint: ${store.url}, bucket: audit, start: now,
      access_key_id: ${KEYS.accessKeyId}, secret_access_key: ${KEYS.secretAccessKey} }
  local: { type: file, path: ./out/audit.ndjson, start: now }
  pipe: { type: stdout, start: now }
`;
  return { directory, receiver, store, yaml, closed };
}

test('check --connect looks at every destination and writes nothing', async (t) => {
  const { directory, receiver, store, yaml } = await peers(t);
  const { code, found } = await check(directory, yaml, ['--connect']);
  assert.equal(code, 0);
  assert.deepEqual(found['lake']?.found, ['connected to 127.0.0.1 without TLS; no request was sent']);
  assert.deepEqual(found['hook']?.found, ['connected to 127.0.0.1 without TLS; no request was sent']);
  assert.match(String(found['archive']?.found), /the bucket audit is there/);
  assert.match(String(found['local']?.found), /is not there yet/);
  assert.deepEqual(found['pipe']?.found, ['opened; nothing was sent']);
  assert.deepEqual(receiver.requests, []);
  assert.deepEqual(store.versions, []);
  assert.ok(!existsSync(join(directory, 'out')));
});

test('check --send-test sends what is marked as a test, and nothing else', async (t) => {
  const { directory, receiver, store, yaml } = await peers(t);
  const { code, found } = await check(directory, yaml, ['--connect', '--send-test']);
  assert.equal(code, 0);
  assert.equal(found['lake']?.found[1], `a test was sent, and ${receiver.url} answered 204`);
  assert.match(String(found['archive']?.found), /waybill\.json was written; the store keeps conditions/);
  assert.deepEqual(found['local']?.found.slice(1), ['a test cannot be sent to this type']);
  assert.deepEqual(
    store.versions.map(({ key }) => key),
    ['waybill.json'],
  );
  const [lake, hook] = receiver.requests;
  assert.ok(lake !== undefined && hook !== undefined && receiver.requests.length === 2);
  assert.equal(lake.headers['waybill-test'], 'true');
  assert.equal((JSON.parse(lake.body.toString()) as { readonly type: string }).type, 'waybill.test');
  const message = new Webhook(SECRET).verify(hook.body.toString(), hook.headers as Record<string, string>) as { readonly type: string };
  assert.equal(message.type, 'waybill.test');
});

test('check --connect names what is wrong at each destination, and looks at the others', async (t) => {
  const { directory, yaml, closed } = await peers(t);
  const wrong = yaml
    .replace(/url: \S+\/in/, `url: http://127.0.0.1:${closed}/in`)
    .replace('allow_private: true', 'allow_private: false')
    .replace(`secret_access_key: ${KEYS.secretAccessKey}`, 'secret_access_key: wrong');
  const { code, found } = await check(directory, wrong, ['--connect']);
  assert.equal(code, 1);
  const codes = Object.fromEntries(Object.entries(found).map(([name, one]) => [name, one.code]));
  assert.deepEqual(codes, {
    lake: 'SINK_UNREACHABLE',
    hook: 'SINK_ADDRESS_PRIVATE',
    archive: 'SINK_UNAUTHORIZED',
    local: undefined,
    pipe: undefined,
  });
});
