import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ListLog } from '../../test/doubles/manual-ports.ts';
import { isWaybillError } from '../contracts/errors.ts';
import { asIndex } from '../contracts/units.ts';
import { openTracing } from './tracing.ts';

interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly links?: readonly { readonly spanId: string }[];
  readonly status: { readonly code?: number };
}

/** A receiver of OTLP/HTTP in JSON, as the protocol has it. */
async function receiver(t: TestContext, status = 200) {
  const state = { url: '', spans: [] as OtlpSpan[], resources: [] as unknown[], status };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      assert.deepEqual([request.method, request.url, request.headers['content-type']], ['POST', '/v1/traces', 'application/json']);
      const body = JSON.parse(Buffer.concat(chunks).toString()) as {
        resourceSpans: { resource: unknown; scopeSpans: { spans: OtlpSpan[] }[] }[];
      };
      if (state.status === 200) {
        state.spans.push(...body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
        state.resources.push(...body.resourceSpans.map(({ resource }) => resource));
      }
      response.writeHead(state.status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
  return state;
}

const BEGAN = Date.UTC(2026, 10, 24, 12);
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const accepted = (first: number, count: number, traceparent: string | null = null) => {
  return { source: 'app', count, first: asIndex(first), beganAt: BEGAN, ms: 3.5, appendMs: 2, traceparent };
};
const attempted = (from: number, through: number, code: 'SINK_BUSY' | null = null) => {
  const range = { from: asIndex(from), through: asIndex(through), count: through - from + 1, bytes: 900 };
  return { destination: 'lake', ...range, attempt: 1, replay: false, code, beganAt: BEGAN + 10, ms: 20, ageMs: 30 };
};

test('a request, its way into the ledger and the delivery of its entries are one trace', async (t) => {
  const { url, spans, resources } = await receiver(t);
  const tracing = await openTracing({ endpoint: url, origin: 'acme.example/audit', log: new ListLog() });
  tracing.observer.accepted?.(accepted(0, 3, `00-${TRACE}-00f067aa0ba902b7-01`));
  tracing.observer.accepted?.(accepted(3, 2));
  tracing.observer.attempted?.(attempted(0, 4, 'SINK_BUSY'));
  tracing.observer.attempted?.(attempted(5, 6));
  await tracing.close();

  const [append, accept, otherAppend, other, failed, unrelated] = spans;
  assert.deepEqual(
    spans.map(({ name }) => name),
    ['waybill.append', 'waybill.accept', 'waybill.append', 'waybill.accept', 'waybill.deliver', 'waybill.deliver'],
  );
  assert.deepEqual([accept?.traceId, accept?.parentSpanId], [TRACE, '00f067aa0ba902b7']);
  assert.deepEqual([append?.traceId, append?.parentSpanId], [TRACE, accept?.spanId]);
  assert.deepEqual([failed?.traceId, failed?.parentSpanId], [TRACE, accept?.spanId]);
  assert.deepEqual(
    failed?.links?.map(({ spanId }) => spanId),
    [other?.spanId],
  );
  assert.equal(failed?.status.code, 2);
  assert.notEqual(unrelated?.traceId, TRACE);
  assert.equal(otherAppend?.traceId, other?.traceId);
  assert.equal(accept?.startTimeUnixNano, `${BEGAN}000000`);
  assert.equal(accept?.endTimeUnixNano, `${BEGAN + 3}500000`);
  assert.equal(append?.startTimeUnixNano, `${BEGAN + 1}500000`);
  assert.match(JSON.stringify(resources[0]), /"service\.name".*"waybill".*acme\.example\/audit/);
  const keys = spans.flatMap(({ attributes }) => attributes.map(({ key }) => key));
  for (const key of keys) assert.match(key, /^(?:waybill\.|error\.type$)/);
});

test('a traceparent that is none, and one that is not to be recorded', async (t) => {
  const { url, spans } = await receiver(t);
  const tracing = await openTracing({ endpoint: url, origin: 'o', log: new ListLog() });
  for (const [place, text] of ['', 'x', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-${TRACE}-00f067aa0ba902b7-01\r\nx`].entries())
    tracing.observer.accepted?.(accepted(place, 1, text));
  tracing.observer.accepted?.(accepted(9, 1, `00-${TRACE}-00f067aa0ba902b7-00`));
  await tracing.close();
  assert.deepEqual(
    spans.filter(({ name }) => name === 'waybill.accept').map(({ parentSpanId }) => parentSpanId ?? ''),
    ['', '', '', ''],
  );
});

test('a receiver that fails is told of once, and holds up nobody', async (t) => {
  const { url } = await receiver(t, 400);
  const log = new ListLog();
  const tracing = await openTracing({ endpoint: url, origin: 'o', log });
  for (let k = 0; k < 5_000; k++) tracing.observer.accepted?.(accepted(k, 1));
  await tracing.close();
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    ['traces cannot be sent'],
  );
});

test('packages that are not installed are named', async () => {
  const missing = (): Promise<never> => Promise.reject(new Error("Cannot find package '@opentelemetry/sdk-trace'"));
  const api = () => import('@opentelemetry/api');
  const opening = openTracing(
    { endpoint: 'http://127.0.0.1:9/v1/traces', origin: 'o', log: new ListLog() },
    {
      api,
      sdk: missing,
      exporter: missing,
      resources: missing,
    },
  );
  await assert.rejects(opening, (error) => isWaybillError(error) && error.code === 'TELEMETRY_MISSING');
});
