import type { Config, ListenAddress, Role } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';

/** Talks to the running process that uses the same configuration. */
export interface ApiClient {
  /** The JSON that a path answers. Rejects with `NOT_RUNNING` when nobody answers. */
  get(path: string, signal?: AbortSignal): Promise<unknown>;
  /** The text that a path answers. */
  text(path: string, signal?: AbortSignal): Promise<string>;
  post(path: string, body: unknown): Promise<unknown>;
}

const ANSWER_MS = 10_000;

// The role that may do the most first: a command acts for whoever can read the configuration with its secrets.
const ROLES: readonly Role[] = ['operator', 'auditor', 'viewer'];

/** A client of the process that this configuration runs, with its most powerful token. */
export function openClient(config: Config): ApiClient {
  const token = ROLES.map((role) => config.api.tokens.find((candidate) => candidate.role === role)).find((found) => found !== undefined);
  return openClientAt(`http://${authority(config.api.listen)}`, token?.token ?? null);
}

/** A client of the process at an address, such as `http://127.0.0.1:8400`. */
export function openClientAt(base: string, token: string | null): ApiClient {
  const headers = { 'content-type': 'application/json', ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
  const send = async (method: 'GET' | 'POST', path: string, body?: string, signal?: AbortSignal): Promise<string> => {
    const limit = AbortSignal.timeout(ANSWER_MS);
    const ends = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    let response: Response;
    try {
      response = await fetch(`${base}${path}`, {
        method,
        headers,
        redirect: 'manual',
        signal: ends,
        ...(body === undefined ? {} : { body }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw new WaybillError('NOT_RUNNING', `nothing answered at ${base}`, { cause: error });
    }
    const text = await response.text();
    if (!response.ok) throw refusal(base, path, response.status, text);
    return text;
  };
  return {
    get: async (path, signal) => parse(base, path, await send('GET', path, undefined, signal)),
    text: (path, signal) => send('GET', path, undefined, signal),
    post: async (path, body) => parse(base, path, await send('POST', path, JSON.stringify(body))),
  };
}

/** The address under which this machine reaches a listener. */
export function authority({ host, port }: ListenAddress): string {
  const near = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return near.includes(':') ? `[${near}]:${port}` : `${near}:${port}`;
}

function refusal(base: string, path: string, status: number, text: string): WaybillError {
  const named = errorOf(text);
  if (status === 401) return new WaybillError('UNAUTHORIZED', `${base}${path} asks for a token, and the configuration has none that fits`);
  if (status === 403) return new WaybillError('FORBIDDEN', `${base}${path} needs an operator's token in api.tokens`);
  if (status === 404 && named?.code === 'DESTINATION_UNKNOWN') return new WaybillError('DESTINATION_UNKNOWN', named.message);
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
