import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until } from '../crash/process.ts';
import { makeAuthority } from '../doubles/certificate-authority.ts';

/** What must never come out anywhere, by where it is planted. */
const SECRETS = {
  operator: 'planted-operator-7f3a91',
  producer: 'planted-producer-c04d2e',
  retired: 'planted-retired-55ab10',
  bearer: 'planted-bearer-9b8d7c',
  header: 'planted-header-e1f2a3',
  query: 'planted-query-4d5e6f',
  user: 'planted-user-a9b8c7',
  webhook: Buffer.from('planted-webhook-7a8b9c-and-more-of-it').toString('base64'),
  accessKey: 'planted-access-3c2b1a',
  guess: 'planted-guess-0f0e0d',
} as const;

/** An event's content, which belongs into the ledger and the destinations only. */
const CONTENT = 'planted-content-6e5d4c';

/** A receiver that refuses everything and says back all that it was sent. */
async function openParrot(t: TestContext): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(403, { 'content-type': 'text/plain' });
      response.end(`${request.url} ${JSON.stringify(request.headers)} ${Buffer.concat(chunks).toString()}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-secrets-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await makeAuthority('the authority');
  const { key, certificate } = await authority.issue('audit.example', [{ type: 'dns', value: 'audit.example' }]);
  writeFileSync(join(directory, 'cert.pem'), certificate);
  writeFileSync(join(directory, 'key.pem'), key, { mode: 0o600 });
  writeFileSync(join(directory, 'bearer'), `${SECRETS.bearer}\n`, { mode: 0o600 });
  const [plain, secure, parrot] = [await freePort(), await freePort(), await openParrot(t)];
  const yaml = `ledger: { origin: secrets.example/audit, path: ./data }
api:
  listeners:
    - { listen: "127.0.0.1:${secure}", serve: [control], tls: { cert: ./cert.pem, key: ./key.pem } }
    - { listen: "127.0.0.1:${plain}", serve: [ingest, control, metrics] }
  tokens:
    - { name: ops, role: operator, token: ${SECRETS.operator} }
    - { name: app, role: producer, sources: [app], token_sha256: ${hash('sha256', SECRETS.producer)} }
    - { name: retired, role: viewer, token: ${SECRETS.retired}, expires: 2020-01-01 }
sources:
  app: { type: http, schema: waybill/1 }
destinations:
  archive: { type: file, path: ./out.ndjson, start: beginning }
  lake:
    type: http
    url: "http://${parrot}/in?key=${SECRETS.query}"
    token: "\${file:bearer}"
    headers: { x-key: ${SECRETS.header} }
    start: beginning
  hook: { type: webhook, url: "http://${parrot}/hook", allow_private: true, secret: whsec_${SECRETS.webhook}, start: beginning }
  nowhere: { type: http, url: "http://nowhere.invalid/in", headers: { authorization: ${SECRETS.header} }, start: beginning }
  store:
    type: s3
    endpoint: "http://${parrot}"
    bucket: audit
    region: local
    access_key_id: id
    secret_access_key: ${SECRETS.accessKey}
    start: beginning
`;
  return { directory, file: initWaybill(directory, yaml), yaml, key, plain };
}

/** Runs a command to its end and gives everything that it said. */
async function said(file: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args, '-c', file], { env: { PATH: process.env['PATH'], ...environment } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text };
}

test('no secret comes out of a run: not in the log, an answer, a command, an error or the ledger', async (t) => {
  const { directory, file, yaml, key, plain } = await setUp(t);
  const running = await startWaybill(file, plain);
  t.after(() => running.end('SIGKILL'));
  const outputs: string[] = [];
  const ask = async (path: string, token: string, init: RequestInit = {}) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) };
    const answer = await fetch(`${running.url}${path}`, { ...init, headers });
    outputs.push(`${JSON.stringify([...answer.headers])} ${await answer.text()}`);
    return answer.status;
  };
  const event = {
    occurred_at: '2026-11-24T11:08:09Z',
    action: 'a.b',
    outcome: 'success',
    actor: { type: 'user', id: 'u' },
    description: CONTENT,
  };
  const send = (value: unknown) => ask('/v1/events', SECRETS.producer, { method: 'POST', body: JSON.stringify(value) });
  assert.equal(await send({ id: 'e1', ...event }), 200);
  assert.equal(await send({ id: 'e1', ...event, action: 'a.c' }), 409);
  assert.equal(await send({ ...event, outcome: CONTENT, id: { [CONTENT]: 1 } }), 422);
  assert.equal(await ask('/v1/events', SECRETS.producer, { method: 'POST', body: `{"a":"${CONTENT}"` }), 400);
  assert.equal(await ask('/v1/status', SECRETS.retired), 401);
  assert.equal(await ask('/v1/status', SECRETS.guess), 401);
  assert.equal(await ask('/v1/destinations/lake/retry', SECRETS.producer, { method: 'POST' }), 403);
  assert.equal(await ask('/v1/destinations/lake/retry', SECRETS.operator, { method: 'POST' }), 200);
  assert.equal(await ask(`/v1/status?token=${SECRETS.guess}`, SECRETS.operator), 400);
  await until('lake, hook and store to halt', async () => {
    await ask('/v1/status', SECRETS.operator);
    return (outputs.at(-1)?.match(/"state":"halted"/g) ?? []).length >= 3;
  });
  for (const path of ['/metrics', '/openapi.json', '/v1/destinations', '/v1/destinations/lake']) await ask(path, SECRETS.operator);
  running.child.kill('SIGHUP');

  for (const args of [
    ['check'],
    ['check', '--json'],
    ['check', '--connect'],
    ['status'],
    ['status', '--json'],
    ['retry', 'lake'],
    ['retry', 'no'],
  ])
    outputs.push((await said(file, args)).text);
  const overTls = await said(file, ['status', '--json']);
  assert.equal(overTls.code, 0, 'the first listener that serves control has TLS, and its certificate is the configured one');
  outputs.push((await said(file, ['status'], { WAYBILL_TOKEN: SECRETS.guess })).text);
  for (const [find, replace] of [
    [`secret: whsec_${SECRETS.webhook}`, `secret: [whsec_${SECRETS.webhook}]`],
    [`token: ${SECRETS.operator}`, `token: { ${SECRETS.operator}: 1 }`],
    [`token: ${SECRETS.operator}`, `token: "${SECRETS.operator} "`],
    ['${file:bearer}', '${file:bearers}'],
    ['/in?key=', ':x/in?key='],
    ['webhook, url: "http://', `webhook, url: "http://u:${SECRETS.user}@`],
    ['./key.pem', './cert.pem'],
  ] as const) {
    assert.ok(yaml.includes(find), find);
    writeFileSync(
      file,
      yaml.replace(find, () => replace),
    );
    const { code, text } = await said(file, ['check']);
    assert.equal(code, 78, `${replace}: ${text}`);
    outputs.push(text, (await said(file, ['check', '--json'])).text);
    running.child.kill('SIGHUP');
  }
  await until('the reload to be refused', () => /CONFIG_INVALID|not reloaded|mistake/.test(running.log()));
  await running.end('SIGTERM');
  outputs.push(running.log());

  const stored = globSync('data/**/*', { cwd: directory }).flatMap((name) => {
    const path = join(directory, name);
    return statSync(path).isFile() ? [{ name, bytes: readFileSync(path) }] : [];
  });
  assert.ok(stored.length > 3);
  const keyLine = key.split('\n')[1] ?? '';
  for (const [what, secret] of [...Object.entries(SECRETS), ['key', keyLine] as const]) {
    for (const output of outputs) assert.ok(!output.includes(secret), `${what} in ${output.slice(0, 2_000)}`);
    for (const { name, bytes } of stored) assert.ok(!bytes.includes(secret), `${what} in ${name}`);
    for (const { name, bytes } of stored) assert.ok(!bytes.includes(hash('sha256', secret)), `the digest of ${what} in ${name}`);
  }
  for (const output of outputs) assert.ok(!output.includes(CONTENT), output.slice(0, 2_000));
  assert.ok(
    stored.some(({ bytes }) => bytes.includes(CONTENT)),
    'the search finds what is there',
  );
});

test('what is risky is said by check and at the start', async (t) => {
  const { directory, file } = await setUp(t);
  chmodSync(join(directory, 'key.pem'), 0o644);
  const { code, text } = await said(file, ['check']);
  assert.equal(code, 0, text);
  assert.match(text, /warning: the token retired has expired/);
  assert.match(text, /warning: others than its owner may use .*key\.pem \(mode 644\)/);
});
