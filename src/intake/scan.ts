import { DEPTH_MAX } from './check-rules.ts';
import { addWide, forgetNames, hasName, keepName, NAMES_NARROW, textOf, widen } from './scan-names.ts';
import type { Plan, PlannedField } from './scan-plan.ts';
import { ANY, fieldSlot, LIST, NOTE_NOTHING, nameKey, OBJECT } from './scan-plan.ts';
import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  closingQuote,
  literalEnd,
  numberEnd,
  OPEN_ARRAY,
  OPEN_OBJECT,
  plainEnd,
  QUOTE,
  skipSpace,
} from './scan-tokens.ts';
import { plainValueEnd } from './scan-values.ts';

/**
 * Where the last scan found what its plan notes, as pairs of start and end with the quotes: the identity at `NOTE_IDENTITY * 2`, the
 * producer at `NOTE_PRODUCER * 2`. A start of 0 and an end of 0 mean that it is not there. Valid until the next scan.
 */
export const noted = new Int32Array(6);

/**
 * Scans one JSON value and checks it against a plan in the same pass: RFC 8259, nested no deeper than 64, no name twice in an object,
 * and what the plan asks. Returns the position after the value, or `~position` (negative) where the first problem was met; which problem
 * it is, is for a second, slower look.
 *
 * `bytes` is UTF-8 that was checked, `bytes[end]` is a control character (the stopper of `scan-tokens.ts`), and the value begins at
 * `at`. A value that is still open at `end` is a problem, also when the bytes go on.
 */
export function scan(bytes: Uint8Array, at: number, end: number, plan: Plan): number {
  noted.fill(0);
  const after = value(bytes, at, end, 1, 0, plan);
  forgetNames();
  return after;
}

function value(bytes: Uint8Array, at: number, end: number, depth: number, base: number, plan: Plan): number {
  const first = bytes[at];
  if (plan.kind === ANY) {
    if (first === QUOTE) return stringEnd(bytes, at + 1);
    if (first === OPEN_OBJECT) return object(bytes, at + 1, end, depth, base, plan);
    if (first === OPEN_ARRAY) return list(bytes, at + 1, end, depth, base, plan);
    return first! < 0x3a ? numberEnd(bytes, at) : literalEnd(bytes, at);
  }
  let after: number;
  if (plan.kind === OBJECT) after = first === OPEN_OBJECT ? object(bytes, at + 1, end, depth, base, plan) : ~at;
  else if (plan.kind === LIST) after = first === OPEN_ARRAY ? list(bytes, at + 1, end, depth, base, plan) : ~at;
  else after = plainValueEnd(bytes, at, plan);
  if (plan.notes !== NOTE_NOTHING && after >= 0) {
    noted[plan.notes * 2] = at;
    noted[plan.notes * 2 + 1] = after;
  }
  return after;
}

function stringEnd(bytes: Uint8Array, at: number): number {
  const next = plainEnd(bytes, at);
  if (bytes[next] === QUOTE) return next + 1;
  const quote = closingQuote(bytes, next);
  return quote < 0 ? quote : quote + 1;
}

function list(bytes: Uint8Array, at: number, end: number, depth: number, base: number, plan: Plan): number {
  if (depth > DEPTH_MAX) return ~at;
  let next = skipSpace(bytes, at, end);
  if (bytes[next] === CLOSE_ARRAY) return next + 1;
  for (let count = 1; count <= plan.max; count += 1) {
    next = value(bytes, next, end, depth + 1, base, plan.inner);
    if (next < 0) return next;
    if (bytes[next]! <= 0x20) next = skipSpace(bytes, next, end);
    if (bytes[next] === CLOSE_ARRAY) return next + 1;
    if (bytes[next] !== COMMA || next >= end) return ~next;
    next += 1;
    if (bytes[next]! <= 0x20) next = skipSpace(bytes, next, end);
  }
  return ~next;
}

function object(bytes: Uint8Array, at: number, end: number, depth: number, base: number, plan: Plan): number {
  if (depth > DEPTH_MAX) return ~at;
  let top = base;
  let count = 0;
  let seen = 0;
  let bloom = 0;
  let wide = false;
  let next = bytes[at]! <= 0x20 ? skipSpace(bytes, at, end) : at;
  if (bytes[next] === CLOSE_OBJECT) return plan.required === 0 ? next + 1 : ~next;
  for (;;) {
    if (bytes[next] !== QUOTE) return ~next;
    const start = next + 1;
    let close = plainEnd(bytes, start);
    const escaped = bytes[close] === BACKSLASH;
    if (escaped) {
      close = closingQuote(bytes, close);
      if (close < 0) return close;
    } else if (bytes[close] !== QUOTE) return ~close;
    const key = nameKey(bytes, start, close);
    const field = plan.slots === null ? null : listed(bytes, start, close, key, escaped, plan);
    let inner = plan.inner;
    if (field !== null) {
      if ((seen & field.bit) !== 0) return ~start;
      seen |= field.bit;
      inner = field.plan;
    } else if (wide || escaped) {
      if (!wide) widen(bytes, base, top, depth);
      wide = true;
      if (!addWide(bytes, start, close, depth)) return ~start;
    } else {
      const bit = 1 << (Math.imul(key, 0x9e37_79b1) >>> 27);
      if ((bloom & bit) !== 0 && hasName(bytes, base, top, key, start, close)) return ~start;
      bloom |= bit;
      keepName(top, key, start, close);
      top += 1;
      if (top - base === NAMES_NARROW) {
        widen(bytes, base, top, depth);
        wide = true;
      }
    }
    count += 1;
    next = close + 1;
    if (bytes[next] !== COLON) {
      next = skipSpace(bytes, next, end);
      if (bytes[next] !== COLON) return ~next;
    }
    next += 1;
    if (bytes[next]! <= 0x20) next = skipSpace(bytes, next, end);
    next = value(bytes, next, end, depth + 1, top, inner);
    if (next < 0) return next;
    if (bytes[next]! <= 0x20) next = skipSpace(bytes, next, end);
    if (bytes[next] === CLOSE_OBJECT) break;
    if (bytes[next] !== COMMA || next >= end) return ~next;
    next += 1;
    if (bytes[next]! <= 0x20) next = skipSpace(bytes, next, end);
  }
  const fits = count <= plan.max && next + 1 - (at - 1) <= plan.bytesMax && (seen & plan.required) === plan.required;
  return fits ? next + 1 : ~next;
}

/** The field of this name, if the plan lists it. */
function listed(bytes: Uint8Array, start: number, end: number, key: number, escaped: boolean, plan: Plan): PlannedField | null {
  if (escaped) return plan.named.get(textOf(bytes, start, end)) ?? null;
  const field = plan.slots![fieldSlot(key, plan.multiplier)]!;
  if (field === null) return null;
  const name = field.name;
  if (name.length !== end - start) return null;
  for (let k = 0; k < name.length; k += 1) if (name[k] !== bytes[start + k]) return null;
  return field;
}
