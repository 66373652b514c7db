import { z } from 'zod';
import { native } from '../codecs/native.ts';
import type { Batch } from '../contracts/entry.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Clock } from '../contracts/ports.ts';
import { asIndex, NAME_PATTERN, type Size } from '../contracts/units.ts';
import type { RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import { type Call, onlyKnown, shown } from './call.ts';

/** What streaming needs. */
export interface StreamParts {
  readonly ledger: Pick<Ledger, 'read' | 'size' | 'beginning' | 'waitBeyond'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly limits: { readonly streams: number };
  readonly streams: StreamCount;
}

/** How many readers of the stream are connected. */
export interface StreamCount {
  open: number;
}

/** About `GET /v1/stream`. */
export const streamAbout: RouteAbout = {
  summary: 'Durable entries as they come, as server-sent events',
  details:
    'Each event has the index as its `id` and the line of `GET /v1/entries` as its `data`. A reader that was cut off resumes behind ' +
    'the last one that it has seen, with `Last-Event-ID`, which browsers send by themselves. A comment comes every 15 s while nothing ' +
    'else does, and one before a stop. A reader that does not read holds up nobody: it is sent nothing more, and is cut off after a ' +
    'minute. When entries go from the ledger that were not sent yet, the last event is `pruned`; when the ledger cannot be read, ' +
    '`failed`. Both carry code, message and action.',
  query: z.object({
    from: z
      .string()
      .regex(/^(?:now|beginning|\d{1,15})$/)
      .default('now')
      .describe('Where to begin: an index, `now`, or `beginning` for the oldest that can be read. `Last-Event-ID` goes before it.'),
    source: z
      .string()
      .regex(NAME_PATTERN)
      .describe('Only entries of this source. `waybill` names those of the pipeline itself.')
      .optional(),
  }),
  headers: z.object({
    'last-event-id': z
      .string()
      .regex(/^\d{1,15}$/)
      .describe('The index of the last entry that the reader has seen.')
      .optional(),
  }),
  answer: { 'text/event-stream': z.string().describe('Events as the HTML standard defines them.') },
  errors: ['LEDGER_PRUNED', 'LEDGER_REWOUND', 'OVERLOADED', 'STOPPING'],
};

/** How much is read at a time: with what is being written to the connection, all that a reader takes of this process's memory. */
const READ = { entries: 1_000, bytes: 65_536 };
const HEARTBEAT_MS = 15_000;
/** After how long a reader that was cut off comes back. */
const RETRY_MS = 2_000;

/** Why a wait ends that is over anyway. */
const ENOUGH = 'the wait is over';

/** `GET /v1/stream`: everything from a place on, for as long as the reader stays. */
export function stream(call: Call, { ledger, clock, limits, streams }: StreamParts): Answer {
  onlyKnown(call.query, ['from', 'source']);
  call.signal.throwIfAborted();
  const from = startOf(call, ledger);
  const prefix = prefixOf(call.query.get('source'));
  if (streams.open >= limits.streams)
    throw new WaybillError('OVERLOADED', `${streams.open} streams are open, as many as api.limits.streams allows`);
  const gone = call.whenGone();
  streams.open += 1;
  gone.addEventListener('abort', () => (streams.open -= 1), { once: true });
  const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
  return { status: 200, headers, body: events({ ledger, clock, prefix, stopping: call.signal, gone }, from) };
}

interface Reader {
  readonly ledger: StreamParts['ledger'];
  readonly clock: StreamParts['clock'];
  /** What an entry that is wanted begins with; `null`: all are. */
  readonly prefix: Buffer | null;
  readonly stopping: AbortSignal;
  readonly gone: AbortSignal;
}

async function* events(reader: Reader, from: number): AsyncGenerator<Uint8Array> {
  const { ledger, stopping, gone } = reader;
  let next = from;
  yield Buffer.from(`retry: ${RETRY_MS}\n\n`);
  try {
    while (!gone.aborted && !stopping.aborted) {
      if (next < ledger.size()) {
        const page = await pageOf(reader, next);
        next = page.next;
        if (page.bytes.length > 0) yield page.bytes;
      } else if (!(await grew(reader, next)) && !gone.aborted && !stopping.aborted) {
        yield Buffer.from(': waiting\n\n');
      }
    }
  } catch (error) {
    // What nobody foresaw breaks the answer off, and is told where every such mistake is told.
    if (!isWaybillError(error)) throw error;
    yield failure(error);
    return;
  }
  if (stopping.aborted) yield Buffer.from(': the server is being stopped\n\n');
}

/** The next entries as events. The ledger's bytes are let go of before anybody waits for the reader. */
async function pageOf({ ledger, prefix }: Reader, from: number): Promise<{ readonly bytes: Uint8Array; readonly next: number }> {
  const batch = await ledger.read(asIndex(from), READ);
  return { bytes: eventsOf(batch, prefix === null ? null : placesOf(batch, prefix)), next: from + batch.count };
}

/** Entries as events, each an `id` and a `data`. Where some are left out, the last id still tells how far the reader has come. */
function eventsOf(batch: Batch, pick: readonly number[] | null): Uint8Array {
  const { bytes, offsets, count } = native.encode(batch, pick ?? undefined);
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Buffer[] = [];
  for (let k = 0; k < count; k++) {
    parts.push(Buffer.from(`id: ${batch.first + (pick?.[k] ?? k)}\ndata: `), lines.subarray(offsets[k], offsets[k + 1]), LINE_FEED);
  }
  const last = batch.count - 1;
  if (pick !== null && pick.at(-1) !== last) parts.push(Buffer.from(`id: ${batch.first + last}\n\n`));
  return Buffer.concat(parts);
}

const LINE_FEED = Buffer.from('\n');

function placesOf({ bytes, starts, count }: Batch, prefix: Buffer): number[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places: number[] = [];
  for (let k = 0; k < count; k++) {
    const start = starts[k] ?? 0;
    if (all.compare(prefix, 0, prefix.length, start, start + prefix.length) === 0) places.push(k);
  }
  return places;
}

/** Waits until there is more, and no longer than until the next heartbeat. Answers whether there is. */
async function grew({ ledger, clock, stopping, gone }: Reader, size: number): Promise<boolean> {
  const done = new AbortController();
  const end = (): void => done.abort(ENOUGH);
  for (const signal of [stopping, gone]) signal.addEventListener('abort', end, { once: true });
  if (stopping.aborted || gone.aborted) end();
  try {
    const more = ledger.waitBeyond(size as Size, done.signal).then(() => true);
    return await Promise.race([more, clock.sleep(HEARTBEAT_MS, done.signal).then(() => false)]);
  } catch (error) {
    if (done.signal.aborted) return false;
    throw error;
  } finally {
    for (const signal of [stopping, gone]) signal.removeEventListener('abort', end);
    end();
  }
}

function failure({ code, message, action }: WaybillError): Uint8Array {
  const name = code === 'LEDGER_PRUNED' ? 'pruned' : 'failed';
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify({ code, message, action })}\n\n`);
}

/** The index that the reader needs next. What it cannot get is refused before anything is sent. */
function startOf(call: Call, ledger: StreamParts['ledger']): number {
  const seen = call.header('last-event-id');
  const from = call.query.get('from') ?? 'now';
  const text = seen ?? from;
  if (!/^(?:now|beginning|\d{1,15})$/.test(text) || (seen !== undefined && !/^\d/.test(seen))) {
    const [what, may] = seen === undefined ? ['the parameter from', 'an index, now or beginning'] : ['Last-Event-ID', 'an index'];
    throw new WaybillError('REQUEST_INVALID', `${what} is ${shown(text)}, not ${may}`);
  }
  const size = ledger.size();
  if (text === 'now') return size;
  if (text === 'beginning') return ledger.beginning();
  const next = seen === undefined ? Number(text) : Number(text) + 1;
  if (next > size && seen !== undefined) {
    throw new WaybillError('LEDGER_REWOUND', `the reader has seen the entry ${seen} of a ledger that has ${size}`);
  }
  if (next > size) throw new WaybillError('REQUEST_INVALID', `the parameter from is ${next}, and the ledger has ${size} entries`);
  if (next < ledger.beginning()) {
    throw new WaybillError('LEDGER_PRUNED', `the entry ${next} was asked for, and the oldest is ${ledger.beginning()}`);
  }
  return next;
}

/** An envelope has no space in it and begins with its version and its source. */
function prefixOf(source: string | undefined): Buffer | null {
  if (source === undefined) return null;
  if (!NAME_PATTERN.test(source)) throw new WaybillError('REQUEST_INVALID', `the parameter source is ${shown(source)}, which is no name`);
  return Buffer.from(`{"v":1,"source":"${source}",`);
}
