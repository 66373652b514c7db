import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import type { Clock } from '../contracts/ports.ts';
import { DESTINATION_PARAM, inJson, type RouteAbout, whole } from './about.ts';
import type { Answer } from './answer.ts';
import { json } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown, shown } from './call.ts';
import type { QuarantineParts } from './quarantine.ts';
import type { ResendVerbs } from './resend.ts';
import type { DestinationView, StatusView } from './status.ts';
import { snakeCased } from './status.ts';
import { destinationShape, destinationsShape } from './status-shape.ts';

/** What an operator can do to a destination. Each resolves once it is durable. */
export interface DestinationVerbs extends ResendVerbs {
  pause(): Promise<void>;
  resume(): Promise<void>;
  retry(): Promise<void>;
  cancel(): Promise<void>;
}

/** What the control routes need. */
export interface ControlParts extends QuarantineParts {
  readonly status: () => StatusView;
  /** `undefined` when there is no destination of this name. */
  readonly destination: (name: string) => DestinationVerbs | undefined;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Forgets a destination that is not in the configuration any more. */
  readonly forget: (name: string) => Promise<void>;
}

/** How long an answer waits for what is in flight to come back: shorter than whoever asks waits for it. */
const CANCEL_WAIT_MS = 5_000;

/** The verbs that say all with their path. */
export type Verb = 'pause' | 'resume' | 'retry' | 'cancel';

/** About `POST /v1/destinations/NAME/forget`. */
export const forgetAbout: RouteAbout = {
  summary: 'Forget a destination that was taken out of the configuration',
  details: 'Its cursor and what is set aside for it go for good; the ledger keeps a control entry. Put back later, it begins by `start`.',
  params: [DESTINATION_PARAM],
  body: inJson(z.strictObject({})),
  bodyOptional: true,
  answer: inJson(z.object({ forgotten: z.string().describe('Its name.'), cursor: whole('The index that it needed next.') })),
  errors: ['DESTINATION_UNKNOWN', 'COMMAND_REFUSED'],
};

/** About `GET /v1/destinations`. */
export const destinationsAbout: RouteAbout = { summary: 'Every destination', answer: inJson(destinationsShape) };

/** About `GET /v1/destinations/NAME`. */
export const destinationAbout: RouteAbout = {
  summary: 'One destination',
  params: [DESTINATION_PARAM],
  answer: inJson(destinationShape),
  errors: ['DESTINATION_UNKNOWN'],
};

/** About `POST /v1/destinations/NAME/VERB`, by verb. */
export const verbAbouts: Readonly<Record<Verb, RouteAbout>> = {
  pause: verbAbout('Stop delivering to a destination', 'Nothing is lost, its lag grows. It stays paused over restarts.'),
  resume: verbAbout(
    'Go on delivering to a destination that was paused or detached',
    'A detached one goes on with the oldest entry that the ledger has; its next batch accounts for what is gone.',
  ),
  retry: verbAbout('End a halt or a pause between attempts, and try again at once'),
  cancel: verbAbout(
    'End a replay, a recovery or a redelivery',
    'What is in flight still comes back. Where that takes longer than 5 s the answer has it as `side`, and it ends by itself then.',
  ),
};

function verbAbout(summary: string, details?: string): RouteAbout {
  return {
    summary,
    ...(details === undefined ? {} : { details }),
    params: [DESTINATION_PARAM],
    body: inJson(z.strictObject({})),
    bodyOptional: true,
    answer: inJson(destinationShape),
    errors: ['DESTINATION_UNKNOWN', 'COMMAND_REFUSED'],
  };
}

/** `GET /v1/destinations`. */
export function listDestinations({ query }: Call, { status }: Pick<ControlParts, 'status'>): Answer {
  onlyKnown(query, []);
  return json(200, { destinations: snakeCased(status().destinations) });
}

/** `GET /v1/destinations/NAME`. */
export function showDestination({ query, params }: Call, { status }: Pick<ControlParts, 'status'>): Answer {
  onlyKnown(query, []);
  return json(200, snakeCased(viewOf(params[0] ?? '', status())));
}

/** `POST /v1/destinations/NAME/VERB`: answers with what the destination looks like then. */
export async function controlDestination(call: Call, verb: Verb, { status, destination, clock }: ControlParts): Promise<Answer> {
  onlyKnown(call.query, []);
  await refuseContent(call);
  const name = call.params[0] ?? '';
  const verbs = destination(name);
  if (verbs === undefined) throw unknown(name);
  await (verb === 'cancel' ? atMost(CANCEL_WAIT_MS, verbs.cancel(), clock) : verbs[verb]());
  return json(200, snakeCased(viewOf(name, status())));
}

/** Waits for something, and no longer than so; what comes of it later shows in the status. */
async function atMost(ms: number, done: Promise<void>, clock: Pick<Clock, 'sleep'>): Promise<void> {
  const waited = new AbortController();
  const late = clock.sleep(ms, waited.signal).catch(() => undefined);
  done.catch(() => undefined);
  await Promise.race([done, late]).finally(() => waited.abort());
}

/** `POST /v1/destinations/NAME/forget`. */
export async function forgetDestination(call: Call, { status, forget }: Pick<ControlParts, 'status' | 'forget'>): Promise<Answer> {
  onlyKnown(call.query, []);
  await refuseContent(call);
  const name = call.params[0] ?? '';
  const { cursor } = viewOf(name, status());
  await forget(name);
  return json(200, { forgotten: name, cursor });
}

function viewOf(name: string, { destinations }: StatusView): DestinationView {
  const view = Object.hasOwn(destinations, name) ? destinations[name] : undefined;
  if (view === undefined) throw unknown(name);
  return view;
}

function unknown(name: string): WaybillError {
  return new WaybillError('DESTINATION_UNKNOWN', `there is no destination ${shown(name)}`);
}

/** For routes that have nothing to say beside their path. What a body says would be ignored, so there may be none but an empty object. */
export async function refuseContent(call: Call): Promise<void> {
  const text = (await call.body()).toString().trim();
  if (text === '') return;
  if (call.header('content-type')?.toLowerCase() !== 'application/json') {
    throw new WaybillError('CONTENT_TYPE_UNSUPPORTED', 'this path takes no body, or {} as application/json');
  }
  if (!/^\{\s*\}$/.test(text)) throw new WaybillError('REQUEST_INVALID', 'this path takes no body, or {}');
}
