import { WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import { shown } from './call.ts';
import type { ControlParts } from './control.ts';
import { controlDestination, listDestinations, showDestination } from './control.ts';
import { entries } from './entries.ts';
import type { Need } from './guard.ts';
import type { IngestParts } from './ingest.ts';
import { ingest } from './ingest.ts';
import type { Metrics } from './metrics.ts';
import { livez, readyz, statusAnswer } from './status.ts';

/** What the routes need. */
export interface RouteParts extends IngestParts, ControlParts {
  readonly ledger: Pick<Ledger, 'read' | 'size' | 'beginning' | 'reserve'>;
  /** Whether the ledger has failed for good. */
  readonly ledgerFailed: () => boolean;
  readonly metrics: Metrics;
}

/** One thing that can be asked for. `*` in a path stands for one part of it, which the call has in `params`. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly need: Need;
  take(call: Call, parts: RouteParts): Answer | Promise<Answer>;
}

/** Everything that the API answers. */
export const ROUTES: readonly Route[] = [
  { method: 'POST', path: '/v1/events', need: 'ingest', take: ingest },
  { method: 'GET', path: '/v1/entries', need: 'read', take: (call, { ledger }) => entries(call, ledger) },
  { method: 'GET', path: '/v1/status', need: 'read', take: (call, { status }) => statusAnswer(call, status) },
  { method: 'GET', path: '/v1/destinations', need: 'read', take: listDestinations },
  { method: 'GET', path: '/v1/destinations/*', need: 'read', take: showDestination },
  { method: 'POST', path: '/v1/destinations/*/pause', need: 'control', take: (call, parts) => controlDestination(call, 'pause', parts) },
  { method: 'POST', path: '/v1/destinations/*/resume', need: 'control', take: (call, parts) => controlDestination(call, 'resume', parts) },
  { method: 'POST', path: '/v1/destinations/*/retry', need: 'control', take: (call, parts) => controlDestination(call, 'retry', parts) },
  { method: 'GET', path: '/metrics', need: 'read', take: (_call, { metrics }) => metrics.answer() },
  { method: 'GET', path: '/livez', need: 'open', take: (_call, { ledgerFailed }) => livez(ledgerFailed()) },
  { method: 'GET', path: '/readyz', need: 'open', take: ({ signal }, { ledger }) => readyz(ledger, signal) },
];

/** A route that fits a request, and the parts of its path that were open. */
export interface Match {
  readonly route: Route;
  readonly params: readonly string[];
}

/**
 * Finds the route of a request. `HEAD` is answered like `GET`, without a body. Throws `PATH_UNKNOWN` or `METHOD_UNSUPPORTED`.
 */
export type FindRoute = (method: string, path: string) => Match;

/** Makes the part that finds routes; of two that fit a request the earlier one takes it. */
export function routeFinder(routes: readonly Route[]): FindRoute {
  // The paths without an open part are what most requests ask for.
  const fixed = new Map<string, Match>(
    routes.filter(({ path }) => !path.includes('*')).map((route) => [`${route.method} ${route.path}`, { route, params: [] }]),
  );
  return (method, path) => fixed.get(`${method} ${path}`) ?? search(routes, method, path);
}

function search(routes: readonly Route[], method: string, path: string): Match {
  const parts = path.split('/');
  const allowed: string[] = [];
  for (const route of routes) {
    const params = paramsOf(route.path, parts);
    if (params === null) continue;
    if (route.method === method || (route.method === 'GET' && method === 'HEAD')) return { route, params };
    allowed.push(route.method);
  }
  if (allowed.length === 0) throw new WaybillError('PATH_UNKNOWN', `there is nothing at ${shown(path)}`);
  throw new WaybillError('METHOD_UNSUPPORTED', `this path takes ${allowed.join(', ')} and not ${shown(method)}`, {
    facts: { allow: allowed.join(', ') },
  });
}

function paramsOf(pattern: string, parts: readonly string[]): readonly string[] | null {
  const wanted = pattern.split('/');
  if (wanted.length !== parts.length) return null;
  const params: string[] = [];
  for (const [k, want] of wanted.entries()) {
    const part = parts[k] ?? '';
    if (want === '*') params.push(decoded(part));
    else if (want !== part) return null;
  }
  return params;
}

/** Names have no character that needs escaping, so what cannot be decoded is no name of anything. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
