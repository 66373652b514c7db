import { z } from 'zod';
import { native } from '../codecs/native.ts';
import type { Ledger } from '../contracts/ledger.ts';
import { asIndex } from '../contracts/units.ts';
import { type RouteAbout, whole } from './about.ts';
import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown, wholeNumber } from './call.ts';

const LIMIT = 1_000;
const LIMIT_MAX = 100_000;
const READ_BYTES = 1 << 20;

/** About `GET /v1/entries`. */
export const entriesAbout: RouteAbout = {
  summary: 'Durable entries as lines',
  details:
    'Each line is `{"index":i,"entry":{…}}` with the exact bytes of the entry. The answer ends with what is durable now; ' +
    '`Waybill-Size` says how many entries that are.',
  query: z.object({
    from: whole('The first index. Absent: the oldest that can be read.').optional(),
    limit: z.int().min(0).max(LIMIT_MAX).default(LIMIT).describe('The most entries.'),
  }),
  answer: { [native.contentType]: z.string().describe('Lines, each `{"index":i,"entry":{…}}`.') },
  errors: ['LEDGER_PRUNED'],
};

/** `GET /v1/entries`: durable entries as lines, each with its index and its exact bytes, up to what is durable now. */
export async function entries({ query }: Call, ledger: Pick<Ledger, 'read' | 'size' | 'beginning'>): Promise<Answer> {
  onlyKnown(query, ['from', 'limit']);
  const size = ledger.size();
  const from = wholeNumber(query, 'from', ledger.beginning(), Number.MAX_SAFE_INTEGER);
  const through = Math.min(size, from + wholeNumber(query, 'limit', LIMIT, LIMIT_MAX));
  // The first read is made before the status is sent, so that what is no longer there is an error and not an empty list.
  const first = from < through ? await readLines(ledger, from, through) : null;
  const headers = { 'content-type': native.contentType, 'waybill-size': String(size) };
  return { status: 200, headers, body: first === null ? '' : lines(ledger, first, through) };
}

async function* lines(ledger: Pick<Ledger, 'read'>, first: Page, through: number): AsyncGenerator<Uint8Array> {
  let page = first;
  for (;;) {
    yield page.bytes;
    if (page.next >= through) return;
    page = await readLines(ledger, page.next, through);
  }
}

interface Page {
  readonly bytes: Uint8Array;
  readonly next: number;
}

async function readLines(ledger: Pick<Ledger, 'read'>, from: number, through: number): Promise<Page> {
  const batch = await ledger.read(asIndex(from), { entries: through - from, bytes: READ_BYTES });
  return { bytes: native.encode(batch).bytes, next: from + batch.count };
}
