import { z } from 'zod';
import { time } from '../config/keys.ts';
import { WaybillError } from '../contracts/errors.ts';
import { asIndex, type Index } from '../contracts/units.ts';
import { DESTINATION_PARAM, inJson, type RouteAbout, whole } from './about.ts';
import { type Answer, json } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown, shown } from './call.ts';

/** Old entries that are sent again. */
export interface Resent {
  readonly name: string;
  readonly from: Index;
  readonly through: Index;
}

/** What an operator can do about entries that a destination had, or should have had. All reject with `COMMAND_REFUSED`. */
export interface ResendVerbs {
  replay(from: Index, through: Index): Promise<Resent>;
  replayable(from: Index, through: Index): Promise<Pick<Resent, 'from' | 'through'>>;
  recover(from: Index, through: Index): Promise<Resent>;
  recoverable(from: Index, through: Index): Promise<Pick<Resent, 'from' | 'through'>>;
  redeliver(from: Index, through: Index): Promise<Resent>;
  waive(from: Index, through: Index): Promise<void>;
  status(): ResendView;
}

/** What the routes have to know of a destination. */
export interface ResendView {
  readonly cursor: Index;
  readonly lacks: { readonly from: Index; readonly through: Index } | null;
  readonly quarantine: readonly {
    readonly from: Index;
    readonly through: Index;
    readonly code: string;
    readonly message: string;
    readonly at: number;
  }[];
}

/** What these routes need. */
export interface ResendParts {
  /** `undefined` when there is no destination of this name. */
  readonly destination: (name: string) => ResendVerbs | undefined;
  /** The first index that was received at a time (milliseconds since 1970) or later. */
  readonly indexAt: (timeMs: number) => Promise<Index>;
}

const place = z.union([z.int().min(0), z.string()]);

/** The range of a command: indexes, or times. */
export const rangeShape = z.strictObject({
  from: place.describe('The first index, or a time: the first entry that was received then or later.'),
  through: place
    .optional()
    .describe('The last index, or a time: the last entry that was received by then. Absent: what the destination has had.'),
  dry_run: z.boolean().default(false).describe('Only answer what would be sent.'),
});

const recoverShape = rangeShape.extend({
  from: place.optional().describe('The same. Absent: where the destination says that it lacks something.'),
});

const resentShape = z.object({
  name: z.string().nullable().describe('The name of what was begun, which `status` shows; null when nothing was.'),
  from: whole('The first index.'),
  through: whole('The last index.'),
  entries: whole('How many entries that is.'),
  dry_run: z.boolean().describe('Whether nothing was begun.'),
});

/** About `POST /v1/destinations/NAME/replay` and `recover`. */
export const resendAbouts: Readonly<Record<'replay' | 'recover', RouteAbout>> = {
  replay: {
    summary: 'Send old entries again',
    details:
      'They are marked and have identities of their own; the live stream waits, and the cursor stays. Refused where they would be dropped.',
    params: [DESTINATION_PARAM],
    body: inJson(rangeShape),
    answer: inJson(resentShape),
    errors: ['DESTINATION_UNKNOWN', 'COMMAND_REFUSED', 'LEDGER_PRUNED'],
  },
  recover: {
    summary: 'Fill what a destination lost',
    details: 'The batches that held it go again as they were, under their own identities.',
    params: [DESTINATION_PARAM],
    body: inJson(recoverShape),
    answer: inJson(resentShape),
    errors: ['DESTINATION_UNKNOWN', 'COMMAND_REFUSED', 'LEDGER_PRUNED'],
  },
};

/** `POST /v1/destinations/NAME/replay|recover`. */
export async function resend(call: Call, verb: 'replay' | 'recover', parts: ResendParts): Promise<Answer> {
  onlyKnown(call.query, []);
  const destination = destinationOf(call, parts);
  const asked = readBody(verb === 'replay' ? rangeShape : recoverShape, await bodyOf(call));
  const { cursor, lacks } = destination.status();
  if (asked.from === undefined && lacks === null) {
    const name = call.params[0] ?? '';
    throw new WaybillError(
      'REQUEST_INVALID',
      `${name} does not say that it lacks anything, so say it: \`waybill recover ${name} --from INDEX|TIME\` (\`from\` in a request)`,
    );
  }
  const from = asked.from === undefined ? (lacks?.from ?? asIndex(0)) : await firstOf(asked.from, parts);
  const through = asked.through === undefined ? asIndex(cursor - 1) : await lastOf(asked.through, parts);
  if (asked.dry_run) {
    const range = await destination[verb === 'replay' ? 'replayable' : 'recoverable'](from, through);
    return json(200, { ...answerOf(null, range), dry_run: true });
  }
  const { name, ...range } = await destination[verb](from, through);
  return json(200, { ...answerOf(name, range), dry_run: false });
}

/** What is answered about a range. */
export function answerOf(name: string | null, { from, through }: Pick<Resent, 'from' | 'through'>) {
  return { name, from, through, entries: Math.max(0, through - from + 1) };
}

/** The destination that a path names. */
export function destinationOf({ params }: Call, { destination }: Pick<ResendParts, 'destination'>): ResendVerbs {
  const name = params[0] ?? '';
  const found = destination(name);
  if (found === undefined) throw new WaybillError('DESTINATION_UNKNOWN', `there is no destination ${shown(name)}`);
  return found;
}

/** The first index that is meant. */
export async function firstOf(value: string | number, { indexAt }: Pick<ResendParts, 'indexAt'>): Promise<Index> {
  const at = read(value);
  return 'index' in at ? asIndex(at.index) : indexAt(at.timeMs);
}

/** The last index that is meant: of a time, the last that was received by then. */
export async function lastOf(value: string | number, { indexAt }: Pick<ResendParts, 'indexAt'>): Promise<Index> {
  const at = read(value);
  return asIndex('index' in at ? at.index : (await indexAt(at.timeMs + 1)) - 1);
}

function read(value: string | number): { readonly index: number } | { readonly timeMs: number } {
  if (typeof value === 'number') return { index: value };
  if (/^\d{1,15}$/.test(value)) return { index: Number(value) };
  const timeMs = time.safeParse(value);
  if (timeMs.success) return { timeMs: timeMs.data };
  throw new WaybillError('REQUEST_INVALID', `${shown(value)} is no index, and no time such as 2027-01-31T00:00:00Z`);
}

/** The body of a command as JSON. */
export async function bodyOf(call: Call): Promise<unknown> {
  const text = (await call.body()).toString();
  if (call.header('content-type')?.toLowerCase() !== 'application/json') {
    throw new WaybillError('CONTENT_TYPE_UNSUPPORTED', 'this path takes application/json');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new WaybillError('BODY_UNREADABLE', 'the body is not JSON', { cause: error });
  }
}

/** The body in its shape. Rejects with `REQUEST_INVALID`, which names the first key that is wrong. */
export function readBody<Shape extends z.ZodType>(shape: Shape, body: unknown): z.output<Shape> {
  const result = shape.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new WaybillError('REQUEST_INVALID', `${where === '' ? 'the body' : where}: ${issue?.message ?? 'not as it should be'}`);
}
