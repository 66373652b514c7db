import { assert } from '../contracts/assert.ts';

/** Where the parts of an entry lie, as places in the bytes that were read. */
export interface EntryParts {
  /** The source's name without quotes: letters, digits, `_` and `-` only. */
  readonly source: string;
  /** RFC 3339 text, 24 bytes. */
  readonly receivedAtStart: number;
  /** The JSON text of the identity, without quotes. */
  readonly idStart: number;
  readonly idEnd: number;
  readonly schema: string;
  readonly eventStart: number;
  readonly eventEnd: number;
}

const SOURCE_START = '{"v":1,"source":"'.length;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Finds the parts of an entry by its fixed layout (`envelope.ts`), without parsing the event.
 * An entry comes from the ledger, whose checksums it passed: another layout is a broken invariant.
 */
export function readEntry(bytes: Buffer, start: number, end: number): EntryParts {
  const sourceEnd = bytes.indexOf(QUOTE, start + SOURCE_START);
  let at = expect(bytes, sourceEnd, '","n":');
  at = expect(bytes, bytes.indexOf(',', at), ',"partition":');
  at = expect(bytes, valueEnd(bytes, at), ',"position":');
  at = expect(bytes, valueEnd(bytes, at), ',"received_at":"');
  const receivedAtStart = at;
  at = expect(bytes, at + 24, '","id":"');
  const idStart = at;
  const idEnd = valueEnd(bytes, at - 1) - 1;
  const schemaStart = expect(bytes, idEnd, '","schema":"');
  const schemaEnd = bytes.indexOf(QUOTE, schemaStart);
  at = schemaEnd + 1;
  if (matches(bytes, at, ',"faults":')) at = arrayEnd(bytes, at + ',"faults":'.length);
  const eventStart = expect(bytes, at, ',"event":');
  assert(eventStart < end, 'an entry ends with its event');
  return {
    source: bytes.toString('latin1', start + SOURCE_START, sourceEnd),
    receivedAtStart,
    idStart,
    idEnd,
    schema: bytes.toString('latin1', schemaStart, schemaEnd),
    eventStart,
    eventEnd: end - 1,
  };
}

/** The time at which an entry was received, in milliseconds since 1970. */
export function receivedAtOf(bytes: Buffer, parts: EntryParts): number {
  return Date.parse(bytes.toString('latin1', parts.receivedAtStart, parts.receivedAtStart + 24));
}

function expect(bytes: Buffer, at: number, text: string): number {
  assert(at >= 0 && matches(bytes, at, text), `an entry has ${text} at its place`);
  return at + text.length;
}

function matches(bytes: Buffer, at: number, text: string): boolean {
  for (let k = 0; k < text.length; k++) if (bytes[at + k] !== text.charCodeAt(k)) return false;
  return true;
}

/** The end of a string with its quotes, or of `null`. */
function valueEnd(bytes: Buffer, start: number): number {
  if (bytes[start] !== QUOTE) return start + 4;
  let at = start + 1;
  while (bytes[at] !== QUOTE) {
    assert(at < bytes.length, 'a string in an entry ends');
    at += bytes[at] === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

/** The end of an array, or -1, which no part of an entry can begin at. */
function arrayEnd(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; ) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      at = valueEnd(bytes, at);
      continue;
    }
    at += 1;
    if (byte === 0x5b) depth += 1;
    if (byte === 0x5d && --depth === 0) return at;
  }
  return -1;
}
