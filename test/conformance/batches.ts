import { createHash } from 'node:crypto';
import { native } from '../../src/codecs/native.ts';
import type { SinkBatch } from '../../src/contracts/sink.ts';
import { asIndex, type Index } from '../../src/contracts/units.ts';

/** An entry as a destination holds it. */
export interface Held {
  readonly index: Index;
  readonly entry: string;
}

/** What a batch is made from. `entries` lie at `from` and the indexes after it unless `at` says otherwise. */
export interface BatchParts {
  readonly from: number;
  readonly entries: readonly string[];
  /** The last index that the batch accounts for. Absent: that of the last entry. */
  readonly through?: number;
  readonly replay?: string;
}

/** A batch in the native format, as delivery would make it. What lies behind its entries counts as filtered. */
export function batchOf({ from, entries, through = from + entries.length - 1, replay }: BatchParts): SinkBatch {
  const bytes = Buffer.from(entries.join('\n'));
  const starts = new Uint32Array(entries.length);
  const ends = new Uint32Array(entries.length);
  let at = 0;
  for (const [k, entry] of entries.entries()) {
    starts[k] = at;
    at += Buffer.byteLength(entry);
    ends[k] = at;
    at += 1;
  }
  const encoded = native.encode({ first: asIndex(from), count: entries.length, bytes, starts, ends });
  return {
    from: asIndex(from),
    through: asIndex(through),
    count: entries.length,
    omitted: { filtered: through - from + 1 - entries.length, quarantined: [], control: 0, detached: 0 },
    body: encoded.bytes,
    offsets: encoded.offsets,
    contentType: native.contentType,
    sha256: createHash('sha256').update(encoded.bytes).digest('hex'),
    id: `${from}-${through}${replay === undefined ? '' : `-${replay}`}`,
    ...(replay === undefined ? {} : { replay }),
  };
}

/** Entries that look like real ones, each different. */
export function entriesOf(from: number, count: number, bytes = 300): readonly string[] {
  return Array.from({ length: count }, (_, k) => {
    const head = `{"v":1,"source":"app","n":${from + k},"id":"e-${from + k}","schema":"json","event":{"fill":"`;
    return `${head}${'x'.repeat(Math.max(0, bytes - head.length - 3))}"}}`;
  });
}

/** What a destination should hold after these batches. */
export function heldOf(...batches: readonly BatchParts[]): readonly Held[] {
  return batches.flatMap(({ from, entries }) => entries.map((entry, k) => ({ index: asIndex(from + k), entry })));
}

/** The lines of a body in the native format, taken apart. */
export function heldIn(body: string): readonly Held[] {
  return body
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const match = /^\{"index":(\d+),"entry":(.*)\}$/s.exec(line);
      if (match === null) throw new Error(`not a line of the native format: ${line.slice(0, 100)}`);
      return { index: asIndex(Number(match[1])), entry: match[2] ?? '' };
    });
}
