import type { ErrorCode } from '../contracts/errors.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';

/** Header names in lower case, and their values. */
export type Headers = Readonly<Record<string, string>>;

/** What a request is answered. A body in pieces is sent as fast as its reader takes it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** The status of every error that a request can meet; all others are 500. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  REQUEST_INVALID: 400,
  BODY_UNREADABLE: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  ORIGIN_FOREIGN: 403,
  PATH_UNKNOWN: 404,
  SOURCE_UNKNOWN: 404,
  DESTINATION_UNKNOWN: 404,
  REFUSED_UNKNOWN: 404,
  METHOD_UNSUPPORTED: 405,
  EVENTS_CONFLICT: 409,
  COMMAND_REFUSED: 409,
  RELOAD_REFUSED: 409,
  RELOAD_FAILED: 409,
  LISTEN_FAILED: 409,
  LEDGER_REWOUND: 409,
  ENTRY_UNKNOWN: 404,
  NOT_PUBLISHED: 404,
  LEDGER_PRUNED: 410,
  BODY_TOO_LARGE: 413,
  CONTENT_TYPE_UNSUPPORTED: 415,
  HOST_UNKNOWN: 421,
  EVENTS_INVALID: 422,
  CONFIG_INVALID: 422,
  CONFIG_MISSING: 422,
  LISTEN_UNSAFE: 422,
  TLS_INVALID: 422,
  RATE_LIMITED: 429,
  AUTH_THROTTLED: 429,
  OVERLOADED: 503,
  STOPPING: 503,
  LEDGER_FULL: 503,
  LEDGER_FAILED: 503,
  LEDGER_FENCED: 503,
  DISK_FULL: 503,
};

/** How long a sender is asked to wait where the error does not say it. */
const RETRY_AFTER_MS = 2_000;

/** An answer in JSON. */
export function json(status: number, value: unknown, headers: Headers = {}): Answer {
  return jsonText(status, JSON.stringify(value), headers);
}

/** An answer whose JSON is written already. */
export function jsonText(status: number, body: string, headers: Headers = {}): Answer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** Whether the body is sent at once and whole. */
export function isWhole(body: Answer['body']): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array;
}

/** The status of the answer to an error. */
export function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? 500;
}

/** The answer to a request that met an error: its code, its message and what to do, and beside it what `more` says. */
export function problem(error: WaybillError, headers: Headers = {}, more: Readonly<Record<string, unknown>> = {}): Answer {
  const { code, message, action } = error;
  const status = statusOf(code);
  const waits = status === 429 || status === 503;
  const seconds = Math.max(1, Math.ceil((error.details.retryAfterMs ?? RETRY_AFTER_MS) / 1_000));
  return json(status, { error: { code, message, action }, ...more }, waits ? { 'retry-after': String(seconds), ...headers } : headers);
}

/** The error that a request is answered with; what was not foreseen is a mistake of this program, whose details stay here. */
export function answerable(error: unknown): WaybillError {
  return isWaybillError(error) ? error : new WaybillError('INTERNAL', 'the request failed', { cause: error });
}
