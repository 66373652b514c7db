import type { ClientConfig, Config, ListenAddress, ListenerConfig, Purpose } from '../config/config.ts';
import { type ErrorCode, WaybillError } from '../contracts/errors.ts';
import { readEnvironment } from '../runtime/environment.ts';
import type { ClientTls, Fetch } from '../runtime/tls-fetch.ts';
import { readText } from './machine.ts';

/** Talks to the running process that uses the same configuration. */
export interface ApiClient {
  /** The JSON that a path answers. Rejects with `NOT_RUNNING` when nobody answers. */
  get(path: string, signal?: AbortSignal): Promise<unknown>;
  /** The text that a path answers. `answerMs` is how long the process may take; default 10 s. */
  text(path: string, signal?: AbortSignal, answerMs?: number): Promise<string>;
  /** The bytes that a path answers. */
  bytes(path: string): Promise<Uint8Array>;
  /** Sends a body in JSON. `answerMs` is how long the process may take; default 10 s. */
  post(path: string, body: unknown, answerMs?: number): Promise<unknown>;
}

/** How a process is reached at an address. */
export interface ClientOptions {
  readonly token: string | null;
  /** Why something is done, for the entry about it. */
  readonly reason?: string | undefined;
  readonly fetch?: () => Promise<Fetch>;
}

const ANSWER_MS = 10_000;

/**
 * A client of the process that this configuration runs. Its token comes from `WAYBILL_TOKEN`, `api.client.token_file`, or a token that
 * stands in the configuration. `reason` is kept in the ledger with what is done. `purpose` is what is asked for.
 */
export function openClient(config: Config, reason?: string, purpose: Purpose = 'control'): ApiClient {
  const { client, listeners } = config.api;
  // A listener that shows the console or takes events only does not answer commands; where none does, the first says so.
  const listener = listeners.find(({ serve }) => serve.includes(purpose)) ?? listeners[0];
  const base = client.url ?? baseOf(listener);
  const options = { token: clientToken(client), reason };
  if (!base.startsWith('https:')) return openClientAt(base, options);
  const pinned = client.ca === null && client.url === null ? (listener?.tls?.cert ?? null) : null;
  return openClientAt(base, { ...options, fetch: () => tlsFetch(client, pinned) });
}

/** A client of the process at an address, such as `http://127.0.0.1:8400`. */
export function openClientAt(base: string, { token, reason, fetch: open = async () => fetch }: ClientOptions): ApiClient {
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(reason === undefined ? {} : { 'waybill-reason': encodeURIComponent(reason) }),
  };
  const send = async (
    method: 'GET' | 'POST',
    path: string,
    body?: string,
    signal?: AbortSignal,
    answerMs: number = ANSWER_MS,
  ): Promise<Uint8Array> => {
    const limit = AbortSignal.timeout(answerMs);
    const ends = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const get = await open();
    let response: Awaited<ReturnType<Fetch>>;
    try {
      response = await get(`${base}${path}`, {
        method,
        headers,
        redirect: 'manual',
        signal: ends,
        ...(body === undefined ? {} : { body }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (limit.aborted) throw new WaybillError('ANSWER_LATE', `${base}${path} has not answered for ${answerMs / 1_000} s`);
      throw new WaybillError('NOT_RUNNING', `nothing answered at ${base}${reasonOf(error)}`, { cause: error });
    }
    const bytes = await bodyOf(response, base, signal);
    if (!response.ok) throw refusal(base, path, response.status, textOf(bytes));
    return bytes;
  };
  return {
    get: async (path, signal) => parse(base, path, textOf(await send('GET', path, undefined, signal))),
    text: async (path, signal, answerMs) => textOf(await send('GET', path, undefined, signal, answerMs)),
    bytes: (path) => send('GET', path),
    post: async (path, body, answerMs) => parse(base, path, textOf(await send('POST', path, JSON.stringify(body), undefined, answerMs))),
  };
}

/** An answer that breaks off, because the process ended, is no answer. */
async function bodyOf(response: Awaited<ReturnType<Fetch>>, base: string, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    signal?.throwIfAborted();
    throw new WaybillError('NOT_RUNNING', `${base} ended in the middle of its answer${reasonOf(error)}`, { cause: error });
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The address under which this machine reaches a listener. */
export function authority({ host, port }: ListenAddress): string {
  const near = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return near.includes(':') ? `[${near}]:${port}` : `${near}:${port}`;
}

function baseOf(listener: ListenerConfig | undefined): string {
  return listener === undefined ? '' : `${listener.tls === null ? 'http' : 'https'}://${authority(listener.listen)}`;
}

/** The token that commands send; `null` when there is none, which is enough for reading where no token is configured. */
function clientToken({ tokenFile, token }: ClientConfig): string | null {
  const given = readEnvironment()['WAYBILL_TOKEN'];
  if (given !== undefined && given !== '') return given;
  if (tokenFile === null) return token;
  const text = readText(tokenFile);
  if (text !== null) return text.trim();
  throw new WaybillError(
    'UNAUTHORIZED',
    `there is no file ${tokenFile}, which api.client.token_file names; WAYBILL_TOKEN can give the token, too`,
  );
}

async function tlsFetch({ ca, cert, key }: ClientConfig, pinned: string | null): Promise<Fetch> {
  const tls: ClientTls = { ca: readPem(ca), pinned: readPem(pinned), cert: readPem(cert), key: readPem(key) };
  // Commands that use no TLS need not wait for this to be loaded.
  const { openTlsFetch } = await import('../runtime/tls-fetch.ts');
  try {
    return openTlsFetch(tls);
  } catch (error) {
    throw new WaybillError('TLS_INVALID', `the certificates of api.client cannot be used: ${String(error)}`, { cause: error });
  }
}

function readPem(path: string | null): string | null {
  const text = path === null ? null : readText(path);
  if (path !== null && text === null) throw new WaybillError('TLS_INVALID', `there is no file ${path}`);
  return text;
}

/** What went wrong with a connection, where the platform says it; it never holds what was sent. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : '';
}

/** Errors of the process that a command passes on as they are, because their way out is the same here. */
const PASSED_ON: readonly ErrorCode[] = [
  'DESTINATION_UNKNOWN',
  'SOURCE_UNKNOWN',
  'REFUSED_UNKNOWN',
  'EVENTS_INVALID',
  'AUTH_THROTTLED',
  'COMMAND_REFUSED',
  'REQUEST_INVALID',
  'LEDGER_PRUNED',
  'ENTRY_UNKNOWN',
  'NOT_PUBLISHED',
  'CONFIG_INVALID',
  'CONFIG_MISSING',
  'RELOAD_REFUSED',
  'RELOAD_FAILED',
  'LISTEN_FAILED',
  'LISTEN_UNSAFE',
  'TLS_INVALID',
];

function refusal(base: string, path: string, status: number, text: string): WaybillError {
  const named = errorOf(text);
  if (status === 401)
    return new WaybillError('UNAUTHORIZED', `${base}${path} asks for a token, and there is none that fits: ${named?.message}`);
  if (status === 403) return new WaybillError('FORBIDDEN', `${base}${path} needs the token of an operator`);
  const code = PASSED_ON.find((passed) => passed === named?.code);
  if (code !== undefined && named !== null) return new WaybillError(code, named.message);
  return new WaybillError('API_UNEXPECTED', `${base}${path} answered ${status}${named === null ? '' : ` ${named.code}: ${named.message}`}`);
}

function errorOf(text: string): { readonly code: string; readonly message: string } | null {
  try {
    const { error } = JSON.parse(text) as { readonly error?: { readonly code?: unknown; readonly message?: unknown } };
    return typeof error?.code === 'string' && typeof error.message === 'string' ? { code: error.code, message: error.message } : null;
  } catch {
    return null;
  }
}

function parse(base: string, path: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new WaybillError('API_UNEXPECTED', `${base}${path} did not answer in JSON`, { cause: error });
  }
}
