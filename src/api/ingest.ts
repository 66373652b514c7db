import { z } from 'zod';
import type { ApiLimits } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Observer } from '../contracts/observer.ts';
import type { Clock } from '../contracts/ports.ts';
import type { SourceNames } from '../intake/names.ts';
import type { Intake } from '../intake/sequencer.ts';
import type { Rejection, Submitted } from '../intake/sequencer-submission.ts';
import type { BodyShape } from '../intake/split.ts';
import { jsonShape } from '../intake/split.ts';
import { problemShape, type RouteAbout, whole } from './about.ts';
import type { Answer } from './answer.ts';
import { jsonText, problem } from './answer.ts';
import type { Encoding } from './body.ts';
import { unpack } from './body.ts';
import type { Call } from './call.ts';
import { flag, onlyKnown, shown } from './call.ts';
import type { RateLimits } from './limits.ts';
import { PROOFS_MAX, type ProofParts, PUBLISH_WAIT_MS, proofsOf, proofsShape } from './proofs.ts';

/** What taking events needs. */
export interface IngestParts extends ProofParts {
  readonly intake: Pick<Intake, 'check' | 'submit' | 'names'>;
  /** The sources that take requests. */
  readonly sources: readonly string[];
  readonly limits: ApiLimits;
  readonly rates: RateLimits;
  /** The same by the name of the token. */
  readonly callerRates: RateLimits;
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>;
  /** Is told of every request whose events are durable. */
  readonly observer: Observer;
}

const JSON_TYPE = /^application\/json(?:\s*;\s*charset="?utf-8"?)?$/i;
const LINES_TYPE = /^application\/x-ndjson(?:\s*;\s*charset="?utf-8"?)?$/i;
const KEY = /^[\x21-\x7e]{1,255}$/;

const place = z.int().min(0).describe('The place of the event in the request, from 0.');

const rejections = z
  .array(
    z.object({
      at: place,
      path: z.string().describe('A JSON Pointer into the event.'),
      code: z.string().describe('One of the fault codes in docs/errors.md.'),
      message: z.string().describe('What is wrong, and the rule.'),
    }),
  )
  .describe('What cannot be accepted, and why.');

/** About `POST /v1/events`. */
export const ingestAbout: RouteAbout = {
  summary: 'Send events',
  details:
    'All events of a request are accepted, or none. The answer comes once they are durable; without an answer, send the same request ' +
    'again. Bodies may be compressed with gzip or zstd (`Content-Encoding`).',
  query: z.object({
    source: z.string().describe('The source to write to. Required where the sender may write to several.').optional(),
    partial: z.enum(['true', 'false']).default('false').describe('`true`: every event gets a verdict of its own, and the answer is 200.'),
    proof: z
      .enum(['true', 'false'])
      .default('false')
      .describe(
        `\`true\`: the answer waits up to ${PUBLISH_WAIT_MS / 1_000} s for a published checkpoint and has a proof for each entry. ` +
          `For at most ${PROOFS_MAX} events.`,
      ),
  }),
  headers: z.object({
    'idempotency-key': z
      .string()
      .describe('Gives events without an identity one that is the same when the same request comes again.')
      .optional(),
  }),
  body: {
    'application/json': z
      .union([z.looseObject({}), z.array(z.looseObject({}))])
      .describe('One event, or a list of events, as the schema of the source wants them (docs/formats/waybill-1.md).'),
    'application/x-ndjson': z.string().describe('One event in each line.'),
  },
  answer: {
    'application/json': z.object({
      accepted: whole('How many became entries.'),
      first_index: whole('Where they begin; they lie there in the order of the request.').nullable(),
      size: whole('How many entries are durable.'),
      duplicates: z
        .array(z.object({ at: place, index: whole('The entry that it is.') }))
        .describe('Events that were an entry already, with the same bytes.'),
      rejected: rejections.optional(),
      proofs: proofsShape.optional(),
    }),
  },
  problem: problemShape.extend({ rejected: rejections.optional() }),
  errors: [
    'BODY_UNREADABLE',
    'SOURCE_UNKNOWN',
    'EVENTS_CONFLICT',
    'EVENTS_INVALID',
    'RATE_LIMITED',
    'LEDGER_FULL',
    'LEDGER_FAILED',
    'LEDGER_FENCED',
    'DISK_FULL',
  ],
};

/** `POST /v1/events`: answers once what it accepts is durable. */
export async function ingest(call: Call, parts: IngestParts): Promise<Answer> {
  const { intake, limits, rates, clock } = parts;
  const beganAt = clock.now();
  const began = clock.monotonic();
  const type = typeOf(call.header('content-type'));
  const encoding = encodingOf(call.header('content-encoding'));
  onlyKnown(call.query, ['source', 'partial', 'proof']);
  const partial = flag(call.query, 'partial');
  const proof = flag(call.query, 'proof');
  const source = sourceOf(call, parts.sources, parts.intake.names);
  const idempotencyKey = keyOf(call.header('idempotency-key'));

  const body = unpack(await call.body(), encoding, limits.bodyBytes);
  if (encoding !== 'identity') call.hold(body.length);
  const shape: BodyShape = type === 'lines' ? 'lines' : jsonShape(body);
  const checked = intake.check(source, body, shape, limits.events);
  if (checked.unreadable !== undefined)
    throw new WaybillError('BODY_UNREADABLE', `${checked.unreadable.message} (at byte ${checked.unreadable.at})`);
  if (checked.count > limits.events) throw new WaybillError('BODY_TOO_LARGE', `the request has more than ${limits.events} events`);
  if (proof && checked.count > PROOFS_MAX)
    throw new WaybillError('REQUEST_INVALID', `proof=true takes at most ${PROOFS_MAX} events, and the request has ${checked.count}`);
  const caller = call.caller.name ?? '';
  rates.take(source, checked.count);
  try {
    parts.callerRates.take(caller, checked.count);
  } catch (error) {
    rates.giveBack(source, checked.count);
    throw error;
  }
  try {
    const submission = { source, checked, partial, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
    const submitting = clock.monotonic();
    const submitted = await intake.submit(submission, call.signal);
    if (submitted.outcome === 'accepted') {
      const now = clock.monotonic();
      parts.observer.accepted?.({
        source,
        count: submitted.accepted,
        first: submitted.firstIndex,
        beganAt,
        ms: now - began,
        appendMs: now - submitting,
        traceparent: call.header('traceparent') ?? null,
      });
    }
    // From here on nothing may turn what was accepted into an error.
    return answerOf(submitted, proof && submitted.outcome === 'accepted' ? await proofsOf(indexesOf(submitted), parts, call) : null);
  } catch (error) {
    rates.giveBack(source, checked.count);
    parts.callerRates.giveBack(caller, checked.count);
    throw error;
  }
}

function answerOf({ outcome, accepted, firstIndex, size, duplicates, rejected }: Submitted, proofs: object | null): Answer {
  if (outcome === 'accepted') {
    const repeated = duplicates.length === 0 ? '[]' : JSON.stringify(duplicates);
    const refused = rejected.length === 0 ? '' : `,"rejected":${JSON.stringify(rejected)}`;
    const more = proofs === null ? refused : `${refused},"proofs":${JSON.stringify(proofs)}`;
    return jsonText(200, `{"accepted":${accepted},"first_index":${firstIndex},"size":${size},"duplicates":${repeated}${more}}`);
  }
  const places = countPlaces(rejected);
  const things = `${places} ${places === 1 ? 'event' : 'events'}`;
  const error =
    outcome === 'conflict'
      ? new WaybillError('EVENTS_CONFLICT', `${things} of the request conflict with other events`)
      : new WaybillError('EVENTS_INVALID', `${things} of the request cannot be accepted`);
  return problem(error, {}, { rejected });
}

/** The entries that the events of a request are, each once and in ascending order. */
function indexesOf({ accepted, firstIndex, duplicates }: Submitted): readonly number[] {
  const taken = Array.from({ length: accepted }, (_, k) => (firstIndex ?? 0) + k);
  return [...new Set([...taken, ...duplicates.map(({ index }) => index)])].toSorted((a, b) => a - b);
}

function countPlaces(rejected: readonly Rejection[]): number {
  return new Set(rejected.map(({ at }) => at)).size;
}

function typeOf(header: string | undefined): 'json' | 'lines' {
  if (header !== undefined && JSON_TYPE.test(header)) return 'json';
  if (header !== undefined && LINES_TYPE.test(header)) return 'lines';
  const sent = header === undefined ? 'no content type' : `the content type ${shown(header)}`;
  throw new WaybillError(
    'CONTENT_TYPE_UNSUPPORTED',
    `the body has ${sent}; this path takes application/json and application/x-ndjson in UTF-8`,
  );
}

function encodingOf(header: string | undefined): Encoding {
  const encoding = header?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity' || encoding === 'gzip' || encoding === 'zstd') return encoding;
  throw new WaybillError(
    'CONTENT_TYPE_UNSUPPORTED',
    `the body has the encoding ${shown(encoding)}; this path takes gzip and zstd, or none`,
  );
}

function keyOf(header: string | undefined): string | undefined {
  if (header === undefined || KEY.test(header)) return header;
  throw new WaybillError('REQUEST_INVALID', 'Idempotency-Key is not 1 to 255 visible ASCII characters');
}

/** The source that the request names, or the only one that its sender may write to. */
function sourceOf({ query, caller }: Call, sources: readonly string[], names: Pick<SourceNames, 'current'>): string {
  const named = query.get('source');
  const allowed = caller.sources === null ? sources : sources.filter((source) => caller.sources?.includes(source));
  if (named !== undefined) {
    if (allowed.includes(named)) return named;
    const now = names.current(named);
    if (allowed.includes(now)) throw new WaybillError('SOURCE_UNKNOWN', `the source ${named} is called ${now} now`);
    if (caller.sources !== null)
      throw new WaybillError('FORBIDDEN', `the token ${caller.name} may not write to the source ${shown(named)}`);
    throw new WaybillError('SOURCE_UNKNOWN', `there is no source ${shown(named)} that takes requests`);
  }
  const [only, second] = allowed;
  if (only === undefined) throw new WaybillError('SOURCE_UNKNOWN', 'there is no source that this sender may write to');
  if (second !== undefined) throw new WaybillError('REQUEST_INVALID', `name one of the sources ${allowed.join(', ')} with ?source=`);
  return only;
}
