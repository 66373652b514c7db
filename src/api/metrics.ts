import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { z } from 'zod';
import type { Ledger } from '../contracts/ledger.ts';
import type { Observer } from '../contracts/observer.ts';
import type { Clock } from '../contracts/ports.ts';
import { asIndex } from '../contracts/units.ts';
import { readEntry, receivedAtOf } from '../intake/envelope-read.ts';
import type { RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import { type Call, onlyKnown } from './call.ts';
import { COUNTED, type Metric, type MetricFacts, READ, type ReadMetric } from './metrics-table.ts';
import type { StatusView } from './status.ts';

/** The metrics of this process. */
export interface Metrics extends Required<Observer> {
  /** Notes a request that was answered. */
  answered(route: string, status: number, ms: number): void;
  /** `GET /metrics`. */
  answer(call: Pick<Call, 'query'>): Promise<Answer>;
}

/** What metrics are made of. */
export interface MetricsParts {
  readonly status: () => StatusView;
  readonly ledger: Pick<Ledger, 'read'>;
  readonly clock: Pick<Clock, 'now'>;
  /** How many readers of the stream there are. */
  readonly streams: () => number;
}

/** About `GET /metrics`. */
export const metricsAbout: RouteAbout = {
  summary: 'Metrics in the text format of Prometheus',
  details: 'Every metric is listed in docs/metrics.md.',
  answer: { 'text/plain': z.string().describe('Version 0.0.4 of the text format.') },
};

/** In seconds, from a flush of a fast disk to a request that times out. */
const REQUEST_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

/** In seconds, from a destination in the same machine to one that was down over night. */
const DELIVERY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];

/** In seconds, about the interval of heads, and what waits for a witness. */
const PUBLISH_BUCKETS = [0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];

/** Makes the metrics. */
export function createMetrics(parts: MetricsParts): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({ ...settingsOf(COUNTED.requests), registers });
  const failures = new Counter({ ...settingsOf(COUNTED.failures), registers });
  const halts = new Counter({ ...settingsOf(COUNTED.halts), registers });
  const requestSeconds = new Histogram({ ...settingsOf(COUNTED.requestSeconds), buckets: REQUEST_BUCKETS, registers });
  const acceptSeconds = new Histogram({ ...settingsOf(COUNTED.acceptSeconds), buckets: REQUEST_BUCKETS, registers });
  const deliverySeconds = new Histogram({ ...settingsOf(COUNTED.deliverySeconds), buckets: DELIVERY_BUCKETS, registers });
  const attemptSeconds = new Histogram({ ...settingsOf(COUNTED.attemptSeconds), buckets: DELIVERY_BUCKETS, registers });
  const publishSeconds = new Histogram({ ...settingsOf(COUNTED.publishSeconds), buckets: PUBLISH_BUCKETS, registers });
  const gauges = READ.map((metric) => ({ metric, gauge: readMetric(metric, registry) }));
  return {
    answered(route, status, ms) {
      requests.inc({ route, status: String(status) });
      requestSeconds.observe({ route }, ms / 1_000);
    },
    accepted({ source, ms }) {
      acceptSeconds.observe({ source }, ms / 1_000);
    },
    attempted({ destination, code, ms, ageMs, replay }) {
      attemptSeconds.observe({ destination }, ms / 1_000);
      if (code !== null) failures.inc({ destination, code });
      else if (ageMs !== null && !replay) deliverySeconds.observe({ destination }, ageMs / 1_000);
    },
    halted({ destination, code }) {
      halts.inc({ destination, code });
    },
    published({ ms }) {
      publishSeconds.observe(ms / 1_000);
    },
    async answer({ query }) {
      onlyKnown(query, []);
      const facts = await readFacts(parts);
      // Nothing waits from here on, so two who ask at a time do not mix their values.
      for (const { metric, gauge } of gauges) fill(metric, gauge, facts);
      return { status: 200, headers: { 'content-type': registry.contentType }, body: await registry.metrics() };
    },
  };
}

function settingsOf({ name, help, labelNames }: Metric) {
  return { name, help, labelNames: [...labelNames] };
}

function readMetric(metric: ReadMetric, registry: Registry): Counter<string> | Gauge<string> {
  const settings = { ...settingsOf(metric), registers: [registry] };
  return metric.kind === 'gauge' ? new Gauge<string>(settings) : new Counter<string>(settings);
}

function fill({ values }: ReadMetric, gauge: Counter<string> | Gauge<string>, facts: MetricFacts): void {
  gauge.reset();
  // A metric without labels begins with a value of its own, which is not known here.
  gauge.remove({});
  for (const [labels, value] of values(facts)) gauge.inc(labels, value);
}

async function readFacts({ status: look, ledger, clock, streams }: MetricsParts): Promise<MetricFacts> {
  const status = look();
  const now = clock.now();
  const lags = await Promise.all(
    Object.entries(status.destinations).map(async ([name, { cursor, lag }]) => {
      const receivedAt = lag === 0 ? now : await receivedAtIn(ledger, cursor);
      return receivedAt === null ? [] : ([[name, Math.max(0, now - receivedAt) / 1_000]] as const);
    }),
  );
  const published = status.ledger.heads?.published ?? null;
  const headAgeSeconds = published === null ? null : Math.max(0, now - Date.parse(published.at)) / 1_000;
  return { status, lagSeconds: new Map(lags.flat()), headAgeSeconds, streams: streams() };
}

/** When an entry was received; `null` where it cannot be read, which other metrics tell of. */
async function receivedAtIn(ledger: Pick<Ledger, 'read'>, index: number): Promise<number | null> {
  try {
    const { bytes, starts, ends } = await ledger.read(asIndex(index), { entries: 1, bytes: 1 });
    const entry = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return receivedAtOf(entry, readEntry(entry, starts[0] ?? 0, ends[0] ?? 0));
  } catch {
    return null;
  }
}
