import type { Context, HrTime, Link, SpanContext } from '@opentelemetry/api';
import { WaybillError } from '../contracts/errors.ts';
import type { Accepted, Attempted, Observer } from '../contracts/observer.ts';
import type { Log } from '../contracts/ports.ts';

/** Traces that are sent somewhere. */
export interface Tracing {
  readonly observer: Observer;
  /** Sends what still waits, for a few seconds at most. */
  close(): Promise<void>;
}

/** Where traces go, and who they are from. */
export interface TracingOptions {
  /** Address of an OTLP/HTTP receiver, such as `http://127.0.0.1:4318/v1/traces`. */
  readonly endpoint: string;
  readonly origin: string;
  readonly log: Log;
}

/** How many accepted requests are remembered, so that deliveries of their entries can name them. */
const REMEMBERED = 1_024;
/** How many of them one delivery names. */
const LINKS_MAX = 32;
const EXPORT_MS = 3_000;

const LOADED = {
  api: () => import('@opentelemetry/api'),
  sdk: () => import('@opentelemetry/sdk-trace'),
  exporter: () => import('@opentelemetry/exporter-trace-otlp-http'),
  resources: () => import('@opentelemetry/resources'),
};

/**
 * Opens traces: a span for each request and its way into the ledger, and one for each attempt of a destination, which belongs to the trace
 * of the first request of its batch and links to the others. Nothing is loaded before this is called, and nobody waits for what it sends.
 * Rejects with `TELEMETRY_MISSING` where the packages that it needs are not installed.
 */
export async function openTracing({ endpoint, origin, log }: TracingOptions, loaded = LOADED): Promise<Tracing> {
  const [api, sdk, otlp, resources] = await load(loaded);
  const exporter = new otlp.OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_MS });
  let failing = false;
  const told = new sdk.BatchSpanProcessor({
    exporter: {
      export(spans, done) {
        exporter.export(spans, (result) => {
          if (result.error !== undefined && !failing)
            log.warn('traces cannot be sent', { endpoint: addressOf(endpoint), error: result.error.name });
          if (result.error === undefined && failing) log.info('traces are sent again', { endpoint: addressOf(endpoint) });
          failing = result.error !== undefined;
          done(result);
        });
      },
      shutdown: () => exporter.shutdown(),
    },
    exportTimeoutMillis: EXPORT_MS,
  });
  const resource = resources.resourceFromAttributes({ 'service.name': 'waybill', 'service.instance.id': origin });
  const provider = new sdk.TracerProvider({ resource, spanProcessors: [told] });
  return { observer: createSpans(api, provider.getTracer('waybill')), close: () => provider.shutdown().catch(() => {}) };
}

async function load({ api, sdk, exporter, resources }: typeof LOADED) {
  try {
    return await Promise.all([api(), sdk(), exporter(), resources()]);
  } catch (error) {
    throw new WaybillError('TELEMETRY_MISSING', 'telemetry.traces is configured, and the packages that send traces are not installed', {
      cause: error,
    });
  }
}

interface Remembered {
  readonly first: number;
  readonly end: number;
  readonly span: SpanContext;
}

type Api = Awaited<ReturnType<typeof LOADED.api>>;

function createSpans(
  { trace, ROOT_CONTEXT, SpanKind, SpanStatusCode, isSpanContextValid }: Api,
  tracer: ReturnType<Api['trace']['getTracer']>,
): Observer {
  const remembered: Remembered[] = [];

  function contextOf(span: SpanContext): Context {
    return trace.setSpanContext(ROOT_CONTEXT, span);
  }

  function parentOf(traceparent: string | null): Context {
    const [, traceId, spanId, flags] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(traceparent ?? '') ?? [];
    if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
    const span = { traceId, spanId, traceFlags: Number.parseInt(flags ?? '0', 16) & 1, isRemote: true };
    return isSpanContextValid(span) ? contextOf(span) : ROOT_CONTEXT;
  }

  return {
    accepted({ source, count, first, beganAt, ms, appendMs, traceparent }: Accepted) {
      const attributes = {
        'waybill.source': source,
        'waybill.entries': count,
        ...(first === null ? {} : { 'waybill.first_index': first }),
      };
      const request = tracer.startSpan(
        'waybill.accept',
        { kind: SpanKind.SERVER, startTime: hrTime(beganAt), attributes },
        parentOf(traceparent),
      );
      const inside = trace.setSpan(ROOT_CONTEXT, request);
      tracer.startSpan('waybill.append', { startTime: hrTime(beganAt + ms - appendMs), attributes }, inside).end(hrTime(beganAt + ms));
      request.end(hrTime(beganAt + ms));
      if (first === null || count === 0) return;
      remembered.push({ first, end: first + count, span: request.spanContext() });
      if (remembered.length > REMEMBERED) remembered.shift();
    },
    attempted({ destination, from, through, count, bytes, attempt, replay, code, beganAt, ms }: Attempted) {
      const [first, ...others] = remembered.filter(({ first: begin, end }) => begin <= through && end > from).map(({ span }) => span);
      const links: Link[] = others.slice(0, LINKS_MAX).map((context) => ({ context }));
      const attributes = {
        'waybill.destination': destination,
        'waybill.from': from,
        'waybill.through': through,
        'waybill.entries': count,
        'waybill.bytes': bytes,
        'waybill.attempt': attempt,
        'waybill.replay': replay,
        ...(code === null ? {} : { 'error.type': code }),
      };
      const options = { kind: SpanKind.CLIENT, startTime: hrTime(beganAt), attributes, links };
      const span = tracer.startSpan('waybill.deliver', options, first === undefined ? ROOT_CONTEXT : contextOf(first));
      if (code !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      span.end(hrTime(beganAt + ms));
    },
  };
}

/** Seconds and nanoseconds since 1970. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}

/** What may be shown of an address: not what stands before an `@` or behind a `?`. */
function addressOf(endpoint: string): string {
  const { protocol, host, pathname } = new URL(endpoint);
  return `${protocol}//${host}${pathname}`;
}
