import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { isWaybillError } from '../contracts/errors.ts';
import { authority, openClientAt } from './client.ts';

async function serve(
  t: TestContext,
  answer: (request: IncomingMessage) => { readonly status: number; readonly body: string },
): Promise<string> {
  const server = createServer((request, response) => {
    const { status, body } = answer(request);
    response.statusCode = status;
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function coded(code: string): (error: unknown) => boolean {
  return (error) => isWaybillError(error) && error.code === code;
}

test('a client sends its token and reads JSON', async (t) => {
  const seen: (string | undefined)[] = [];
  const base = await serve(t, (request) => {
    seen.push(request.headers.authorization);
    return { status: 200, body: '{"a":1}' };
  });
  assert.deepEqual(await openClientAt(base, { token: 'secret' }).get('/v1/status'), { a: 1 });
  assert.deepEqual(await openClientAt(base, { token: null }).post('/x', {}), { a: 1 });
  assert.deepEqual(seen, ['Bearer secret', undefined]);
});

const REFUSALS: readonly (readonly [number, string, string])[] = [
  [401, '', 'UNAUTHORIZED'],
  [403, '', 'FORBIDDEN'],
  [404, '{"error":{"code":"DESTINATION_UNKNOWN","message":"no destination lake","action":""}}', 'DESTINATION_UNKNOWN'],
  [404, '<html>', 'API_UNEXPECTED'],
  [200, '<html>', 'API_UNEXPECTED'],
  [302, '', 'API_UNEXPECTED'],
  [500, '{"error":{"code":"INTERNAL","message":"m","action":"a"}}', 'API_UNEXPECTED'],
];
for (const [status, body, code] of REFUSALS) {
  test(`an answer ${status} ${body} is ${code}, without the token`, async (t) => {
    const base = await serve(t, () => ({ status, body }));
    await assert.rejects(
      openClientAt(base, { token: 'secret-token' }).get('/v1/status'),
      (error) => coded(code)(error) && !(error as Error).message.includes('secret-token'),
    );
  });
}

test('nobody there is NOT_RUNNING', async () => {
  await assert.rejects(openClientAt('http://127.0.0.1:1', { token: null }).get('/v1/status'), coded('NOT_RUNNING'));
});

test('a process that takes too long is not called one that does not run', async (t) => {
  const server = createServer(() => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = openClientAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { token: null });
  await assert.rejects(client.post('/v1/reload', {}, 50), coded('ANSWER_LATE'));
});

test('a listener on every address is reached on this machine', () => {
  assert.equal(authority({ host: '0.0.0.0', port: 1 }), '127.0.0.1:1');
  assert.equal(authority({ host: '::', port: 1 }), '[::1]:1');
  assert.equal(authority({ host: '10.1.2.3', port: 8400 }), '10.1.2.3:8400');
});
