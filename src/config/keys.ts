import { z } from 'zod';
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from '../contracts/quantities.ts';
import { NAME_PATTERN } from '../contracts/units.ts';
import type { ListenAddress, MaxLag, Start } from './config.ts';

const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
const ORIGIN = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[A-Za-z0-9._~-]+)*$/;
const HOST = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/;

/** A size in bytes, written as `5MiB`. */
export function size(min: number, max = Number.MAX_SAFE_INTEGER) {
  return quantity(SIZE_PATTERN, parseSize, 'a size such as 5MiB', min, max);
}

/** A duration in milliseconds, written as `250ms` or `30s`. */
export function duration(min: number, max = 400 * 86_400_000) {
  return quantity(DURATION_PATTERN, parseDuration, 'a duration such as 250ms, 30s or 5m', min, max);
}

function quantity(pattern: RegExp, parse: (text: string) => number | null, what: string, min: number, max: number) {
  return z
    .string({ error: `expected ${what}` })
    .regex(pattern, `expected ${what}`)
    .transform((text, context) => {
      const value = parse(text);
      if (value !== null && value >= min && value <= max) return value;
      context.addIssue({ code: 'custom', message: value === null || value > max ? 'too large' : 'too small' });
      return z.NEVER;
    });
}

/** How far a destination may be behind: a duration or a size. */
export const maxLag = z.string({ error: 'expected a duration such as 7d, or a size such as 50GiB' }).transform((text, context): MaxLag => {
  const ms = parseDuration(text);
  if (ms !== null && ms >= 60_000) return { by: 'age', ms };
  const bytes = parseSize(text);
  if (bytes !== null && bytes >= 1_048_576) return { by: 'bytes', bytes };
  const small = ms !== null || bytes !== null;
  context.addIssue({
    code: 'custom',
    message: small ? 'too small: at least 1m or 1MiB' : 'expected a duration such as 7d, or a size such as 50GiB',
  });
  return z.NEVER;
});

/** A whole number, also as digits, because a reference to the environment gives text. */
export function count(min: number, max: number) {
  const message = `expected a whole number from ${min} to ${max}`;
  const whole = z.int({ error: message }).min(min, message).max(max, message);
  return z.union(
    [
      whole,
      z
        .string()
        .regex(/^\d{1,15}$/)
        .transform(Number)
        .pipe(whole),
    ],
    { error: message },
  );
}

/** The name of a source, a destination or a token. */
export const name = z
  .string()
  .regex(NAME_PATTERN, 'expected a name of lower-case letters, digits, _ and -, beginning with a letter, at most 64 long');

/** The name of a log: a URL without a scheme, as in a checkpoint's first line. */
export const origin = z.string().max(240).regex(ORIGIN, 'expected a URL without a scheme, such as acme.example/audit');

/** Where a server listens: `host:port`, an IPv6 address in brackets. */
export const listen = z
  .string()
  .regex(HOST, 'expected host:port, such as 127.0.0.1:8400 or [::1]:8400')
  .transform((text, context): ListenAddress => {
    const [, bracketed, plain, port] = HOST.exec(text) ?? [];
    if (Number(port) > 65_535) context.addIssue({ code: 'custom', message: 'the port is above 65535' });
    return { host: bracketed ?? plain ?? '', port: Number(port) };
  });

/** A point in time in milliseconds since 1970: a date, which begins at midnight UTC, or a date and a time with its offset. */
export const time = z.string().transform((text, context): number => {
  const timeMs = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  context.addIssue({ code: 'custom', message: 'expected a date or a time such as 2027-01-31T00:00:00Z' });
  return z.NEVER;
});

/** Where a destination begins: `beginning`, `now`, an index, or a time. */
export const start = z
  .union([z.int().min(0), z.string()], { error: 'expected beginning, now, an index, or a time such as 2026-01-31T00:00:00Z' })
  .transform((value, context): Start => {
    if (value === 'beginning' || value === 'now') return { at: value };
    if (typeof value === 'number' || /^\d{1,15}$/.test(value)) return { at: 'index', index: Number(value) };
    const timeMs = TIME.test(value) ? Date.parse(value) : Number.NaN;
    if (!Number.isNaN(timeMs)) return { at: 'time', timeMs };
    context.addIssue({ code: 'custom', message: 'expected beginning, now, an index, or a time such as 2026-01-31T00:00:00Z' });
    return z.NEVER;
  });

/** True when an address reaches this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
