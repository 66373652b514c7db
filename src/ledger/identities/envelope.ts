const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ENCODER = new TextEncoder();

const SOURCE = ENCODER.encode('{"v":1,"source":"');
const COUNT = ENCODER.encode('","n":');
const PARTITION = ENCODER.encode(',"partition":');
const POSITION = ENCODER.encode(',"position":');
const RECEIVED_AT = ENCODER.encode(',"received_at":"');
const IDENTITY = ENCODER.encode('","id":"');
const NULL = ENCODER.encode('null');

/**
 * Finds source and identity in an entry's own bytes without parsing them: an envelope has one layout, which this program alone writes.
 * After `read` the identity is `bytes[idStart … idEnd]`, its JSON text without the quotes.
 */
export class EnvelopeReader {
  source = '';
  idStart = 0;
  idEnd = 0;
  #sourceBytes = new Uint8Array(0);

  /** Reads the entry `bytes[start … end]`. False when it does not have the layout of an entry. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    let at = after(bytes, start, SOURCE);
    const sourceStart = at;
    at = endOfText(bytes, at, end);
    const sourceEnd = at;
    at = after(bytes, at, COUNT);
    while (at >= 0 && isDigit(bytes[at]!)) at++;
    at = afterTextOrNull(bytes, after(bytes, at, PARTITION), end);
    at = afterTextOrNull(bytes, after(bytes, at, POSITION), end);
    at = endOfText(bytes, after(bytes, at, RECEIVED_AT), end);
    at = after(bytes, at, IDENTITY);
    const idStart = at;
    at = endOfText(bytes, at, end);
    if (at < 0) return false;
    this.#select(bytes, sourceStart, sourceEnd);
    this.idStart = idStart;
    this.idEnd = at;
    return true;
  }

  /** Most entries have the source of the one before: then there is no string to make. */
  #select(bytes: Uint8Array, start: number, end: number): void {
    const known = this.#sourceBytes;
    let same = known.length === end - start;
    for (let at = 0; same && at < known.length; at++) same = known[at] === bytes[start + at];
    if (same) return;
    this.#sourceBytes = bytes.slice(start, end);
    this.source = new TextDecoder().decode(this.#sourceBytes);
  }
}

/** The place after this text, or -1 when it is not at `at`. */
function after(bytes: Uint8Array, at: number, text: Uint8Array): number {
  if (at < 0) return -1;
  for (let place = 0; place < text.length; place++) if (bytes[at + place] !== text[place]) return -1;
  return at + text.length;
}

/** The place of the quote that ends the JSON text that begins at `at`, or -1. */
function endOfText(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0) return -1;
  for (let place = at; place < end; place++) {
    const byte = bytes[place]!;
    if (byte === QUOTE) return place;
    if (byte === BACKSLASH) place++;
  }
  return -1;
}

function afterTextOrNull(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0 || bytes[at] !== QUOTE) return after(bytes, at, NULL);
  const quote = endOfText(bytes, at + 1, end);
  return quote < 0 ? -1 : quote + 1;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
