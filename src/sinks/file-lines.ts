/**
 * Lines of the native format, read back: `{"index":INDEX,"entry":ENTRY}` and a line feed. A line that ends where it should and whose
 * JSON is whole was written whole: what a crash leaves of a write is a beginning of it, or bytes that are zero.
 */
import type { DiskFile } from '../contracts/ports.ts';
import { asIndex, ENTRY_BYTES_MAX, type Index } from '../contracts/units.ts';

const BEFORE_INDEX = Buffer.from('{"index":');
const BEFORE_ENTRY = Buffer.from(',"entry":');
const AFTER_ENTRY_BYTES = 2;
const LINE_FEED = 0x0a;
const CLOSING_BRACE = 0x7d;

/** The largest index has 16 digits. */
const INDEX_DIGITS_MAX = 16;

/** The longest line, its line feed included. */
const LINE_BYTES_MAX = BEFORE_INDEX.length + INDEX_DIGITS_MAX + BEFORE_ENTRY.length + ENTRY_BYTES_MAX + AFTER_ENTRY_BYTES;

/** How much is read at once. */
const CHUNK_BYTES = 1 << 20;

/** One line: the entry is `bytes[start … end]`. */
export interface Line {
  readonly index: Index;
  readonly start: number;
  readonly end: number;
}

/** Reads the frame of the line `bytes[from … to]`, line feed included, or gives `null` when it is not one of this format. */
export function parseLine(bytes: Uint8Array, from: number, to: number): Line | null {
  if (bytes[to - 1] !== LINE_FEED || bytes[to - 2] !== CLOSING_BRACE) return null;
  if (!holds(bytes, from, BEFORE_INDEX)) return null;
  let at = from + BEFORE_INDEX.length;
  let index = 0;
  let digit = (bytes[at] ?? 0) - 0x30;
  const leadingZero = digit === 0;
  const first = at;
  while (digit >= 0 && digit <= 9) {
    index = index * 10 + digit;
    at += 1;
    digit = (bytes[at] ?? 0) - 0x30;
  }
  const digits = at - first;
  if (digits === 0 || digits > INDEX_DIGITS_MAX || (leadingZero && digits > 1) || !holds(bytes, at, BEFORE_ENTRY)) return null;
  const start = at + BEFORE_ENTRY.length;
  const end = to - AFTER_ENTRY_BYTES;
  return start < end && Number.isSafeInteger(index) ? { index: asIndex(index), start, end } : null;
}

/** Where the whole lines of a part of a file end, and the index of the first one (`null` when there is none). */
export interface Whole {
  readonly end: number;
  readonly first: Index | null;
}

/** Reads lines from `from` on, as long as they are whole and their indexes rise and are below `below`. */
export async function wholeLines(file: DiskFile, from: number, to: number, below: Index): Promise<Whole> {
  let end = from;
  let first: Index | null = null;
  let last = -1;
  for await (const { bytes, line, end: lineEnd } of lines(file, from, to)) {
    if (line === null || line.index <= last || line.index >= below || !isJson(bytes, line)) break;
    first ??= line.index;
    last = line.index;
    end = lineEnd;
  }
  return { end, first };
}

/** The last whole line that ends at or before `to`, without reading what lies before it; `end` is 0 when there is none. */
export async function lastLine(file: DiskFile, to: number): Promise<{ readonly index: Index | null; readonly end: number }> {
  const from = Math.max(0, to - 2 * LINE_BYTES_MAX);
  const bytes = await file.read(from, to - from);
  const end = bytes.lastIndexOf(LINE_FEED) + 1;
  if (end === 0) return { index: null, end: 0 };
  const start = bytes.lastIndexOf(LINE_FEED, end - 2) + 1;
  const line = end < 2 ? null : parseLine(bytes, start, end);
  return { index: line === null || !isJson(bytes, line) ? null : line.index, end: from + end };
}

/** Each line of `from … to`; `line` is `null` for one that is not of this format. What follows the last line feed is not a line. */
export async function* lines(
  file: DiskFile,
  from: number,
  to: number,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly line: Line | null; readonly end: number }> {
  let base = from;
  let length = CHUNK_BYTES;
  while (base < to) {
    const bytes = await file.read(base, Math.min(length, to - base));
    let start = 0;
    for (let feed = bytes.indexOf(LINE_FEED); feed >= 0; feed = bytes.indexOf(LINE_FEED, start)) {
      yield { bytes, line: parseLine(bytes, start, feed + 1), end: base + feed + 1 };
      start = feed + 1;
    }
    // No line is this long, so whatever this is, it ends here.
    if (start === 0 && (bytes.length > LINE_BYTES_MAX || base + bytes.length >= to)) return;
    length = start === 0 ? 2 * length : CHUNK_BYTES;
    base += start;
  }
}

function holds(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}

function isJson(bytes: Uint8Array, line: Line): boolean {
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + line.start, line.end - line.start).toString('utf8'));
    return true;
  } catch {
    return false;
  }
}
