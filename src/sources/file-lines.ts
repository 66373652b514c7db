import { isUtf8 } from 'node:buffer';
import type { SourceEvent } from '../contracts/source.ts';
import { asPosition, EVENT_BYTES_MAX } from '../contracts/units.ts';

/** How the events lie in a file: one JSON value to a line, or plain lines. */
export type LineFormat = 'ndjson' | 'lines';

/** What was made of the lines of a piece of content. */
export interface Lines {
  readonly events: readonly SourceEvent[];
  /** Where the content goes on, counted from its beginning. */
  readonly end: number;
}

/** How many bytes of a line that is too long are kept. */
export const LONG_LINE_KEPT_BYTES = 65_536;

const LF = 0x0a;
const CR = 0x0d;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Makes events of the whole lines of `piece`, which begins `at` bytes into its content; with `final` what follows the last line feed is a
 * line too. A carriage return before a line feed and a byte order mark at the beginning of the content are not part of a line. Empty lines
 * are no events, and neither are blank ones where a line is JSON. The position of an event is the place behind its line, in decimal.
 */
export function linesOf(format: LineFormat, piece: Buffer, at: number, final: boolean, countMax: number): Lines {
  const events: SourceEvent[] = [];
  const whole = format === 'lines' && isUtf8(piece);
  let start = at === 0 && piece.subarray(0, 3).equals(BOM) ? 3 : 0;
  let end = 0;
  while (events.length < countMax) {
    const feed = piece.indexOf(LF, start);
    if (feed === -1 && (!final || end >= piece.length)) break;
    const next = feed === -1 ? piece.length : feed + 1;
    let stop = feed === -1 ? piece.length : feed;
    if (stop > start && piece[stop - 1] === CR) stop -= 1;
    if (stop > start && !(format === 'ndjson' && isBlank(piece, start, stop))) {
      const line = { position: asPosition(String(at + next)), bytes: piece, start, end: stop };
      events.push(format === 'ndjson' ? line : plainEvent(line, whole));
    }
    start = next;
    end = next;
  }
  return { events, end: at + end };
}

/** A line that is too long to be an event: only its beginning, `bytes`, is kept. */
export function longLine(bytes: Buffer, total: number, end: number): SourceEvent {
  const kept = bytes.subarray(0, LONG_LINE_KEPT_BYTES);
  const message = `the line has ${total} bytes, of ${EVENT_BYTES_MAX}; its first ${kept.length} are kept`;
  const fault = { path: '', code: 'EVENT_TOO_LARGE', message };
  return { position: asPosition(String(end)), bytes: kept, start: 0, end: kept.length, fault };
}

/**
 * A plain line as JSON: `{"line":"…"}`. Bytes that are not UTF-8 can not stand in JSON: then the text has U+FFFD in their place, and the
 * exact bytes stand beside it as `base64`.
 */
function plainEvent(line: SourceEvent, isText: boolean): SourceEvent {
  const bytes = Buffer.from(line.bytes.buffer, line.bytes.byteOffset, line.bytes.byteLength).subarray(line.start, line.end);
  const text = bytes.toString();
  const json = Buffer.from(JSON.stringify(isText || isUtf8(bytes) ? { line: text } : { line: text, base64: bytes.toString('base64') }));
  if (json.length <= EVENT_BYTES_MAX) return { position: line.position, bytes: json, start: 0, end: json.length };
  const message = `the line would have ${json.length} bytes as JSON, of ${EVENT_BYTES_MAX}`;
  return { ...line, fault: { path: '', code: 'EVENT_TOO_LARGE', message } };
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return false;
  return true;
}
