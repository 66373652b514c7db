import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { ApiConfig, ListenAddress } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Intake } from '../intake/sequencer.ts';
import { type ConsoleFile, consoleRoutes } from './console.ts';
import type { DestinationVerbs } from './control.ts';
import { createGuard } from './guard.ts';
import { createByteBudget, createRateLimits } from './limits.ts';
import { createMetrics } from './metrics.ts';
import type { Requests } from './requests.ts';
import { createRequests } from './requests.ts';
import { ROUTES, type Route, routeFinder } from './routes.ts';
import type { StatusView } from './status.ts';

/** What the API is made of. All of it stays the caller's to close, after the API. */
export interface ApiOptions {
  readonly config: ApiConfig;
  /** The sources that take requests, and how many events a second each may take (`null`: no limit). */
  readonly sources: ReadonlyMap<string, { readonly rate: number | null }>;
  readonly intake: Pick<Intake, 'check' | 'submit'>;
  readonly ledger: Pick<Ledger, 'read' | 'size' | 'beginning' | 'reserve' | 'failed'>;
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  status(): StatusView;
  /** `undefined` when there is no destination of this name. */
  destination(name: string): DestinationVerbs | undefined;
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
  /** Where it listens: the port is the real one. */
  readonly address: ListenAddress;
  /** Resolves with the reason once a promise of this program was broken, and never otherwise: the process has to stop. */
  readonly failed: Promise<unknown>;
  /** Takes no more requests, waits up to `graceMs` for those it has, and closes every connection. */
  close(graceMs?: number): Promise<void>;
}

const HEADERS_MS = 10_000;
const HEADERS_BYTES = 16_384;
const KEEP_ALIVE_MS = 65_000;
const SILENCE_MS = 60_000;
const PENDING_BYTES = 256 << 20;
const GRACE_MS = 5_000;

/** Opens the API. Rejects with `LISTEN_UNSAFE` or `LISTEN_FAILED`. */
export async function openApi(options: ApiOptions): Promise<Api> {
  const { config, ports } = options;
  const { limits } = config;
  const requests = openRequests(options);
  const server = createServer({
    headersTimeout: Math.min(HEADERS_MS, limits.requestMs),
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.min(1_000, limits.requestMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADERS_BYTES,
    noDelay: true,
  });
  server.on('request', (request, response) => requests.take(request, response, false));
  server.on('checkContinue', (request, response) => requests.take(request, response, true));
  server.maxConnections = limits.connections;
  server.setTimeout(options.silenceMs ?? SILENCE_MS);
  const port = await listen(server, config.listen);
  ports.log.info('the API listens', { host: config.listen.host, port });
  return {
    address: { host: config.listen.host, port },
    failed: requests.failed,
    close: (graceMs = GRACE_MS) => closeServer(server, requests, ports.clock, graceMs),
  };
}

function openRequests(options: ApiOptions): Requests {
  const { config, intake, ledger, ports } = options;
  let ledgerFailed = false;
  ledger.failed.then(
    () => (ledgerFailed = true),
    () => (ledgerFailed = true),
  );
  return createRequests({
    intake,
    ledger,
    ports,
    limits: config.limits,
    guard: createGuard(config),
    findRoute: routeFinder([
      ...ROUTES,
      ...consoleRoutes(options.console ?? [], { tokens: config.tokens.length > 0, demo: options.extraRoutes !== undefined }),
      ...(options.extraRoutes ?? []),
    ]),
    sources: [...options.sources.keys()],
    rates: createRateLimits(new Map([...options.sources].map(([name, { rate }]) => [name, rate])), ports.clock),
    budget: createByteBudget(options.pendingBytesMax ?? PENDING_BYTES),
    metrics: createMetrics(() => options.status()),
    status: () => options.status(),
    destination: (name) => options.destination(name),
    ledgerFailed: () => ledgerFailed,
  });
}

function listen(server: Server, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new WaybillError('LISTEN_FAILED', `cannot listen on ${host}, port ${port}: ${error.message}`, { cause: error }));
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

async function closeServer(server: Server, requests: Requests, clock: Ports['clock'], graceMs: number): Promise<void> {
  requests.stop();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const waited = new AbortController();
  const late = clock.sleep(graceMs, waited.signal).catch(() => undefined);
  await Promise.race([requests.idle(), late]);
  waited.abort();
  server.closeAllConnections();
  await closed;
}
