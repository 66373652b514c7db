import { hash } from 'node:crypto';
import { Agent, type Dispatcher } from 'undici';
import { WaybillError } from '../contracts/errors.ts';
import type { Http, HttpRequest, HttpResponse, TlsIdentity } from '../contracts/ports.ts';
import { connectorFor, describeFailure, notReached, reach } from './http-connect.ts';

/** How much of an answer is kept unless the request says otherwise. */
const BODY_BYTES_MAX = 64 << 10;

/** Back-stops for a peer that goes silent. The caller's signal is usually shorter. */
const HEADERS_MS_MAX = 120_000;
const BODY_MS_MAX = 60_000;

/** Idle connections are closed by us before most servers do, so that a request seldom meets a connection that is just being closed. */
const KEEP_ALIVE_MS = 4_000;

/**
 * Outgoing HTTP/1.1 with kept connections per origin, one request at a time on each: none waits behind another one's answer.
 * Requests share connections only with those that may go to the same addresses and have the same identity, so that nothing ever travels
 * over a connection that was made under other conditions.
 */
export function openHttp(): Http & { close(): Promise<void> } {
  const agents = new Map<string, Agent>();
  const names = new WeakMap<TlsIdentity, string>();
  const agentOf = (request: HttpRequest): Agent => {
    const name = `${String(request.publicOnly === true)} ${request.tls === undefined ? '' : nameOf(request.tls, names)}`;
    const agent = agents.get(name) ?? newAgent(request);
    agents.set(name, agent);
    return agent;
  };
  return {
    send: (request, signal) => send(agentOf(request), request, signal),
    reach: (target, signal) => reach(target, signal),
    async close() {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

/** The same for the same texts, so that a configuration that was read again uses the connections that are there. */
function nameOf(tls: TlsIdentity, names: WeakMap<TlsIdentity, string>): string {
  const known = names.get(tls);
  if (known !== undefined) return known;
  const { ca = '', cert = '', key = '' } = tls;
  const name = hash('sha256', JSON.stringify([ca, cert, key]), 'hex');
  names.set(tls, name);
  return name;
}

function newAgent(request: HttpRequest): Agent {
  return new Agent({
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_MS_MAX,
    bodyTimeout: BODY_MS_MAX,
    connect: connectorFor(request),
  });
}

function send(agent: Agent, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const url = new URL(request.url);
    const bytesMax = request.answerBytesMax ?? BODY_BYTES_MAX;
    const exchange: Exchange = { controller: null, sending: false, status: 0, headers: {}, body: [], length: 0, bytesMax };

    const lost = (cause: unknown): void => {
      signal.removeEventListener('abort', stop);
      reject(failure(url, exchange, signal, cause));
    };
    const stop = (): void => {
      lost(signal.reason);
      exchange.controller?.abort(new Error('the signal ended'));
    };
    const finish = (): void => {
      signal.removeEventListener('abort', stop);
      resolve({ status: exchange.status, headers: exchange.headers, body: joined(exchange) });
    };
    if (signal.aborted) {
      lost(signal.reason);
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    try {
      agent.dispatch(
        {
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: request.method,
          headers: { ...request.headers },
          body: request.body ?? null,
        },
        handlerFor(exchange, signal, finish, lost),
      );
    } catch (error) {
      lost(error);
    }
  });
}

interface Exchange {
  controller: Dispatcher.DispatchController | null;
  /** From here on the request may have reached the other side. */
  sending: boolean;
  status: number;
  headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array[];
  length: number;
  readonly bytesMax: number;
}

function handlerFor(
  exchange: Exchange,
  signal: AbortSignal,
  finish: () => void,
  lost: (cause: unknown) => void,
): Dispatcher.DispatchHandler {
  return {
    onRequestStart(controller) {
      exchange.controller = controller;
      // The caller has been told already; a request that waited for its connection must not go out now.
      if (signal.aborted) controller.abort(new Error('the signal ended'));
      else exchange.sending = true;
    },
    onResponseStart(_controller, status, headers) {
      exchange.status = status;
      exchange.headers = flat(headers);
    },
    onResponseData(controller, chunk) {
      const room = exchange.bytesMax - exchange.length;
      const kept = chunk.subarray(0, room);
      exchange.body.push(new Uint8Array(kept));
      exchange.length += kept.length;
      if (chunk.length <= room) return;
      finish();
      controller.abort(new Error('the answer is too long'));
    },
    onResponseEnd: finish,
    onResponseError: (_controller, error) => lost(error),
  };
}

/** Says whether the request can have arrived: what was never begun cannot, whatever went wrong. The end of the signal leaves it open. */
function failure(url: URL, exchange: Exchange, signal: AbortSignal, cause: unknown): WaybillError {
  if (exchange.sending || signal.aborted) {
    return new WaybillError('SINK_ANSWER_LOST', `no answer from ${url.origin}: ${describeFailure(cause)}`, { cause });
  }
  return notReached(url, cause);
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Readonly<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return result;
}

function joined(exchange: Exchange): Uint8Array {
  const only = exchange.body[0];
  if (exchange.body.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(exchange.length);
  let at = 0;
  for (const part of exchange.body) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
