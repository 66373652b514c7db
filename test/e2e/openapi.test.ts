import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import type { OpenApiDocument, Operation } from '../../src/api/document.ts';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, startWaybill, until } from '../crash/process.ts';

const TOKEN = 'operator-token-of-this-test';
const HEADERS = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };

async function start(t: TestContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-openapi-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const nobody = await freePort();
  const file = initWaybill(
    directory,
    `ledger: { origin: openapi.example/audit, path: ./data, limit: 1GiB }
api:
  listen: 127.0.0.1:${port}
  tokens: [{ name: ops, role: operator, token: ${TOKEN} }]
sources:
  app: { type: http, schema: json, id_field: id }
destinations:
  archive: { type: file, path: ./out.ndjson, start: beginning }
  lake: { type: http, url: "http://127.0.0.1:${nobody}/in", start: beginning, retry: { max: 200ms } }
`,
  );
  const running = await startWaybill(file, port);
  t.after(() => running.end('SIGKILL'));
  return running.url;
}

/** A shape of the document as it is, except that nothing may be answered that it does not name. */
function strict(schema: unknown, document: OpenApiDocument): unknown {
  if (Array.isArray(schema)) return schema.map((part) => strict(part, document));
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('$ref' in schema) return strict(document.components.schemas[String(schema.$ref).replace('#/components/schemas/', '')], document);
  const parts = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, strict(part, document)]));
  return 'properties' in parts && !('additionalProperties' in parts) ? { ...parts, additionalProperties: false } : parts;
}

function validate(document: OpenApiDocument, schema: unknown, value: unknown, what: string): void {
  const result = z.fromJSONSchema(strict(schema, document) as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value);
  assert.ok(result.success, `${what} does not answer as /openapi.json says: ${result.error?.message}\n${JSON.stringify(value, null, 1)}`);
}

/** Asks for one operation and holds the answer against the document. Gives the status. */
async function call(url: string, document: OpenApiDocument, method: string, path: string, operation: Operation, body?: string) {
  const what = `${method} ${path}`;
  const ending = new AbortController();
  const answer = await fetch(`${url}${path}`, { method, headers: HEADERS, signal: ending.signal, ...(body === undefined ? {} : { body }) });
  const described = operation.responses[answer.status];
  assert.ok(described !== undefined, `${what} answers ${answer.status}, which is not described`);
  const type = answer.headers.get('content-type')?.split(';', 1)[0] ?? '';
  const media = described.content[type];
  assert.ok(media !== undefined, `${what} answers ${type}, which is not described`);
  if (type === 'text/event-stream') {
    ending.abort();
    return answer.status;
  }
  const text = await answer.text();
  const value: unknown = type === 'application/json' ? JSON.parse(text) : text;
  validate(document, media.schema, value, what);
  if (answer.status !== 200) {
    const { code } = (value as { error: { code: string } }).error;
    assert.ok(
      described.description.split('\n').some((line) => line.startsWith(`${code}:`)),
      `${what} answers ${code}, which is not described`,
    );
  }
  return answer.status;
}

test('every route answers as the document says', async (t) => {
  const url = await start(t);
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument;
  const events = document.paths['/v1/events']?.['post'];
  const destination = document.paths['/v1/destinations/{name}']?.['get'];
  assert.ok(events !== undefined && destination !== undefined);
  const post = (body: string, query = '') => call(url, document, 'POST', `/v1/events${query}`, events, body);
  assert.equal(await post('[{"id":"a"},{"id":"b"}]'), 200);
  assert.equal(await post('[{"id":"a"},{"id":"c"}]'), 200);
  assert.equal(await post('[{"id":"d"},7]'), 422);
  assert.equal(await post('[{"id":"a","other":1}]'), 409);
  assert.equal(await post('[{"id":"e"},7]', '?partial=true'), 200);
  assert.equal(await post('{'), 400);
  await until('the file to be written', async () => {
    const answer = await fetch(`${url}/v1/destinations/archive`, { headers: HEADERS });
    return ((await answer.json()) as { lag: number }).lag === 0;
  });
  assert.equal(await call(url, document, 'GET', '/v1/destinations/lake', destination), 200);
  assert.equal(await call(url, document, 'GET', '/v1/destinations/nobody', destination), 404);

  // Every operation as it is, the reading ones first; one that asks for what is not there says so in a described way.
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  for (const { method, path, operation } of all.toSorted((a, b) => a.method.localeCompare(b.method))) {
    const named = path.replaceAll(/\{\w+\}/g, 'archive');
    await call(url, document, method, named, operation, method === 'POST' ? '{}' : undefined);
  }
});

test('without a token nothing but what is open answers, as the document says', async (t) => {
  const url = await start(t);
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument;
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const named = path.replaceAll(/\{\w+\}/g, 'archive');
      const { status } = await fetch(`${url}${named}`, { method: method.toUpperCase(), headers: { 'content-type': 'application/json' } });
      assert.equal(status === 401, operation.security.length > 0, `${method} ${path} answers ${status}`);
    }
  }
});
