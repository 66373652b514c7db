import type { Server as PlainServer } from 'node:http';
import { createServer } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import { createServer as createSecureServer } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { ApiLimits, ListenAddress, ListenerConfig } from '../config/config.ts';
import { listenMode } from '../config/plan-reload.ts';
import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Connection } from './guard.ts';
import type { Requests } from './requests.ts';
import type { TlsMaterial } from './tls.ts';
import { clientCertificate } from './tls.ts';

/** One address that is listened on. */
export interface Listener {
  /** Where it listens: the port is the real one. */
  readonly address: ListenAddress;
  readonly config: ListenerConfig;
  readonly tls: TlsMaterial | null;
  /** Serves as another configuration of the same address says; connections stay, and new ones get the new certificate. */
  change(config: ListenerConfig, limits: ApiLimits, tls: TlsMaterial | null): void;
  /** Gives new connections another certificate. */
  renew(tls: TlsMaterial): void;
  /** Takes no new connections. Those that are there stay until their requests are answered. */
  stop(): void;
  /** Closes every connection, and resolves once all are gone. */
  close(): Promise<void>;
}

const HEADERS_MS = 10_000;
const HANDSHAKE_MS = 10_000;
const HEADERS_BYTES = 16_384;
const KEEP_ALIVE_MS = 65_000;

/** What opening a listener needs beside its configuration. */
export interface ListenerParts {
  readonly requests: Pick<Requests, 'take'>;
  readonly limits: ApiLimits;
  readonly tls: TlsMaterial | null;
  readonly silenceMs: number;
}

/** Opens an address. Rejects with `LISTEN_FAILED`. */
export async function openListener(first: ListenerConfig, { requests, limits, tls, silenceMs }: ListenerParts): Promise<Listener> {
  let config = first;
  let material = tls;
  let closed: Promise<void> | null = null;
  const server = makeServer(first, limits, tls);
  const connections = new WeakMap<object, Connection>();
  // A connection keeps its certificate; what is served is asked again at each request, because it may change.
  const connectionOf = (socket: PlainSocket): Connection => {
    const known = connections.get(socket);
    if (known?.serve === config.serve) return known;
    const made = { ...(known ?? describe(socket)), serve: config.serve };
    connections.set(socket, made);
    return made;
  };
  server.on('request', (request, response) => requests.take(request, response, false, connectionOf(request.socket)));
  server.on('checkContinue', (request, response) => requests.take(request, response, true, connectionOf(request.socket)));
  server.setTimeout(silenceMs);
  const port = await listen(server, first.listen);
  const renew = (next: TlsMaterial): void => {
    assert('setSecureContext' in server, 'only a listener with TLS is given a certificate');
    server.setSecureContext(contextOf(next));
    material = next;
  };
  const stop = (): void => {
    closed ??= new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
  };
  return {
    address: { host: first.listen.host, port },
    get config() {
      return config;
    },
    get tls() {
      return material;
    },
    change(next, nextLimits, nextTls) {
      config = next;
      applyLimits(server, nextLimits);
      if (nextTls !== null) renew(nextTls);
    },
    renew,
    stop,
    async close() {
      stop();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What tells one way of listening from another: where it differs the address has to be opened anew. */
export function listenerKey({ listen: { host, port }, tls }: ListenerConfig): string {
  return `${host} port ${port} ${listenMode({ tls })}`;
}

type PlainSocket = Parameters<Requests['take']>[0]['socket'];

function describe(socket: PlainSocket): Omit<Connection, 'serve'> {
  const address = socket.remoteAddress ?? '';
  if (!(socket instanceof TLSSocket)) return { address, secure: false, certificate: null };
  return { address, secure: true, certificate: clientCertificate(socket) };
}

function makeServer({ tls: files }: ListenerConfig, limits: ApiLimits, tls: TlsMaterial | null): PlainServer | SecureServer {
  const options = {
    connectionsCheckingInterval: Math.min(1_000, limits.requestMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADERS_BYTES,
    noDelay: true,
  };
  const server =
    files === null || tls === null
      ? createServer(options)
      : createSecureServer({
          ...options,
          ...contextOf(tls),
          handshakeTimeout: HANDSHAKE_MS,
          ALPNProtocols: ['http/1.1'],
          requestCert: files.clientCa !== null,
          rejectUnauthorized: files.clientCa !== null && files.clientCert === 'require',
        });
  applyLimits(server, limits);
  return server;
}

/** Nothing older than TLS 1.2 is spoken. */
function contextOf({ cert, key, ca }: TlsMaterial) {
  return { cert, key, ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.2' as const };
}

function applyLimits(server: PlainServer | SecureServer, { requestMs, connections }: ApiLimits): void {
  server.headersTimeout = Math.min(HEADERS_MS, requestMs);
  server.requestTimeout = requestMs;
  server.maxConnections = connections;
}

function listen(server: PlainServer | SecureServer, { host, port }: ListenAddress): Promise<number> {
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
