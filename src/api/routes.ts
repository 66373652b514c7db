import { WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Clock } from '../contracts/ports.ts';
import type { RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import { shown } from './call.ts';
import type { ControlParts } from './control.ts';
import {
  controlDestination,
  destinationAbout,
  destinationsAbout,
  forgetAbout,
  forgetDestination,
  listDestinations,
  showDestination,
  type Verb,
  verbAbouts,
} from './control.ts';
import { documentAnswer, openApiAbout } from './document.ts';
import { entries, entriesAbout } from './entries.ts';
import type { Need } from './guard.ts';
import type { IngestParts } from './ingest.ts';
import { ingest, ingestAbout } from './ingest.ts';
import { type Metrics, metricsAbout } from './metrics.ts';
import { entryProof, proofAbout } from './proofs.ts';
import {
  asideAbouts,
  controlQuarantine,
  listQuarantine,
  quarantineAbout,
  quarantinedAbout,
  quarantineOfAbout,
  showQuarantined,
} from './quarantine.ts';
import {
  discardOneRefused,
  discardRefusedAbout,
  listRefused,
  type RefusedParts,
  refusedAbout,
  refusedOneAbout,
  retryOneRefused,
  retryRefusedAbout,
  showRefused,
} from './refused.ts';
import { type ReloadParts, reloadAbout, reloadConfiguration } from './reload.ts';
import { resend, resendAbouts } from './resend.ts';
import { confirmClock, confirmClockAbout, type RetentionParts } from './retention.ts';
import { retrySource, retrySourceAbout, type SourceParts } from './sources.ts';
import { livez, livezAbout, readyz, readyzAbout, statusAbout, statusAnswer } from './status.ts';
import { type StreamCount, stream, streamAbout } from './stream.ts';
import { bundleAbout, checkpoint, checkpointAbout, entryBundle, hashTile, logAbout, logFacts, tileAbout } from './tlog.ts';

/** What the routes need. */
export interface RouteParts extends IngestParts, ControlParts, RefusedParts, ReloadParts, RetentionParts, SourceParts {
  readonly intake: IngestParts['intake'] & RefusedParts['intake'];
  readonly ledger: Pick<Ledger, 'origin' | 'read' | 'size' | 'beginning' | 'reserve' | 'waitBeyond'>;
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>;
  readonly streams: StreamCount;
  /** Whether the ledger has failed for good. */
  readonly ledgerFailed: () => boolean;
  readonly metrics: Metrics;
}

/**
 * One thing that can be asked for. `*` in a path stands for one part of it, which the call has in `params`; `**` at the end for one or more
 * parts, as one.
 */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly need: Need;
  /** What clients have to know. It is required of every row of `ROUTES`; pages have none. */
  readonly about?: RouteAbout;
  take(call: Call, parts: RouteParts): Answer | Promise<Answer>;
}

/** Everything that the API answers. */
export const ROUTES: readonly Route[] = [
  { method: 'POST', path: '/v1/events', need: 'ingest', about: ingestAbout, take: ingest },
  { method: 'GET', path: '/v1/entries', need: 'read', about: entriesAbout, take: (call, { ledger }) => entries(call, ledger) },
  { method: 'GET', path: '/v1/entries/*/proof', need: 'read', about: proofAbout, take: entryProof },
  { method: 'GET', path: '/v1/stream', need: 'read', about: streamAbout, take: stream },
  { method: 'GET', path: '/v1/status', need: 'read', about: statusAbout, take: (call, { status }) => statusAnswer(call, status) },
  { method: 'GET', path: '/v1/destinations', need: 'read', about: destinationsAbout, take: listDestinations },
  { method: 'GET', path: '/v1/destinations/*', need: 'read', about: destinationAbout, take: showDestination },
  verbRoute('pause'),
  verbRoute('resume'),
  verbRoute('retry'),
  { method: 'POST', path: '/v1/reload', need: 'control', about: reloadAbout, take: reloadConfiguration },
  { method: 'POST', path: '/v1/retention/confirm', need: 'control', about: confirmClockAbout, take: confirmClock },
  verbRoute('cancel'),
  resendRoute('replay'),
  resendRoute('recover'),
  { method: 'POST', path: '/v1/destinations/*/forget', need: 'control', about: forgetAbout, take: forgetDestination },
  { method: 'GET', path: '/v1/quarantine', need: 'read', about: quarantineAbout, take: listQuarantine },
  { method: 'GET', path: '/v1/quarantine/*', need: 'read', about: quarantineOfAbout, take: listQuarantine },
  { method: 'GET', path: '/v1/quarantine/*/*', need: 'read', about: quarantinedAbout, take: showQuarantined },
  asideRoute('redeliver'),
  asideRoute('waive'),
  { method: 'GET', path: '/v1/refused', need: 'read', about: refusedAbout, take: listRefused },
  { method: 'GET', path: '/v1/refused/*', need: 'read', about: refusedOneAbout, take: showRefused },
  { method: 'POST', path: '/v1/refused/*/retry', need: 'control', about: retryRefusedAbout, take: retryOneRefused },
  { method: 'POST', path: '/v1/refused/*/discard', need: 'control', about: discardRefusedAbout, take: discardOneRefused },
  { method: 'POST', path: '/v1/sources/*/retry', need: 'control', about: retrySourceAbout, take: retrySource },
  { method: 'GET', path: '/tlog/checkpoint', need: 'open', about: checkpointAbout, take: checkpoint },
  { method: 'GET', path: '/tlog/log.json', need: 'open', about: logAbout, take: logFacts },
  { method: 'GET', path: '/tlog/tile/entries/**', need: 'read', about: bundleAbout, take: entryBundle },
  { method: 'GET', path: '/tlog/tile/**', need: 'open', about: tileAbout, take: hashTile },
  { method: 'GET', path: '/metrics', need: 'read', about: metricsAbout, take: (call, { metrics }) => metrics.answer(call) },
  { method: 'GET', path: '/livez', need: 'open', about: livezAbout, take: (call, { ledgerFailed }) => livez(call, ledgerFailed()) },
  { method: 'GET', path: '/readyz', need: 'open', about: readyzAbout, take: (call, { ledger }) => readyz(call, ledger) },
  { method: 'GET', path: '/openapi.json', need: 'open', about: openApiAbout, take: (call) => openApi(call) },
];

const openApi = documentAnswer(ROUTES);

function resendRoute(verb: 'replay' | 'recover'): Route {
  const take: Route['take'] = (call, parts) => resend(call, verb, parts);
  return { method: 'POST', path: `/v1/destinations/*/${verb}`, need: 'control', about: resendAbouts[verb], take };
}

function asideRoute(verb: 'redeliver' | 'waive'): Route {
  const take: Route['take'] = (call, parts) => controlQuarantine(call, verb, parts);
  return { method: 'POST', path: `/v1/quarantine/*/${verb}`, need: 'control', about: asideAbouts[verb], take };
}

function verbRoute(verb: Verb): Route {
  const take: Route['take'] = (call, parts) => controlDestination(call, verb, parts);
  return { method: 'POST', path: `/v1/destinations/*/${verb}`, need: 'control', about: verbAbouts[verb], take };
}

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
  const open = wanted.at(-1) === '**';
  if (open ? parts.length < wanted.length : parts.length !== wanted.length) return null;
  const params: string[] = [];
  for (const [k, want] of wanted.entries()) {
    const part = parts[k] ?? '';
    if (want === '**') params.push(decoded(parts.slice(k).join('/')));
    else if (want === '*') params.push(decoded(part));
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
