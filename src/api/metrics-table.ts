import type { StatusView } from './status.ts';

/** One metric: its name is stable, because dashboards and alerts of others depend on it. */
export interface Metric {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** The values of one metric, each with its labels. */
export type MetricValues = Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;

/** What values are read from when somebody asks for them, so that the work itself pays nothing. */
export interface MetricFacts {
  readonly status: StatusView;
  /** How long ago the entry was received that a destination needs next, in seconds; 0 where nothing waits. */
  readonly lagSeconds: ReadonlyMap<string, number>;
  /** How long ago the published head was last signed or made fresh, in seconds; `null` before the first. */
  readonly headAgeSeconds: number | null;
  readonly streams: number;
}

/** One metric that is read when somebody asks for it. */
export interface ReadMetric extends Metric {
  readonly kind: 'counter' | 'gauge';
  readonly values: (facts: MetricFacts) => MetricValues;
}

/** Metrics that are counted when something happens: once for a request or a batch, never for an event. */
export const COUNTED = {
  requests: counted('counter', 'waybill_http_requests_total', 'Requests that were answered, by route and status.', ['route', 'status']),
  requestSeconds: counted('histogram', 'waybill_http_request_seconds', 'Time from the head of a request to its answer, by route.', [
    'route',
  ]),
  acceptSeconds: counted(
    'histogram',
    'waybill_source_accept_seconds',
    'Time from the head of a request, or from a batch of a pull source, until its events were durable.',
    ['source'],
  ),
  deliverySeconds: counted(
    'histogram',
    'waybill_delivery_seconds',
    'Time from when the oldest entry of a batch was received until the destination had acknowledged it. Replays do not count.',
    ['destination'],
  ),
  attemptSeconds: counted('histogram', 'waybill_attempt_seconds', 'How long the destination took to answer for a batch.', ['destination']),
  failures: counted('counter', 'waybill_destination_failures_total', 'Attempts that failed since the start, by error code.', [
    'destination',
    'code',
  ]),
  publishSeconds: counted(
    'histogram',
    'waybill_head_publish_seconds',
    'Time from when the oldest entry that was under no head was received until a signed head over it was published.',
    [],
  ),
  halts: counted('counter', 'waybill_destination_halts_total', 'How often the destination stopped for a person since the start, by code.', [
    'destination',
    'code',
  ]),
} as const satisfies Readonly<Record<string, Metric>>;

const SPACES = ['used', 'limit', 'free'] as const;
const SOURCE_STATES = ['running', 'waiting', 'halted'];
const STATES = ['running', 'waiting', 'paused', 'halted', 'detached', 'draining'];

/** Metrics that are read from the status. */
export const READ: readonly ReadMetric[] = [
  ofProcess('waybill_resident_bytes', 'Memory of this process.', () => process.memoryUsage.rss()),
  ofProcess('waybill_streams', 'Readers of `/v1/stream` that are connected.', ({ streams }) => streams),
  ofProcess('waybill_ledger_size', 'Entries that were numbered.', ({ status }) => status.ledger.size),
  ofProcess('waybill_ledger_durable', 'Entries that are durable.', ({ status }) => status.ledger.durable),
  ofProcess('waybill_ledger_beginning', 'The oldest index that can still be read.', ({ status }) => status.ledger.beginning),
  {
    kind: 'gauge',
    name: 'waybill_ledger_bytes',
    help: 'Space of the ledger: `used`, the configured `limit` (absent without one), and `free` by the limit and the disk.',
    labelNames: ['kind'],
    values: ({ status }) =>
      SPACES.flatMap((kind) => {
        const value = status.ledger.bytes?.[kind] ?? null;
        return value === null ? [] : [[{ kind }, value] as const];
      }),
  },
  ofProcess(
    'waybill_ledger_days_left',
    'How long the free space lasts at the rate since the start; absent while nobody knows, and in the first ten minutes.',
    (facts) => {
      return facts.status.ledger.days_left;
    },
  ),
  ofProcess('waybill_ledger_damaged', '1 while the check of older segments finds damage.', ({ status }) => (status.ledger.damage ? 1 : 0)),
  ofProcess(
    'waybill_head_size',
    'Entries under the signed head that was published last.',
    ({ status }) => status.ledger.heads?.published?.size,
  ),
  ofProcess(
    'waybill_head_age_seconds',
    'How long ago it was signed or made fresh; absent before the first.',
    (facts) => facts.headAgeSeconds,
  ),
  ofProcess('waybill_head_fault', '1 while no newer head can be published.', ({ status }) =>
    status.ledger.heads ? Number(status.ledger.heads.fault !== null) : null,
  ),
  ofWitnesses(
    'gauge',
    'waybill_witness_size',
    'Over how many entries the head was that the witness signed last; absent before the first.',
    'size',
  ),
  ofWitnesses('counter', 'waybill_witness_failures_total', 'How often the witness did not sign since the start.', 'failures'),
  ofProcess('waybill_refused_bytes', 'Bytes of kept events that could not become entries.', ({ status }) => status.refused_bytes),
  ofProcess('waybill_reload_failed', '1 while the last reload of the configuration failed; absent before the first.', ({ status }) =>
    status.reload ? Number(!status.reload.ok) : null,
  ),
  {
    kind: 'gauge',
    name: 'waybill_retention_held',
    help: '1 while something has to be removed and cannot; `kind` and `name` say who or what holds it.',
    labelNames: ['kind', 'name'],
    values: ({ status: { ledger } }) => {
      const held = ledger.retention?.held_by ?? null;
      return held === null ? [] : [[{ kind: held.kind, name: held.name }, 1]];
    },
  },
  {
    kind: 'gauge',
    name: 'waybill_certificate_end_seconds',
    help: 'When the certificate of a listener with TLS ends, in seconds since 1970.',
    labelNames: ['address'],
    values: ({ status: { api } }) =>
      (api?.listeners ?? []).flatMap(({ address, tls }) =>
        tls === null ? [] : [[{ address }, Date.parse(tls.expiresAt) / 1_000] as const],
      ),
  },
  {
    kind: 'gauge',
    name: 'waybill_source_state',
    help: '1 for the state that a source that is pulled is in.',
    labelNames: ['source', 'state'],
    values: ({ status: { sources } }) =>
      Object.entries(sources).flatMap(([source, { pulled }]) =>
        pulled === undefined ? [] : SOURCE_STATES.map((state) => [{ source, state }, state === pulled.state ? 1 : 0] as const),
      ),
  },
  {
    kind: 'gauge',
    name: 'waybill_source_lag_bytes',
    help: 'Bytes that wait to be read by a source that is pulled; absent where nobody can tell.',
    labelNames: ['source'],
    values: ({ status: { sources } }) =>
      Object.entries(sources).flatMap(([source, { pulled }]) =>
        pulled?.lagBytes === undefined || pulled.lagBytes === null ? [] : [[{ source }, pulled.lagBytes] as const],
      ),
  },
  ofSources('gauge', 'entries', 'waybill_source_entries', 'Entries of the source in the ledger.'),
  ofSources('counter', 'accepted', 'waybill_source_accepted_total', 'Events that became entries since the start.'),
  ofSources('counter', 'duplicates', 'waybill_source_duplicates_total', 'Events since the start that were an entry already.'),
  ofSources('counter', 'rejected', 'waybill_source_rejected_total', 'Faults of events that were refused since the start.'),
  ofSources('counter', 'conflicts', 'waybill_source_conflicts_total', 'Those of the faults that were a taken identity or number.'),
  ofDestinations('gauge', 'waybill_destination_cursor', 'The index that the destination needs next.', ({ cursor }) => cursor),
  ofDestinations('gauge', 'waybill_destination_lag', 'Durable entries that it is not known to have.', ({ lag }) => lag),
  {
    kind: 'gauge',
    name: 'waybill_destination_lag_seconds',
    help: 'How long ago the entry was received that it needs next; 0 where nothing waits.',
    labelNames: ['destination'],
    values: ({ lagSeconds }) => [...lagSeconds].map(([destination, seconds]) => [{ destination }, seconds] as const),
  },
  ofCheckpoints(
    'waybill_destination_checkpoint_size',
    'How many entries the newest checkpoint covers that the destination took since the start; absent before the first.',
    ({ size }) => size,
  ),
  ofCheckpoints('waybill_destination_checkpoint_seconds', 'When it took it, in seconds since 1970; absent before the first.', ({ at }) =>
    at === null ? null : at / 1_000,
  ),
  {
    kind: 'gauge',
    name: 'waybill_destination_checkpoint_fault',
    help: '1 while the destination does not take checkpoints that come by themselves, by error code; absent otherwise.',
    labelNames: ['destination', 'code'],
    values: ({ status: { destinations } }) =>
      Object.entries(destinations).flatMap(([destination, { checkpoint }]) =>
        checkpoint?.fault ? [[{ destination, code: checkpoint.fault.code }, 1] as const] : [],
      ),
  },
  ofDestinations('gauge', 'waybill_destination_quarantined', 'Entries that are set aside.', ({ quarantine = [] }) =>
    quarantine.reduce((sum, { from, through }) => sum + through - from + 1, 0),
  ),
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
    values: ({ status: { destinations } }) =>
      Object.entries(destinations).flatMap(([destination, view]) =>
        STATES.map((state) => [{ destination, state }, state === view.state ? 1 : 0] as const),
      ),
  },
];

/** Every metric of `/metrics`. */
export const METRICS: readonly Metric[] = [...Object.values(COUNTED), ...READ];

function counted(kind: Metric['kind'], name: string, help: string, labelNames: readonly string[]): Metric {
  return { kind, name, help, labelNames };
}

function ofProcess(name: string, help: string, value: (facts: MetricFacts) => number | null | undefined): ReadMetric {
  const values: ReadMetric['values'] = (facts) => {
    const known = value(facts);
    return known === null || known === undefined ? [] : [[{}, known]];
  };
  return { kind: 'gauge', name, help, labelNames: [], values };
}

function ofWitnesses(kind: ReadMetric['kind'], name: string, help: string, field: 'size' | 'failures'): ReadMetric {
  const values: ReadMetric['values'] = ({ status }) =>
    (status.ledger.heads?.witnesses ?? []).flatMap((view) => {
      const value = view[field];
      return value === null ? [] : [[{ witness: view.name }, value] as const];
    });
  return { kind, name, help, labelNames: ['witness'], values };
}

function ofSources(
  kind: ReadMetric['kind'],
  field: Exclude<keyof StatusView['sources'][string], 'pulled' | 'type'>,
  name: string,
  help: string,
): ReadMetric {
  const values: ReadMetric['values'] = ({ status }) => Object.entries(status.sources).map(([source, view]) => [{ source }, view[field]]);
  return { kind, name, help, labelNames: ['source'], values };
}

function ofDestinations(
  kind: ReadMetric['kind'],
  name: string,
  help: string,
  value: (view: StatusView['destinations'][string]) => number,
): ReadMetric {
  const values: ReadMetric['values'] = ({ status }) =>
    Object.entries(status.destinations).map(([destination, view]) => [{ destination }, value(view)]);
  return { kind, name, help, labelNames: ['destination'], values };
}

function ofCheckpoints(
  name: string,
  help: string,
  value: (checkpoint: NonNullable<StatusView['destinations'][string]['checkpoint']>) => number | null,
): ReadMetric {
  const values: ReadMetric['values'] = ({ status }) =>
    Object.entries(status.destinations).flatMap(([destination, { checkpoint = null }]) => {
      const known = checkpoint === null ? null : value(checkpoint);
      return known === null ? [] : [[{ destination }, known] as const];
    });
  return { kind: 'gauge', name, help, labelNames: ['destination'], values };
}

function ofCounters(field: string, name: string, help: string): ReadMetric {
  return ofDestinations('counter', name, help, ({ counters }) => counters?.[field] ?? 0);
}
