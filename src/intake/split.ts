import {
  CARRIAGE_RETURN,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  closingQuote,
  LINE_FEED,
  literalEnd,
  numberEnd,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
} from './scan-tokens.ts';

/** How the events of a body are laid out: one object, an array of them, or one to a line. */
export type BodyShape = 'object' | 'array' | 'lines';

/**
 * Whether a JSON body is one event or an array of events, by its first character. What is neither is read as one event, and refused as
 * such.
 */
export function jsonShape(body: Uint8Array): 'object' | 'array' {
  return body[skipSpace(body, 0, body.length)] === OPEN_ARRAY ? 'array' : 'object';
}

/** The body with a line feed at its end, which stops every scan. A body that has one already is not copied. */
export function withStopper(body: Uint8Array): Buffer {
  const length = body.length;
  if (length > 0 && body[length - 1] === LINE_FEED) return Buffer.from(body.buffer, body.byteOffset, length);
  const copy = Buffer.allocUnsafe(length + 1);
  copy.set(body);
  copy[length] = LINE_FEED;
  return copy;
}

/** Where the line at `at` ends: the place of its line feed, of which `withStopper` promises one. */
export function lineEnd(bytes: Buffer, at: number): number {
  return bytes.indexOf(LINE_FEED, at);
}

/** `end` moved back over white space. */
export function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  let last = end;
  while (last > start && skipSpace(bytes, last - 1, last) === last) last -= 1;
  return last;
}

/**
 * Where the JSON value at `at` ends, or `~position` of the first byte that makes it no JSON. It is for what the scanner gave up on: it
 * takes names that repeat, any depth and any size, and needs no stack of calls and no memory but a byte per level. The bytes have the
 * stopper of `scan-tokens.ts` at `end`.
 */
export function valueEnd(bytes: Uint8Array, at: number, end: number): number {
  let closers = new Uint8Array(64);
  let depth = 0;
  let next = at;
  for (;;) {
    const first = bytes[next]!;
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      if (depth === closers.length) closers = doubled(closers);
      const closer = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      closers[depth] = closer;
      depth += 1;
      next = skipSpace(bytes, next + 1, end);
      if (bytes[next] !== closer) {
        if (closer === CLOSE_OBJECT) next = memberValue(bytes, next, end);
        if (next < 0) return next;
        continue;
      }
    } else next = plainEnd(bytes, next, first);
    if (next < 0) return next;
    while (depth > 0 && bytes[(next = skipSpace(bytes, next, end))] === closers[depth - 1]) {
      depth -= 1;
      next += 1;
    }
    if (depth === 0) return next;
    if (bytes[next] !== COMMA) return ~next;
    next = skipSpace(bytes, next + 1, end);
    if (closers[depth - 1] === CLOSE_OBJECT) next = memberValue(bytes, next, end);
    if (next < 0) return next;
  }
}

function plainEnd(bytes: Uint8Array, at: number, first: number): number {
  if (first !== QUOTE) return first < 0x3a ? numberEnd(bytes, at) : literalEnd(bytes, at);
  const quote = closingQuote(bytes, at + 1);
  return quote < 0 ? quote : quote + 1;
}

/** Where the value of the member at `at` begins. */
function memberValue(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== QUOTE) return ~at;
  const quote = closingQuote(bytes, at + 1);
  if (quote < 0) return quote;
  const colon = skipSpace(bytes, quote + 1, end);
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1, end) : ~colon;
}

function doubled(stack: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(stack.length * 2);
  larger.set(stack);
  return larger;
}

/** True when a line break stands anywhere before `end`, so that events may have to be brought onto one line. */
export function hasBreaks(bytes: Buffer, end: number): boolean {
  const feed = bytes.indexOf(LINE_FEED);
  return (feed >= 0 && feed < end) || bytes.includes(CARRIAGE_RETURN);
}

/** Turns line breaks into spaces. In a well-formed event they can only stand between tokens, so that nothing else changes. */
export function joinLines(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at += 1) if (bytes[at] === LINE_FEED || bytes[at] === CARRIAGE_RETURN) bytes[at] = 0x20;
}

/** The place of the first byte that is not part of UTF-8 text, in bytes of which some are not. */
export function notUtf8At(bytes: Buffer): number {
  // Decoding puts a replacement character where it fails; written again, it differs from the bytes there.
  const again = Buffer.from(bytes.toString());
  let at = 0;
  while (at < bytes.length && bytes[at] === again[at]) at += 1;
  return at;
}
