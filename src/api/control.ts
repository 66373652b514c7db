import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import { DESTINATION_PARAM, inJson, type RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import { json } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown, shown } from './call.ts';
import type { DestinationView, StatusView } from './status.ts';
import { snakeCased } from './status.ts';
import { destinationShape, destinationsShape } from './status-shape.ts';

/** What an operator can do to a destination. Each resolves once it is durable. */
export interface DestinationVerbs {
  pause(): Promise<void>;
  resume(): Promise<void>;
  retry(): Promise<void>;
}

/** What the control routes need. */
export interface ControlParts {
  readonly status: () => StatusView;
  /** `undefined` when there is no destination of this name. */
  readonly destination: (name: string) => DestinationVerbs | undefined;
}

/** The verbs that there are. */
export type Verb = keyof DestinationVerbs;

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
  resume: verbAbout('Go on delivering to a destination that was paused'),
  retry: verbAbout('End a halt or a pause between attempts, and try again at once'),
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
export async function controlDestination(call: Call, verb: Verb, { status, destination }: ControlParts): Promise<Answer> {
  onlyKnown(call.query, []);
  await refuseContent(call);
  const name = call.params[0] ?? '';
  const verbs = destination(name);
  if (verbs === undefined) throw unknown(name);
  await verbs[verb]();
  return json(200, snakeCased(viewOf(name, status())));
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
