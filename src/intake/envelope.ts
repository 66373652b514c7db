/**
 * Writes entries. Their layout is fixed, so that it can be read without a JSON parser; `envelope-read.ts` is the other half:
 *
 *   {"v":1,"source":S,"n":N,"partition":P,"position":Q,"received_at":"T","id":"I","schema":"X"[,"faults":F],"event":E}
 *
 * There is no space outside the event. S, P, Q and I are JSON texts as `JSON.stringify` writes them; I and E are copied as they came.
 */
import { assert } from '../contracts/assert.ts';
import type { Position } from '../contracts/units.ts';
import type { IdMaker } from './envelope-id.ts';

/** What the entries of one run have in common. */
export interface Envelope {
  readonly source: string;
  readonly schema: string;
  readonly partition: string | null;
  /** The position of each event by its place; `null` where the source has none. */
  readonly positions: readonly (Position | null)[] | null;
}

/** Events in columns. The identity of place `k` is `ids[idStarts[k] … idEnds[k]]`, and empty where one has to be assigned. */
export interface EventColumns {
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly ids: Buffer;
  readonly idStarts: Uint32Array;
  readonly idEnds: Uint32Array;
  /** What stands between identity and event for the places that are kept although they fail their schema (`faultsTail`). */
  readonly keptTails: ReadonlyMap<number, string>;
}

/** Which events become entries: the first `count` of `places`, in that order, numbered from `n`. */
export interface Picked {
  readonly places: Uint32Array;
  readonly count: number;
  readonly n: number;
}

/** Entries in memory. The identity of entry `k` is `bytes[idStarts[k] … idEnds[k]]`. */
export interface WrittenRun {
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
  readonly idStarts: Uint32Array;
  readonly idEnds: Uint32Array;
}

/** Writes runs into memory of its own, which is used again: what `write` returns is valid until it is called again. */
export interface EnvelopeWriter {
  /** `roomBytes` must be at least what `entryBytesMax` says of the entries together. */
  write(envelope: Envelope, columns: EventColumns, picked: Picked, receivedAt: string, roomBytes: number): WrittenRun;
}

const LONGEST_NUMBER = Number.MAX_SAFE_INTEGER;
const LONGEST_ID = 36;
const NO_TIME = '0000-00-00T00:00:00.000Z';
const CLOSING_BRACE = 0x7d;

/** What stands between the identity and the event of an entry that passed its schema. */
export function schemaTail(schema: string): string {
  return `","schema":${JSON.stringify(schema)},"event":`;
}

/** What stands between the identity and the event of an entry that is kept although it failed its schema. `faults` is JSON text. */
export function faultsTail(faults: string): string {
  return `","schema":"json","faults":${faults},"event":`;
}

/** How many bytes each event would have as an entry, at most: its number is counted with as many digits as it can ever have. */
export function entryBytesMax(envelope: Envelope, columns: EventColumns, count: number): Uint32Array {
  const sizes = new Uint32Array(count);
  const tail = schemaTail(envelope.schema).length + 1;
  let head = Buffer.byteLength(headText(envelope, 0, LONGEST_NUMBER, NO_TIME));
  for (let place = 0; place < count; place++) {
    if (envelope.positions !== null) head = Buffer.byteLength(headText(envelope, place, LONGEST_NUMBER, NO_TIME));
    const id = (columns.idEnds[place] as number) - (columns.idStarts[place] as number);
    sizes[place] = head + (id === 0 ? LONGEST_ID : id) + tail + (columns.ends[place] as number) - (columns.starts[place] as number);
  }
  for (const [place, keptTail] of columns.keptTails) sizes[place] = (sizes[place] as number) - tail + Buffer.byteLength(keptTail) + 1;
  return sizes;
}

/** Makes a writer. It keeps up to `keepBytes` of memory; larger runs get memory that is not kept. */
export function createEnvelopeWriter(ids: IdMaker, keepBytes: number): EnvelopeWriter {
  let kept = Buffer.allocUnsafeSlow(0);
  let columnsKept = createColumns(0);
  return {
    write(envelope, columns, picked, receivedAt, roomBytes) {
      let bytes = kept;
      if (bytes.length < roomBytes) {
        bytes = Buffer.allocUnsafeSlow(Math.max(roomBytes, Math.min(keepBytes, roomBytes * 2)));
        if (bytes.length <= keepBytes) kept = bytes;
      }
      if (columnsKept.idStarts.length < picked.count) columnsKept = createColumns(picked.count * 2);
      const run = { bytes, ...columnsKept };
      const end = writeEntries(run, envelope, columns, picked, receivedAt, ids);
      return { ...run, bytes: bytes.subarray(0, end), offsets: run.offsets.subarray(0, picked.count + 1) };
    },
  };
}

function createColumns(count: number): Omit<WrittenRun, 'bytes'> {
  return { offsets: new Uint32Array(count + 1), idStarts: new Uint32Array(count), idEnds: new Uint32Array(count) };
}

function writeEntries(
  run: WrittenRun,
  envelope: Envelope,
  columns: EventColumns,
  picked: Picked,
  receivedAt: string,
  ids: IdMaker,
): number {
  const { bytes: out, offsets, idStarts, idEnds } = run;
  const tail = Buffer.from(schemaTail(envelope.schema));
  const digitsAt = Buffer.byteLength(numberPrefix(envelope.source));
  let head = 0;
  let at = 0;
  for (let k = 0; k < picked.count; k++) {
    const place = picked.places[k] as number;
    const start = at;
    offsets[k] = start;
    const sameHead = k > 0 && envelope.positions === null;
    // The heads of a run differ in their number only: each is a copy of the one before, counted up in place.
    if (sameHead) out.copyWithin(start, offsets[k - 1] ?? 0, (offsets[k - 1] ?? 0) + head);
    if (!sameHead || !countUp(out, start + digitsAt)) head = out.write(headText(envelope, place, picked.n + k, receivedAt), start);
    at += head;
    idStarts[k] = at;
    const idStart = columns.idStarts[place] as number;
    const idEnd = columns.idEnds[place] as number;
    at += idEnd > idStart ? columns.ids.copy(out, at, idStart, idEnd) : ids.write(out, at);
    idEnds[k] = at;
    const keptTail = columns.keptTails.size === 0 ? undefined : columns.keptTails.get(place);
    at += keptTail === undefined ? tail.copy(out, at) : out.write(keptTail, at);
    at += columns.bytes.copy(out, at, columns.starts[place], columns.ends[place]);
    assert(at < out.length, 'the room for a run holds its entries');
    out[at++] = CLOSING_BRACE;
  }
  offsets[picked.count] = at;
  return at;
}

/** Adds one to the decimal number that begins at `start`. False when it would need another digit; its bytes are worth nothing then. */
function countUp(bytes: Buffer, start: number): boolean {
  let at = start;
  while (isDigit(bytes[at] as number)) at++;
  for (at--; at >= start; at--) {
    const digit = bytes[at] as number;
    if (digit !== 0x39) {
      bytes[at] = digit + 1;
      return true;
    }
    bytes[at] = 0x30;
  }
  return false;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function numberPrefix(source: string): string {
  return `{"v":1,"source":${JSON.stringify(source)},"n":`;
}

function headText({ source, partition, positions }: Envelope, place: number, n: number, receivedAt: string): string {
  const position = JSON.stringify(positions?.[place] ?? null);
  return `${numberPrefix(source)}${n},"partition":${JSON.stringify(partition)},"position":${position},"received_at":"${receivedAt}","id":"`;
}
