/** Reads the envelope of an entry by its fixed layout, as `docs/formats/entry-v1.md` has it, without parsing the event. */

/** Where the parts of an entry lie. One object is used for every entry. */
export class Envelope {
  sourceStart = 0;
  sourceEnd = 0;
  n = 0;
  /** 24 bytes of RFC 3339. */
  receivedAt = 0;
  /** The JSON text of the identity without its quotes. */
  idStart = 0;
  idEnd = 0;
  eventStart = 0;
  eventEnd = 0;

  /** Reads the entry `bytes[start … end]`. False when it does not have the layout of an entry. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.sourceStart = after(bytes, start, end, SOURCE);
    this.sourceEnd = endOfText(bytes, this.sourceStart, end);
    let at = after(bytes, this.sourceEnd, end, COUNT);
    if (at < 0) return false;
    at = this.#number(bytes, at, end);
    at = endOfTextOrNull(bytes, after(bytes, at, end, PARTITION), end);
    at = endOfTextOrNull(bytes, after(bytes, at, end, POSITION), end);
    this.receivedAt = after(bytes, at, end, RECEIVED_AT);
    at = endOfText(bytes, this.receivedAt, end);
    if (at !== this.receivedAt + TIME_BYTES) return false;
    this.idStart = after(bytes, at, end, IDENTITY);
    this.idEnd = endOfText(bytes, this.idStart, end);
    at = endOfText(bytes, after(bytes, this.idEnd, end, SCHEMA), end);
    if (at < 0) return false;
    at += 1;
    if (after(bytes, at, end, FAULTS) >= 0) at = endOfList(bytes, at + FAULTS.length - 1, end);
    this.eventStart = after(bytes, at, end, EVENT);
    this.eventEnd = end - 1;
    return this.eventStart > 0 && this.eventEnd > this.eventStart && bytes[this.eventEnd] === CLOSING;
  }

  /** A decimal number without leading zeros; -1 where there is none. */
  #number(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let n = 0;
    for (; at < end; at += 1) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      n = n * 10 + digit;
    }
    this.n = n;
    const digits = at - start;
    return digits === 0 || !Number.isSafeInteger(n) || (digits > 1 && bytes[start] === ZERO) ? -1 : at;
  }
}

/** How long `received_at` is. */
export const TIME_BYTES = 24;

const ENCODER = new TextEncoder();
const SOURCE = ENCODER.encode('{"v":1,"source":"');
const COUNT = ENCODER.encode('","n":');
const PARTITION = ENCODER.encode(',"partition":');
const POSITION = ENCODER.encode(',"position":');
const RECEIVED_AT = ENCODER.encode(',"received_at":"');
const IDENTITY = ENCODER.encode('","id":"');
const SCHEMA = ENCODER.encode('","schema":"');
const FAULTS = ENCODER.encode(',"faults":[');
const EVENT = ENCODER.encode(',"event":');
const NULL = ENCODER.encode('null');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const CLOSING = 0x7d;

/** The place after this text, or -1 when it is not at `at`. */
function after(bytes: Uint8Array, at: number, end: number, text: Uint8Array): number {
  if (at < 0 || at + text.length > end) return -1;
  for (let place = 0; place < text.length; place += 1) if (bytes[at + place] !== text[place]) return -1;
  return at + text.length;
}

/** The place of the quote that ends the JSON text that begins at `at`, or -1. */
function endOfText(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0) return -1;
  for (let place = at; place < end; place += 1) {
    const byte = bytes[place];
    if (byte === QUOTE) return place;
    if (byte === BACKSLASH) place += 1;
  }
  return -1;
}

function endOfTextOrNull(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0 || bytes[at] !== QUOTE) return after(bytes, at, end, NULL);
  const quote = endOfText(bytes, at + 1, end);
  return quote < 0 ? -1 : quote + 1;
}

/** The place behind the list that begins at `start`, or -1. */
function endOfList(bytes: Uint8Array, start: number, end: number): number {
  let depth = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfText(bytes, at + 1, end);
      if (at < 0) return -1;
    } else if (byte === 0x5b) depth += 1;
    else if (byte === 0x5d) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}
