import type { ApiConfig, ListenAddress, ListenerConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Observers } from '../contracts/observer.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Index } from '../contracts/units.ts';
import type { Intake } from '../intake/sequencer.ts';
import { createAttempts, createDenialLog } from './attempts.ts';
import { createAudit } from './audit.ts';
import { type ConsoleFile, consoleRoutes } from './console.ts';
import type { DestinationVerbs } from './control.ts';
import { createByteBudget } from './limits.ts';
import type { Listener } from './listener.ts';
import { listenerKey, openListener } from './listener.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { ApiSources, Policy, PolicyParts } from './policy.ts';
import { createPolicy } from './policy.ts';
import type { ReloadParts } from './reload.ts';
import { createRenewal } from './renewal.ts';
import type { Requests } from './requests.ts';
import { createRequests } from './requests.ts';
import type { Route } from './routes.ts';
import { ROUTES, routeFinder } from './routes.ts';
import type { SourceVerbs } from './sources.ts';
import type { StatusView } from './status.ts';
import type { StreamCount } from './stream.ts';
import type { LogParts } from './tlog.ts';
import type { TlsMaterial } from './tls.ts';
import { readTls } from './tls.ts';

/** What the API is made of. All of it stays the caller's to close, after the API. */
export interface ApiOptions {
  readonly config: ApiConfig;
  readonly sources: ApiSources;
  readonly intake: Pick<Intake, 'check' | 'submit' | 'control' | 'refused' | 'names'>;
  readonly ledger: Pick<Ledger, 'origin' | 'read' | 'size' | 'beginning' | 'reserve' | 'waitBeyond' | 'failed'>;
  /** The published heads of the log, and the hashes under them. */
  readonly heads: LogParts['heads'];
  readonly tree: LogParts['tree'];
  readonly ports: Pick<Ports, 'clock' | 'log' | 'disk'>;
  status(): StatusView;
  /** `undefined` when there is no destination of this name. */
  destination(name: string): DestinationVerbs | undefined;
  /** `undefined` when there is no source of this name that is pulled. */
  pulled(name: string): SourceVerbs | undefined;
  /** Where the metrics listen to what happens. */
  readonly observers?: Observers;
  /** Reads the configuration again. */
  readonly reload: ReloadParts['reload'];
  /** Declares that the clock is right. Answers whether that was in doubt. */
  confirmClock(): Promise<boolean>;
  /** The names of the destinations that are there now. */
  destinationNames(): Iterable<string>;
  /** Forgets a destination that is not in the configuration any more. */
  forget(name: string): Promise<void>;
  /** The first index that was received at a time (milliseconds since 1970) or later. */
  indexAt(timeMs: number): Promise<Index>;
  /** The built page, which is served at `/`; without it that path says how to build it. */
  readonly console?: readonly ConsoleFile[];
  /** Routes of a program that puts the API into something larger, such as the demo. They come with the page's word `demo`. */
  readonly extraRoutes?: readonly Route[];
  /** How many bytes of unfinished requests may be in memory. */
  readonly pendingBytesMax?: number;
  /** How long a connection may be silent while it is asked or answered. */
  readonly silenceMs?: number;
}

/** An API that listens. */
export interface Api {
  /** Where the first listener listens: the port is the real one. */
  readonly address: ListenAddress;
  /** Where each listener listens, in the order of the configuration. */
  readonly addresses: readonly ListenAddress[];
  /** Resolves with the reason once a promise of this program was broken, and never otherwise: the process has to stop. */
  readonly failed: Promise<unknown>;
  /**
   * Makes another configuration ready: new addresses are opened and certificates read, and nothing else changes before `commit`. Rejects,
   * with everything as it was, when something of it cannot be. One change at a time.
   */
  prepare(config: ApiConfig, sources: ApiSources): Promise<ApiChange>;
  /** Takes no more requests, waits up to `graceMs` for those it has, and closes every connection. */
  close(graceMs?: number): Promise<void>;
}

/** A configuration that is ready. Exactly one of the two is called. */
export interface ApiChange {
  /** From now on requests are answered as it says; those under way end as they began, and addresses that it does not name close. */
  commit(): void;
  /** Closes what was opened for it. */
  undo(): Promise<void>;
}

const SILENCE_MS = 60_000;
const PENDING_BYTES = 256 << 20;
const GRACE_MS = 5_000;

/** Opens the API. Rejects with `LISTEN_UNSAFE`, `LISTEN_FAILED` or `TLS_INVALID`. */
export async function openApi(options: ApiOptions): Promise<Api> {
  const { ports } = options;
  let listeners: readonly Listener[] = [];
  /** Addresses that are no longer served, while their last requests are answered. */
  const leaving = new Set<Listener>();
  const streams = { open: 0 };
  const metrics = createMetrics({
    status: () => options.status(),
    ledger: options.ledger,
    clock: ports.clock,
    streams: () => streams.open,
  });
  const unobserve = options.observers?.add(metrics);
  const policyParts = createPolicyParts(options, metrics, streams, () => listeners);
  let policy: Policy = createPolicy(options.config, options.sources, policyParts);
  const requests = openRequests(options, () => policy);

  async function prepare(config: ApiConfig, sources: ApiSources): Promise<ApiChange> {
    const next = createPolicy(config, sources, policyParts);
    const materials = await Promise.all(config.listeners.map(async ({ tls }) => (tls === null ? null : readTls(tls, ports.disk))));
    const plan = await openNew(config, materials, listeners, (listener, tls) =>
      openListener(listener, { requests, limits: config.limits, tls, silenceMs: options.silenceMs ?? SILENCE_MS }),
    );
    return {
      commit() {
        policy = next;
        for (const [place, listener] of plan.entries()) {
          const itsConfig = config.listeners[place];
          assert(itsConfig !== undefined, 'every listener of the plan is of the configuration');
          listener.change(itsConfig, config.limits, materials[place] ?? null);
          if (!listeners.includes(listener)) ports.log.info('the API listens', { ...listener.address, tls: itsConfig.tls !== null });
        }
        const gone = listeners.filter((listener) => !plan.includes(listener));
        listeners = plan;
        for (const listener of gone) leave(listener);
        requests.recheck();
      },
      undo: async () =>
        void (await Promise.all(plan.filter((listener) => !listeners.includes(listener)).map((listener) => listener.close()))),
    };
  }

  function leave(listener: Listener): void {
    leaving.add(listener);
    ports.log.info('the API no longer listens', { ...listener.address });
    void closeLater(listener, ports.clock).finally(() => leaving.delete(listener));
  }

  (await prepare(options.config, options.sources)).commit();
  const renewal = createRenewal(
    () => listeners,
    ports,
    () => requests.recheck(),
  );
  return {
    get address() {
      return addressOf(listeners[0]);
    },
    get addresses() {
      return listeners.map(({ address }) => address);
    },
    failed: requests.failed,
    prepare,
    async close(graceMs = GRACE_MS) {
      renewal.close();
      unobserve?.();
      await closeAll([...listeners, ...leaving], requests, ports.clock, graceMs);
    },
  };
}

function createPolicyParts(options: ApiOptions, metrics: Metrics, streams: StreamCount, listeners: () => readonly Listener[]): PolicyParts {
  const { intake, ledger, heads, tree, ports } = options;
  let ledgerFailed = false;
  ledger.failed.then(
    () => (ledgerFailed = true),
    () => (ledgerFailed = true),
  );
  return {
    clock: ports.clock,
    attempts: createAttempts(ports.clock),
    routes: {
      intake,
      ledger,
      heads,
      tree,
      clock: ports.clock,
      metrics,
      streams,
      observer: options.observers ?? metrics,
      status: () => ({ ...options.status(), api: { listeners: listeners().map(listenerView) } }),
      destination: (name) => options.destination(name),
      pulled: (name) => options.pulled(name),
      reload: (request) => options.reload(request),
      confirmClock: () => options.confirmClock(),
      destinationNames: () => options.destinationNames(),
      forget: (name) => options.forget(name),
      indexAt: (timeMs) => options.indexAt(timeMs),
      ledgerFailed: () => ledgerFailed,
    },
    findRouteFor: ({ tokens }) =>
      routeFinder([
        ...ROUTES,
        ...consoleRoutes(options.console ?? [], { tokens: tokens.length > 0, demo: options.extraRoutes !== undefined }),
        ...(options.extraRoutes ?? []),
      ]),
  };
}

function openRequests({ intake, ports, pendingBytesMax }: ApiOptions, policy: () => Policy): Requests {
  return createRequests({
    policy,
    audit: createAudit(intake, ports),
    denials: createDenialLog(ports.clock, ports.log),
    budget: createByteBudget(pendingBytesMax ?? PENDING_BYTES),
    ports,
  });
}

/** The listeners of a configuration: those that are open already, and the others newly opened; all of these or none. */
async function openNew(
  { listeners: wanted }: ApiConfig,
  materials: readonly (TlsMaterial | null)[],
  open: readonly Listener[],
  openOne: (config: ListenerConfig, tls: TlsMaterial | null) => Promise<Listener>,
): Promise<readonly Listener[]> {
  const plan: Listener[] = [];
  try {
    for (const [place, config] of wanted.entries()) {
      const known = open.find((listener) => listenerKey(listener.config) === listenerKey(config) && !plan.includes(listener));
      plan.push(known ?? (await openOne(config, materials[place] ?? null)));
    }
    return plan;
  } catch (error) {
    await Promise.all(plan.filter((listener) => !open.includes(listener)).map((listener) => listener.close()));
    throw error;
  }
}

function listenerView({ address, config, tls }: Listener) {
  return {
    address: `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`,
    serve: config.serve,
    tls: tls === null ? null : { expiresAt: new Date(tls.expiresMs).toISOString() },
  };
}

function addressOf(listener: Listener | undefined): ListenAddress {
  assert(listener !== undefined, 'an API has at least one listener');
  return listener.address;
}

/** A request that was begun at an address that goes away has as long to end as any other. */
async function closeLater(listener: Listener, clock: Ports['clock']): Promise<void> {
  listener.stop();
  await clock.sleep(GRACE_MS);
  await listener.close();
}

async function closeAll(listeners: readonly Listener[], requests: Requests, clock: Ports['clock'], graceMs: number): Promise<void> {
  requests.stop();
  for (const listener of listeners) listener.stop();
  const waited = new AbortController();
  const late = clock.sleep(graceMs, waited.signal).catch(() => undefined);
  await Promise.race([requests.idle(), late]);
  waited.abort();
  await Promise.all(listeners.map((listener) => listener.close()));
}
