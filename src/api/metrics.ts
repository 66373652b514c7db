import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { z } from 'zod';
import type { RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import { type Call, onlyKnown } from './call.ts';
import type { StatusView } from './status.ts';

/** The metrics of this process. Their names are stable: dashboards and alerts of others depend on them. */
export interface Metrics {
  /** Notes a request that was answered. */
  answered(route: string, status: number, ms: number): void;
  /** `GET /metrics`. */
  answer(call: Pick<Call, 'query'>): Promise<Answer>;
}

/** About `GET /metrics`. */
export const metricsAbout: RouteAbout = {
  summary: 'Metrics in the text format of Prometheus',
  details: 'Every metric is listed in docs/operating.md.',
  answer: { 'text/plain': z.string().describe('Version 0.0.4 of the text format.') },
};

/** One metric that is read from the status when somebody asks for it, so that the work itself pays nothing. */
interface StatusMetric {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly values: (status: StatusView) => Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;
}

/** In seconds, from a flush of a fast disk to a request that times out. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

const STATES = ['running', 'waiting', 'paused', 'halted', 'detached', 'draining'];

const STATUS_METRICS: readonly StatusMetric[] = [
  ofProcess('waybill_resident_bytes', 'Memory of this process.', () => process.memoryUsage.rss()),
  ofProcess('waybill_ledger_size', 'Entries that were numbered.', ({ ledger }) => ledger.size),
  ofProcess('waybill_ledger_durable', 'Entries that are durable.', ({ ledger }) => ledger.durable),
  ofSources('gauge', 'entries', 'waybill_source_entries', 'Entries of the source in the ledger.'),
  ofSources('counter', 'accepted', 'waybill_source_accepted_total', 'Events that became entries since the start.'),
  ofSources('counter', 'duplicates', 'waybill_source_duplicates_total', 'Events since the start that were an entry already.'),
  ofSources('counter', 'rejected', 'waybill_source_rejected_total', 'Faults of events that were refused since the start.'),
  ofSources('counter', 'conflicts', 'waybill_source_conflicts_total', 'Those of the faults that were a taken identity or number.'),
  ofDestinations('gauge', 'waybill_destination_cursor', 'The index that the destination needs next.', ({ cursor }) => cursor),
  ofDestinations('gauge', 'waybill_destination_lag', 'Durable entries that it is not known to have.', ({ lag }) => lag),
  ofCounters('entries', 'waybill_destination_entries_total', 'Entries that the destination has taken.'),
  ofCounters('bytes', 'waybill_destination_bytes_total', 'Bytes that the destination has taken.'),
  ofCounters('batches', 'waybill_destination_batches_total', 'Batches that the destination has taken.'),
  ofCounters('repeats', 'waybill_destination_repeats_total', 'Batches that the destination may have twice.'),
  ofCounters('attempts', 'waybill_destination_attempts_total', 'Attempts to write a batch since the start.'),
  {
    kind: 'gauge',
    name: 'waybill_destination_state',
    help: '1 for the state that the destination is in.',
    labelNames: ['destination', 'state'],
    values: ({ destinations }) =>
      Object.entries(destinations).flatMap(([destination, view]) =>
        STATES.map((state) => [{ destination, state }, state === view.state ? 1 : 0] as const),
      ),
  },
];

/** Makes the metrics. */
export function createMetrics(status: () => StatusView): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'waybill_http_requests_total',
    help: 'Requests that were answered, by route and status.',
    labelNames: ['route', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'waybill_http_request_seconds',
    help: 'Time from the head of a request to its answer, by route.',
    labelNames: ['route'],
    buckets: BUCKETS,
    registers,
  });
  for (const metric of STATUS_METRICS) registry.registerMetric(collected(metric, status));
  return {
    answered(route, code, ms) {
      requests.inc({ route, status: String(code) });
      seconds.observe({ route }, ms / 1_000);
    },
    async answer({ query }) {
      onlyKnown(query, []);
      return { status: 200, headers: { 'content-type': registry.contentType }, body: await registry.metrics() };
    },
  };
}

function collected({ kind, name, help, labelNames, values }: StatusMetric, status: () => StatusView): Counter | Gauge {
  const settings = { name, help, labelNames: [...labelNames], registers: [] };
  if (kind === 'gauge') {
    return new Gauge({
      ...settings,
      collect() {
        this.reset();
        for (const [labels, value] of values(status())) this.set(labels, value);
      },
    });
  }
  return new Counter({
    ...settings,
    collect() {
      this.reset();
      for (const [labels, value] of values(status())) this.inc(labels, value);
    },
  });
}

function ofProcess(name: string, help: string, value: (status: StatusView) => number): StatusMetric {
  return { kind: 'gauge', name, help, labelNames: [], values: (status) => [[{}, value(status)]] };
}

function ofSources(kind: StatusMetric['kind'], field: keyof StatusView['sources'][string], name: string, help: string): StatusMetric {
  const values: StatusMetric['values'] = ({ sources }) => Object.entries(sources).map(([source, view]) => [{ source }, view[field]]);
  return { kind, name, help, labelNames: ['source'], values };
}

function ofDestinations(
  kind: StatusMetric['kind'],
  name: string,
  help: string,
  value: (view: StatusView['destinations'][string]) => number,
): StatusMetric {
  const values: StatusMetric['values'] = ({ destinations }) =>
    Object.entries(destinations).map(([destination, view]) => [{ destination }, value(view)]);
  return { kind, name, help, labelNames: ['destination'], values };
}

function ofCounters(field: string, name: string, help: string): StatusMetric {
  return ofDestinations('counter', name, help, ({ counters }) => counters?.[field] ?? 0);
}
