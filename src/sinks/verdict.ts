import { type ErrorCode, type ErrorDetails, WaybillError } from '../contracts/errors.ts';
import type { HttpResponse } from '../contracts/ports.ts';

/** How much of an answer a message may quote. */
const EXCERPT_CHARACTERS_MAX = 200;

/** A header value that is shorter hides nothing, and replacing it would make nonsense of the text. */
const SECRET_CHARACTERS_MIN = 3;

/** What a verdict is made from, beside the answer. */
export interface VerdictContext {
  /** Where the answer came from, in words without a secret. */
  readonly from: string;
  /** The wall clock in milliseconds since 1970. */
  readonly now: number;
  /** What must not appear in a message, even when the other side echoes it. */
  readonly secrets: readonly string[];
}

/**
 * What a status means for delivery, for every destination that uses HTTP as it was meant (RFC 9110): nothing for a 2xx, an error for
 * all others. 401 and 403 are about us, 404, 410 and redirects about the address, 408, 425, 429 and 5xx about the moment, 400, 413
 * and 422 about the entries.
 */
export function standardVerdict(response: HttpResponse, context: VerdictContext): WaybillError | null {
  if (response.status >= 200 && response.status < 300) return null;
  const code = codeOf(response.status);
  const details: ErrorDetails = { facts: { status: response.status } };
  const wait = code === 'SINK_BUSY' ? retryAfterMs(response.headers['retry-after'], context.now) : null;
  return new WaybillError(code, describe(response, context), wait === null ? details : { ...details, retryAfterMs: wait });
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'SINK_UNAUTHORIZED';
  if (status === 404 || status === 410 || (status >= 300 && status < 400)) return 'SINK_NOT_FOUND';
  if (status === 408 || status === 425 || status === 429 || status >= 500) return 'SINK_BUSY';
  if (status === 400 || status === 413 || status === 422) return 'SINK_REFUSED_ENTRY';
  return 'SINK_REFUSED';
}

function describe(response: HttpResponse, context: VerdictContext): string {
  const text = excerpt(response, context.secrets);
  return `${context.from} answered ${response.status}${text === '' ? '' : `: ${text}`}`;
}

/** The beginning of an answer as one line without control characters and secrets; empty when it is not text. */
export function excerpt(response: HttpResponse, secrets: readonly string[]): string {
  const type = response.headers['content-type'] ?? 'text/plain';
  if (!/^(?:text\/(?!html)|application\/(?:[a-z.+-]*\+)?json)/i.test(type)) return '';
  // Secrets go before the cut: half of one would still be one.
  let text = Buffer.from(response.body).toString('utf8');
  for (const secret of secrets) if (secret.length >= SECRET_CHARACTERS_MIN) text = text.replaceAll(secret, '(hidden)');
  const line = text.replaceAll(/[\p{C}\p{Z}\ufffd]+/gu, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= EXCERPT_CHARACTERS_MAX ? line : `${characters.slice(0, EXCERPT_CHARACTERS_MAX - 1).join('')}…`;
}

/** How long `Retry-After` asks to wait: whole seconds or a date (RFC 9110 §10.2.3); `null` when it says nothing that can be read. */
export function retryAfterMs(value: string | undefined, now: number): number | null {
  const text = value?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  // Every date of HTTP names its month; `Date.parse` alone would take almost anything.
  if (!/^[A-Z][a-z]{2,8},? .*\d{2}:\d{2}:\d{2}/.test(text)) return null;
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
