import type { BlockList } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { buildConnector } from 'undici';
import { WaybillError } from '../contracts/errors.ts';
import type { HttpRequest, Reached, TlsIdentity } from '../contracts/ports.ts';
import { privateAddresses } from './private-addresses.ts';

/** A peer that does not take a connection in this time is not there. */
const CONNECT_MS_MAX = 10_000;

/** How connections for such requests are made. */
export function connectorFor({ publicOnly, tls }: Pick<HttpRequest, 'publicOnly' | 'tls'>): buildConnector.connector {
  return publicOnly === true ? connectUnless(privateAddresses(), tls) : connectAnywhere(tls);
}

/**
 * Connects to addresses that are not in the list. The address is looked at by the socket itself, after the name was resolved, so no second
 * answer of a name server can change it. TLS is begun on a socket that is connected already: a TLS socket of Node ignores the list.
 */
export function connectUnless(blockList: BlockList, tls?: TlsIdentity): buildConnector.connector {
  const checked: buildConnector.BuildOptions & { readonly blockList: BlockList } = { timeout: CONNECT_MS_MAX, allowH2: false, blockList };
  const connectPlain = buildConnector(checked);
  const secure = connectAnywhere(tls);
  return (options, callback) => {
    if (options.protocol !== 'https:') return connectPlain(options, callback);
    const { servername: _, ...rest } = options;
    connectPlain({ ...rest, protocol: 'http:', port: options.port === '' ? '443' : options.port }, (...connected) => {
      const [error, socket] = connected;
      if (error !== null || socket === null) callback(...connected);
      else secure({ ...options, httpSocket: socket }, callback);
    });
  };
}

function connectAnywhere({ ca, cert, key }: TlsIdentity = {}): buildConnector.connector {
  const trusted = ca === undefined ? {} : { ca };
  const own = cert === undefined || key === undefined ? {} : { cert, key };
  return buildConnector({ timeout: CONNECT_MS_MAX, allowH2: false, ...trusted, ...own });
}

/** Connects, says what was found, and closes the connection without having sent anything over it. */
export function reach(to: Pick<HttpRequest, 'url' | 'publicOnly' | 'tls'>, signal: AbortSignal): Promise<Reached> {
  const url = new URL(to.url);
  const connect = connectorFor(to);
  const { hostname, host, protocol, port } = url;
  // undici gives its connectors the address of an IPv6 URL without brackets.
  const target = { hostname: hostname.replace(/^\[|\]$/g, ''), host, protocol, port };
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(notReached(url, signal.reason));
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    connect(target, (error, socket) => {
      signal.removeEventListener('abort', stop);
      if (error !== null || socket === null) return reject(notReached(url, error));
      resolve({ address: socket.remoteAddress ?? '', tls: protocol === 'https:' ? (socket as TLSSocket).getProtocol() : null });
      socket.destroy();
    });
  });
}

/** What it means that no connection was made. */
export function notReached(url: URL, cause: unknown): WaybillError {
  if (isBlocked(cause)) {
    const message = `${url.hostname} leads to a private address, and only public ones are allowed: ${describeFailure(cause)}`;
    return new WaybillError('SINK_ADDRESS_PRIVATE', message, { cause });
  }
  return new WaybillError('SINK_UNREACHABLE', `cannot reach ${url.origin}: ${describeFailure(cause)}`, { cause });
}

/** Whether every address of the name was refused by the list. One that was merely down may come back. */
function isBlocked(cause: unknown): boolean {
  if (cause instanceof AggregateError) return cause.errors.length > 0 && cause.errors.every(isBlocked);
  return cause instanceof Error && 'code' in cause && cause.code === 'ERR_IP_BLOCKED';
}

/** An `AggregateError` of several addresses has an empty message; its parts say what happened. */
export function describeFailure(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(describeFailure).join(', ');
  return cause instanceof Error ? cause.message : String(cause);
}
