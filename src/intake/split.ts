import {
  BACKSLASH,
  CARRIAGE_RETURN,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  closingQuote,
  LINE_FEED,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
} from './scan-tokens.ts';

/** How the events of a body are laid out: one object, an array of them, or one to a line. */
export type BodyShape = 'object' | 'array' | 'lines';

/** Whether a JSON body is one event or an array of events, by its first character. What is neither is read as one event, and refused as such. */
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
 * Where the value at `at` ends, found by its brackets and quotes alone: for a value that the scanner gave up on. It is right for well-formed
 * JSON, and for anything else it is only some place up to `end`.
 */
export function roughEnd(bytes: Uint8Array, at: number, end: number): number {
  let depth = 0;
  let next = at;
  while (next < end) {
    const byte = bytes[next];
    if (byte === QUOTE) {
      const quote = closingQuote(bytes, next + 1);
      if (quote < 0) return end;
      next = quote;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth += 1;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth -= 1;
    else if (byte === BACKSLASH) return end;
    if (depth < 0 || (depth === 0 && byte === COMMA)) return next;
    next += 1;
    if (depth === 0 && (byte === QUOTE || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY)) return next;
  }
  return end;
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
