import type { ApiConfig } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Clock } from '../contracts/ports.ts';
import type { Attempts } from './attempts.ts';
import type { Caller, Guard } from './guard.ts';
import { createGuard } from './guard.ts';
import { createRateLimits } from './limits.ts';
import type { FindRoute, RouteParts } from './routes.ts';

/** The sources that take requests, and how many events a second each may take (`null`: no limit). */
export type ApiSources = ReadonlyMap<string, { readonly rate: number | null }>;

/** Everything about answering that the configuration decides. A reload replaces it whole; a request keeps the one it began with. */
export interface Policy {
  readonly guard: Guard;
  readonly findRoute: FindRoute;
  readonly routes: RouteParts;
  /** Counts a request that only reads, or throws `RATE_LIMITED`. */
  readonly countRead: (caller: Caller) => void;
}

/** What stays the same whatever the configuration says. */
export interface PolicyParts {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly attempts: Attempts;
  readonly routes: Omit<RouteParts, 'sources' | 'limits' | 'rates' | 'callerRates'>;
  readonly findRouteFor: (config: ApiConfig) => FindRoute;
}

/** Stands for whoever comes without a name, where there are no tokens. */
const ANYBODY = 'anybody';

/** Makes the policy of a configuration. Throws `LISTEN_UNSAFE` for one that would let everybody in. */
export function createPolicy(config: ApiConfig, sources: ApiSources, { clock, attempts, routes, findRouteFor }: PolicyParts): Policy {
  const { tokens, limits } = config;
  const reads = createRateLimits(new Map([ANYBODY, ...tokens.map(({ name }) => name)].map((name) => [name, limits.reads])), clock, {
    of: 'the token',
    things: 'reading requests',
  });
  return {
    guard: createGuard(config, clock, attempts),
    findRoute: findRouteFor(config),
    routes: {
      ...routes,
      limits,
      sources: [...sources.keys()],
      rates: createRateLimits(new Map([...sources].map(([name, { rate }]) => [name, rate])), clock, { of: 'source', things: 'events' }),
      callerRates: createRateLimits(new Map(tokens.map(({ name, rate }) => [name, rate])), clock, { of: 'the token', things: 'events' }),
    },
    countRead: ({ name }) => reads.take(name ?? ANYBODY, 1),
  };
}

/** Says that a listener does not answer a path, although this program knows it. */
export function notServed(path: string): WaybillError {
  return new WaybillError('PATH_UNKNOWN', `${path} is not served at this address; api.listeners says what is served where`);
}
