/**
 * The tokens of JSON (RFC 8259) over UTF-8 bytes that were already checked to be UTF-8. Every function takes a position and returns the
 * position after the token, or `~position` (negative) of the first byte that cannot be there.
 *
 * All of them rely on a stopper: a control character (a line feed) at `end`. No token can contain one, so that no loop needs to compare its
 * position with the end, and nothing is read outside the bytes.
 */

/** The byte of `"`. */
export const QUOTE = 0x22;
/** The byte of `\`. */
export const BACKSLASH = 0x5c;
/** The byte of `,`. */
export const COMMA = 0x2c;
/** The byte of `:`. */
export const COLON = 0x3a;
/** The byte of `{`. */
export const OPEN_OBJECT = 0x7b;
/** The byte of `}`. */
export const CLOSE_OBJECT = 0x7d;
/** The byte of `[`. */
export const OPEN_ARRAY = 0x5b;
/** The byte of `]`. */
export const CLOSE_ARRAY = 0x5d;
/** The byte of a line feed. */
export const LINE_FEED = 0x0a;
/** The byte of a carriage return. */
export const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** 1 for the bytes at which a run of plain characters inside a string ends: the quote, the backslash and control characters. */
const STOPS = new Uint8Array(256);
STOPS.fill(1, 0, SPACE);
STOPS[QUOTE] = 1;
STOPS[BACKSLASH] = 1;

/** 1 for the characters that may follow a backslash and are not `u`. */
const ESCAPES = new Uint8Array(256);
for (const character of '"\\/bfnrt') ESCAPES[character.charCodeAt(0)] = 1;

const HEX = new Uint8Array(256);
for (const character of '0123456789abcdefABCDEF') HEX[character.charCodeAt(0)] = 1;

/** The first byte at or after `at` that is a quote, a backslash or a control character. */
export function plainEnd(bytes: Uint8Array, at: number): number {
  let next = at;
  while (STOPS[bytes[next]!] === 0) next += 1;
  return next;
}

/** The place of the closing quote of a string whose content goes on at `at`. */
export function closingQuote(bytes: Uint8Array, at: number): number {
  let next = at;
  for (;;) {
    next = plainEnd(bytes, next);
    if (bytes[next] === QUOTE) return next;
    if (bytes[next] !== BACKSLASH) return ~next;
    const escape = bytes[next + 1]!;
    if (ESCAPES[escape] === 1) {
      next += 2;
      continue;
    }
    if (escape !== 0x75) return ~(next + 1);
    // One digit after the other, because the stopper may be any of them.
    for (let digit = next + 2; digit < next + 6; digit += 1) if (HEX[bytes[digit]!] === 0) return ~digit;
    next += 6;
  }
}

/** The first byte at or after `at` that is not white space, or `end`. */
export function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end) {
    const byte = bytes[next];
    if (byte !== SPACE && byte !== LINE_FEED && byte !== CARRIAGE_RETURN && byte !== TAB) return next;
    next += 1;
  }
  return next;
}

/** The end of the number that begins at `at`. */
export function numberEnd(bytes: Uint8Array, at: number): number {
  let next = bytes[at] === MINUS ? at + 1 : at;
  const first = bytes[next]!;
  if (first === ZERO) next += 1;
  else if (first > ZERO && first <= NINE) next = digitsEnd(bytes, next);
  else return ~next;
  let byte = bytes[next]!;
  if (byte === POINT) {
    const fraction = digitsEnd(bytes, next + 1);
    if (fraction === next + 1) return ~fraction;
    next = fraction;
    byte = bytes[next]!;
  }
  if ((byte | 0x20) !== 0x65) return next;
  next += 1;
  byte = bytes[next]!;
  if (byte === MINUS || byte === PLUS) next += 1;
  const exponent = digitsEnd(bytes, next);
  return exponent === next ? ~next : exponent;
}

function digitsEnd(bytes: Uint8Array, at: number): number {
  let next = at;
  while (bytes[next]! >= ZERO && bytes[next]! <= NINE) next += 1;
  return next;
}

/** The end of the `true`, `false` or `null` that begins at `at`. */
export function literalEnd(bytes: Uint8Array, at: number): number {
  switch (bytes[at]) {
    case 0x74:
      return rest(bytes, at, TRUE);
    case 0x66:
      return rest(bytes, at, FALSE);
    case 0x6e:
      return rest(bytes, at, NULL);
    default:
      return ~at;
  }
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

function rest(bytes: Uint8Array, at: number, word: Uint8Array): number {
  for (let k = 1; k < word.length; k += 1) if (bytes[at + k] !== word[k]) return ~(at + k);
  return at + word.length;
}
