import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import { asIndex } from '../contracts/units.ts';
import { DESTINATION_PARAM, inJson, type RouteAbout, whole } from './about.ts';
import { type Answer, json, jsonText } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown } from './call.ts';
import { answerOf, bodyOf, destinationOf, firstOf, lastOf, type ResendParts, readBody } from './resend.ts';

/** What these routes need. */
export interface QuarantineParts extends ResendParts {
  readonly ledger: Pick<Ledger, 'read' | 'beginning'>;
  /** The names of the destinations that are there now. */
  readonly destinationNames: () => Iterable<string>;
}

const asideShape = z.object({
  destination: z.string().describe('Who did not take it.'),
  from: whole('The first index.'),
  through: whole('The last index.'),
  entries: whole('How many that are.'),
  code: z.string().describe('Why, by its code.'),
  message: z.string().describe('What the destination answered about the first of them.'),
  at: whole('When it was set aside, in milliseconds since 1970.'),
});

/** About `GET /v1/quarantine` and `GET /v1/quarantine/NAME`. */
export const quarantineAbout: RouteAbout = {
  summary: 'What is set aside, everywhere',
  answer: inJson(z.object({ quarantine: z.array(asideShape).describe('What is set aside.') })),
};

/** About `GET /v1/quarantine/NAME`. */
export const quarantineOfAbout: RouteAbout = {
  ...quarantineAbout,
  summary: 'What is set aside for one destination',
  params: [DESTINATION_PARAM],
  errors: ['DESTINATION_UNKNOWN'],
};

/** About `GET /v1/quarantine/NAME/INDEX`. */
export const quarantinedAbout: RouteAbout = {
  summary: 'An entry that is set aside, and why',
  params: [DESTINATION_PARAM, ['index', 'Index of an entry that is set aside.']],
  answer: inJson(asideShape.extend({ index: whole('Its index.'), entry: z.unknown().describe('The entry.') })),
  errors: ['DESTINATION_UNKNOWN', 'COMMAND_REFUSED', 'LEDGER_PRUNED'],
};

const bodyShape = z.strictObject({
  from: z.union([z.int().min(0), z.string()]).describe('The first index, or a time.'),
  through: z
    .union([z.int().min(0), z.string()])
    .optional()
    .describe('The last index, or a time. Absent: only the first.'),
  dry_run: z.boolean().default(false).describe('Only answer what would be done.'),
});

/** About `POST /v1/quarantine/NAME/redeliver` and `waive`. */
export const asideAbouts: Readonly<Record<'redeliver' | 'waive', RouteAbout>> = {
  redeliver: asideAbout('Send again what is set aside', 'As a stream of its own, marked as sent again; the live one waits.'),
  waive: asideAbout('Declare that what is set aside will never be delivered', 'The ledger keeps a control entry of it.'),
};

function asideAbout(summary: string, details: string): RouteAbout {
  return {
    summary,
    details,
    params: [DESTINATION_PARAM],
    body: inJson(bodyShape),
    answer: inJson(
      z.object({
        name: z.string().nullable().describe('The name of the stream that was begun; null when none was.'),
        from: whole('The first index.'),
        through: whole('The last index.'),
        entries: whole('How many entries that are set aside it holds.'),
        dry_run: z.boolean().describe('Whether nothing was done.'),
      }),
    ),
    errors: ['DESTINATION_UNKNOWN', 'COMMAND_REFUSED'],
  };
}

/** `GET /v1/quarantine` and `GET /v1/quarantine/NAME`. */
export function listQuarantine(call: Call, parts: QuarantineParts): Answer {
  onlyKnown(call.query, []);
  const [only] = call.params;
  if (only !== undefined) destinationOf(call, parts);
  const names = only === undefined ? [...parts.destinationNames()] : [only];
  const quarantine = names.flatMap((destination) => {
    const { quarantine: kept = [] } = parts.destination(destination)?.status() ?? {};
    return kept.map(({ from, through, code, message, at }) => {
      return { destination, from, through, entries: through - from + 1, code, message, at };
    });
  });
  return json(200, { quarantine });
}

/** `GET /v1/quarantine/NAME/INDEX`: the entry goes out in its exact bytes. */
export async function showQuarantined(call: Call, parts: QuarantineParts): Promise<Answer> {
  onlyKnown(call.query, []);
  const destination = destinationOf(call, parts);
  const text = call.params[1] ?? '';
  const index = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  const kept = destination.status().quarantine.find(({ from, through }) => index >= from && index <= through);
  if (kept === undefined) throw new WaybillError('COMMAND_REFUSED', 'no entry of this index is set aside for this destination');
  const { from, through, code, message, at } = kept;
  const facts = { destination: call.params[0], index, from, through, entries: through - from + 1, code, message, at };
  const { bytes, starts, ends } = await parts.ledger.read(asIndex(index), { entries: 1, bytes: 1 });
  const entry = new TextDecoder().decode(bytes.subarray(starts[0], ends[0]));
  return jsonText(200, `${JSON.stringify(facts).slice(0, -1)},"entry":${entry}}`);
}

/** `POST /v1/quarantine/NAME/redeliver|waive`. */
export async function controlQuarantine(call: Call, verb: 'redeliver' | 'waive', parts: QuarantineParts): Promise<Answer> {
  onlyKnown(call.query, []);
  const destination = destinationOf(call, parts);
  const asked = readBody(bodyShape, await bodyOf(call));
  const from = await firstOf(asked.from, parts);
  const through = await lastOf(asked.through ?? asked.from, parts);
  const entries = destination
    .status()
    .quarantine.reduce((sum, kept) => sum + Math.max(0, Math.min(kept.through, through) - Math.max(kept.from, from) + 1), 0);
  if (asked.dry_run) return json(200, { ...answerOf(null, { from, through }), entries, dry_run: true });
  if (verb === 'redeliver') {
    // What is set aside is below the cursor; a range may name more.
    const end = asIndex(Math.min(through, Math.max(from, destination.status().cursor - 1)));
    const { name } = await destination.redeliver(from, end);
    return json(200, { ...answerOf(name, { from, through: end }), entries, dry_run: false });
  }
  await destination.waive(from, through);
  return json(200, { ...answerOf(null, { from, through }), entries, dry_run: false });
}
