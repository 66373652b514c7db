import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import type { PublishedHead } from '../contracts/heads.ts';
import type { Clock } from '../contracts/ports.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { encodeHash } from '../tlog/hash.ts';
import { formatTlogProof } from '../tlog/tlog-proof.ts';
import { type RouteAbout, whole } from './about.ts';
import { type Answer, json } from './answer.ts';
import { type Call, flag, onlyKnown, shown } from './call.ts';
import type { LogParts } from './tlog.ts';

/** How long a request waits for a published head that covers its entries. */
export const PUBLISH_WAIT_MS = 10_000;

/** How many events a request may have that asks for proofs. */
export const PROOFS_MAX = 100;

/** What waiting for a head needs. */
export interface ProofParts extends LogParts {
  readonly clock: Pick<Clock, 'sleep'>;
}

const PROOF_TYPE = 'text/plain; charset=utf-8';

/** A proof that one entry is in the tree of a checkpoint, as JSON. */
const provedShape = z.object({
  index: whole('The entry.'),
  proof: z.array(z.string()).describe("The inclusion proof (RFC 6962): hashes in base64, from the leaf's sibling up."),
});

const headShape = {
  size: whole('How many entries the checkpoint covers.'),
  checkpoint: z.string().describe('The checkpoint whole, as it was published.'),
};

/** About `GET /v1/entries/INDEX/proof`. */
export const proofAbout: RouteAbout = {
  summary: 'The proof that an entry is in the log',
  details:
    'A `.tlog-proof` file (C2SP tlog-proof) under the newest published checkpoint, or the same in JSON for who accepts only ' +
    'that. With the bytes of the entry and ' +
    'the verifier key of the log anybody can check it offline. It proves an entry for ever: later checkpoints do not make it invalid.',
  params: [['index', 'Index of an entry.']],
  query: z.object({
    wait: z
      .enum(['true', 'false'])
      .default('false')
      .describe(`\`true\`: waits up to ${PUBLISH_WAIT_MS / 1_000} s for a checkpoint that covers the entry.`),
  }),
  headers: z.object({ accept: z.string().describe('`application/json` for JSON.').optional() }),
  answer: { 'text/plain': z.string().describe('The `.tlog-proof`.'), 'application/json': provedShape.extend(headShape) },
  errors: ['ENTRY_UNKNOWN', 'NOT_PUBLISHED', 'LEDGER_PRUNED'],
};

/** `GET /v1/entries/INDEX/proof`. */
export async function entryProof(call: Call, parts: ProofParts): Promise<Answer> {
  onlyKnown(call.query, ['wait']);
  const [text = ''] = call.params;
  const index = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(index)) throw new WaybillError('REQUEST_INVALID', `${shown(text)} is not the index of an entry`);
  const size = parts.ledger.size();
  if (index >= size) throw new WaybillError('ENTRY_UNKNOWN', `there is no entry ${index}: the ledger has ${size}`);
  const head = await coveringHead(index + 1, parts, flag(call.query, 'wait') ? endsOf(call) : null);
  if (head === null) throw new WaybillError('NOT_PUBLISHED', `the newest published head does not cover entry ${index}`);
  const proof = await parts.tree.inclusion(asIndex(index), head.size);
  if (wantsJson(call.header('accept')))
    return json(200, { index, proof: proof.map(encodeHash), size: head.size, checkpoint: head.checkpoint });
  const headers = { 'content-type': PROOF_TYPE, 'content-disposition': `attachment; filename="${index}.tlog-proof"` };
  return { status: 200, headers, body: formatTlogProof({ index, extra: null, proof, checkpoint: head.checkpoint }) };
}

/** What an answer to events says of their proofs. */
export const proofsShape = z
  .union([
    z.object({
      published: z.literal(true),
      ...headShape,
      entries: z.array(provedShape).describe('A proof for each entry of the request.'),
    }),
    z.object({
      published: z.literal(false).describe('The events are accepted and durable, and no published checkpoint covers them yet.'),
      reason: z.string().describe('Why there is no proof yet.'),
      fetch: z.array(z.string()).describe('Where the proof of each entry will be.'),
    }),
  ])
  .describe('With `proof=true`: the proofs, or where to fetch them.');

/**
 * The proofs of entries that were accepted, once a published head covers all of them. It never rejects: whatever happens to the proofs,
 * the events are accepted, and the answer has to say so.
 */
export async function proofsOf(indexes: readonly number[], parts: ProofParts, call: Call): Promise<z.infer<typeof proofsShape>> {
  const later = (reason: string) => ({ published: false as const, reason, fetch: indexes.map((index) => `/v1/entries/${index}/proof`) });
  try {
    const head = await coveringHead(Math.max(-1, ...indexes) + 1, parts, endsOf(call));
    if (head === null) return later(`no head that covers them was published within ${PUBLISH_WAIT_MS / 1_000} s`);
    const entries: z.infer<typeof provedShape>[] = [];
    for (const index of indexes) {
      const proof = await parts.tree.inclusion(asIndex(index), head.size);
      entries.push({ index, proof: proof.map(encodeHash) });
    }
    return { published: true, size: head.size, checkpoint: head.checkpoint, entries };
  } catch (error) {
    return later(error instanceof WaybillError ? error.message : 'the proofs could not be made');
  }
}

/** What ends the waiting of a request: its sender goes away, or the server is stopped. */
function endsOf(call: Call): readonly AbortSignal[] {
  return [call.signal, call.whenGone()];
}

/**
 * The newest published head, when it covers so many entries; else, unless `ends` is `null`, the first that does, or `null` after a while.
 */
async function coveringHead(
  size: number,
  { heads, clock }: ProofParts,
  ends: readonly AbortSignal[] | null,
): Promise<PublishedHead | null> {
  const now = heads.published();
  if (now !== null && now.size >= size) return now;
  if (ends === null || ends.some(({ aborted }) => aborted)) return null;
  const stop = new AbortController();
  const end = (): void => stop.abort(new Error('nobody waits any more'));
  for (const signal of ends) signal.addEventListener('abort', end, { once: true });
  try {
    const waiting = heads.waitCovering(asSize(size), stop.signal);
    const late = clock.sleep(PUBLISH_WAIT_MS, stop.signal).then(() => null);
    return await Promise.race([waiting, late]).catch((error: unknown) => {
      if (stop.signal.aborted) return null;
      throw error;
    });
  } finally {
    end();
    for (const signal of ends) signal.removeEventListener('abort', end);
  }
}

/** Whether a request accepts JSON and does not name the text form. */
function wantsJson(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes('application/json') && !accept.includes('text/plain');
}
