/**
 * The native format, version 1: one line for each entry, `{"index":INDEX,"entry":ENTRY}` and a line feed, where ENTRY is the entry's exact
 * bytes. Whoever cuts the line at its first 9 + digits + 9 bytes and its last 2 has the bytes that the tree was built from.
 */
import { assert } from '../contracts/assert.ts';
import type { Codec, Encoded } from '../contracts/codec.ts';
import type { Batch } from '../contracts/entry.ts';

const BEFORE_INDEX = Buffer.from('{"index":');
const BEFORE_ENTRY = Buffer.from(',"entry":');
const AFTER_ENTRY = Buffer.from('}\n');

/** What a record has beside the entry and the digits of its index. */
const FRAME_BYTES = BEFORE_INDEX.length + BEFORE_ENTRY.length + AFTER_ENTRY.length;

/** The largest index has 16 digits: it is a safe integer. */
const DIGITS_MAX = 16;

/** The entries as they are, each with its index: nothing is parsed. */
export const native: Codec = {
  type: 'native',
  contentType: 'application/x-ndjson',
  encode: (batch, pick) => (pick === undefined ? encodeAll(batch) : encodePicked(batch, pick)),
};

function encodeAll(batch: Batch): Encoded {
  const { starts, ends, count } = batch;
  let size = count * (FRAME_BYTES + digitsOf(batch.first + count));
  for (let k = 0; k < count; k++) size += (ends[k] ?? 0) - (starts[k] ?? 0);
  const writer = newWriter(batch, size, count);
  for (let k = 0; k < count; k++) writeRecord(writer, k, k);
  return finish(writer);
}

function encodePicked(batch: Batch, pick: readonly number[]): Encoded {
  const count = pick.length;
  let size = count * (FRAME_BYTES + digitsOf(batch.first + batch.count));
  for (const k of pick) {
    assert(k >= 0 && k < batch.count, `place ${k} was picked from a batch of ${batch.count}`);
    size += (batch.ends[k] ?? 0) - (batch.starts[k] ?? 0);
  }
  const writer = newWriter(batch, size, count);
  for (let at = 0; at < count; at++) writeRecord(writer, pick[at] ?? 0, at);
  return finish(writer);
}

interface Writer {
  readonly batch: Batch;
  /** The batch's bytes again: `Buffer.copy` moves a part without making an object for it. */
  readonly from: Buffer;
  readonly into: Buffer;
  readonly offsets: Uint32Array;
  /** The decimal digits of the index that was written last, right-aligned. */
  readonly digits: Uint8Array;
  digitCount: number;
  index: number;
  at: number;
}

function newWriter(batch: Batch, size: number, count: number): Writer {
  const { buffer, byteOffset, byteLength } = batch.bytes;
  return {
    batch,
    from: Buffer.from(buffer, byteOffset, byteLength),
    into: Buffer.allocUnsafeSlow(size),
    offsets: new Uint32Array(count + 1),
    digits: new Uint8Array(DIGITS_MAX),
    digitCount: 0,
    index: -2,
    at: 0,
  };
}

/** Writes entry `k` of the batch as record number `record`. */
function writeRecord(writer: Writer, k: number, record: number): void {
  const { batch, into, digits } = writer;
  setIndex(writer, batch.first + k);
  let at = writer.at;
  // Nine bytes are quicker written one by one than copied by a call.
  for (let i = 0; i < BEFORE_INDEX.length; i++) into[at++] = BEFORE_INDEX[i] as number;
  for (let i = DIGITS_MAX - writer.digitCount; i < DIGITS_MAX; i++) into[at++] = digits[i] as number;
  for (let i = 0; i < BEFORE_ENTRY.length; i++) into[at++] = BEFORE_ENTRY[i] as number;
  const start = batch.starts[k] as number;
  const end = batch.ends[k] as number;
  writer.from.copy(into, at, start, end);
  at += end - start;
  into[at++] = AFTER_ENTRY[0] as number;
  into[at++] = AFTER_ENTRY[1] as number;
  writer.at = at;
  writer.offsets[record + 1] = at;
}

/** Sets the digits. The next index is the last one plus one nearly always, which changes one digit nine times out of ten. */
function setIndex(writer: Writer, index: number): void {
  const { digits } = writer;
  if (index === writer.index + 1) {
    let place = DIGITS_MAX - 1;
    while (digits[place] === 0x39) digits[place--] = 0x30;
    if (place < DIGITS_MAX - writer.digitCount) {
      digits[place] = 0x31;
      writer.digitCount += 1;
    } else {
      digits[place] = (digits[place] as number) + 1;
    }
  } else {
    let place = DIGITS_MAX;
    let rest = index;
    do {
      digits[--place] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    } while (rest > 0);
    writer.digitCount = DIGITS_MAX - place;
  }
  writer.index = index;
}

function finish(writer: Writer): Encoded {
  const { into, at } = writer;
  return { bytes: new Uint8Array(into.buffer, 0, at), offsets: writer.offsets, count: writer.offsets.length - 1 };
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  return digits;
}
