import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import type { RefusedEvent } from '../intake/refused.ts';
import { discardRefused, type RefusedIntake, retryRefused } from '../intake/refused-verbs.ts';
import { inJson, type RouteAbout, whole } from './about.ts';
import type { Answer } from './answer.ts';
import { json } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown, shown, wholeNumber } from './call.ts';
import { refuseContent } from './control.ts';

/** What these routes need. */
export interface RefusedParts {
  readonly intake: RefusedIntake;
}

const LIST_MAX = 1_000;
const PLACES_SHOWN = 100;
const SHA256_PARAM = ['sha256', 'SHA-256 of the bytes, in lower-case hexadecimal.'] as const;

const placeShape = z.object({
  source: z.string().describe('The source.'),
  partition: z.string().nullable().describe('Its partition.'),
  position: z.string().nullable().describe('The place in it.'),
  nth: whole('Which one among the same bytes at the same place.'),
  reason: z.string().describe('Why, by the code of the fault.'),
  message: z.string().describe('What is wrong with it.'),
  at: whole('When, in milliseconds since 1970.'),
});

const refusedShape = z.object({
  sha256: z.string().describe('The SHA-256 of the bytes.'),
  bytes: whole('How many bytes are kept.'),
  times: whole('In how many places they were refused.'),
  places: z.array(placeShape).describe(`The first ${PLACES_SHOWN} of the places.`),
});

/** About `GET /v1/refused`. */
export const refusedAbout: RouteAbout = {
  summary: 'Events of pulled sources that could not become entries',
  details: 'They are declared in the ledger, and their bytes are kept until they are taken in again or discarded.',
  query: z.object({
    after: z.string().optional().describe('Only those behind this SHA-256.'),
    limit: z.string().optional().describe(`How many at most, 100 where nothing is said, up to ${LIST_MAX}.`),
  }),
  answer: inJson(
    z.object({
      count: whole('How many are kept.'),
      bytes: whole('What they take on the disk.'),
      refused: z.array(refusedShape).describe('In the order of their SHA-256.'),
    }),
  ),
};

/** About `GET /v1/refused/SHA256`. */
export const refusedOneAbout: RouteAbout = {
  summary: 'One refused event with its bytes',
  params: [SHA256_PARAM],
  answer: inJson(
    refusedShape.extend({
      base64: z.string().describe('Its bytes.'),
      text: z.string().nullable().describe('The same as text, where they are UTF-8.'),
    }),
  ),
  errors: ['REFUSED_UNKNOWN'],
};

const bodyless = { params: [SHA256_PARAM], body: inJson(z.strictObject({})), bodyOptional: true } as const;

/** About `POST /v1/refused/SHA256/retry`. */
export const retryRefusedAbout: RouteAbout = {
  ...bodyless,
  summary: 'Take a refused event in again, by the rules that its source has now',
  details:
    'Once for every place where it was refused; a repetition changes nothing. What is still wrong is answered, and nothing is changed.',
  answer: inJson(
    z.object({
      sha256: z.string().describe('The SHA-256 of the bytes.'),
      accepted: whole('How many new entries there are.'),
      duplicates: whole('In how many places it was an entry already.'),
      entries: z.array(whole('An index.')).describe('The entries, one for each place.'),
    }),
  ),
  errors: ['REFUSED_UNKNOWN', 'SOURCE_UNKNOWN', 'EVENTS_INVALID', 'COMMAND_REFUSED', 'LEDGER_FULL', 'LEDGER_FAILED', 'OVERLOADED'],
};

/** About `POST /v1/refused/SHA256/discard`. */
export const discardRefusedAbout: RouteAbout = {
  ...bodyless,
  summary: 'Give up a refused event and free its space',
  details: 'That is declared in the ledger first.',
  answer: inJson(refusedShape),
  errors: ['REFUSED_UNKNOWN'],
};

/** `GET /v1/refused`. */
export async function listRefused({ query }: Call, { intake }: RefusedParts): Promise<Answer> {
  onlyKnown(query, ['after', 'limit']);
  const events = await intake.refused.list(query.get('after') ?? '', wholeNumber(query, 'limit', 100, LIST_MAX));
  return json(200, {
    count: intake.refused.count(),
    bytes: intake.refused.bytes(),
    refused: events.map((event) => shownEvent(event, intake)),
  });
}

/** `GET /v1/refused/SHA256`. */
export async function showRefused({ query, params }: Call, { intake }: RefusedParts): Promise<Answer> {
  onlyKnown(query, []);
  const found = await intake.refused.read(params[0] ?? '');
  if (found === null) throw new WaybillError('REFUSED_UNKNOWN', `no refused event with the SHA-256 ${shown(params[0] ?? '')} is kept`);
  const content = Buffer.from(found.content);
  return json(200, {
    ...shownEvent(found.event, intake),
    base64: content.toString('base64'),
    text: isUtf8(content) ? content.toString() : null,
  });
}

/** `POST /v1/refused/SHA256/retry`. */
export async function retryOneRefused(call: Call, { intake }: RefusedParts): Promise<Answer> {
  onlyKnown(call.query, []);
  await refuseContent(call);
  return json(200, await retryRefused(intake, call.params[0] ?? '', call.signal));
}

/** `POST /v1/refused/SHA256/discard`. */
export async function discardOneRefused(call: Call, { intake }: RefusedParts): Promise<Answer> {
  onlyKnown(call.query, []);
  await refuseContent(call);
  return json(200, shownEvent(await discardRefused(intake, call.params[0] ?? ''), intake));
}

function shownEvent({ sha256, bytes, places }: RefusedEvent, { names }: Pick<RefusedIntake, 'names'>) {
  const shownPlaces = places.slice(0, PLACES_SHOWN).map((place) => ({ ...place, source: names.current(place.source) }));
  return { sha256, bytes, times: places.length, places: shownPlaces };
}
