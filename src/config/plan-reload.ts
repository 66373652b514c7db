import { isDeepStrictEqual } from 'node:util';
import type { Config, DestinationConfig, ListenAddress, ListenerConfig } from './config.ts';
import { changedPaths } from './leaves.ts';

/** What becomes of the parts of one kind, by name, in the order of the new file. */
export interface PartChanges {
  /** It goes on untouched. */
  readonly kept: readonly string[];
  /** It goes on by other rules, without a pause. */
  readonly changed: readonly string[];
  /** It is stopped, and started with its new configuration. */
  readonly restarted: readonly string[];
  readonly started: readonly string[];
  readonly stopped: readonly string[];
}

/** What a reload does: the difference of two configurations as work. */
export interface ReloadPlan {
  /** What cannot change while the process runs, and why. If there is anything, nothing at all is changed. */
  readonly refused: readonly string[];
  /** Paths of the file whose values are other ones, secrets among them; never a value. */
  readonly changed: readonly string[];
  readonly sources: PartChanges;
  readonly destinations: PartChanges;
  /** By address. A listener is changed when what it serves is; its connections stay. */
  readonly listeners: PartChanges;
}

/** Of the ledger only its limits may change: all else is what its files are made of. */
const LEDGER_FIXED = [
  ['origin', 'origin', 'it is the name of this ledger for good; another origin needs another ledger, in another directory'],
  ['path', 'path', 'stop the process, move the directory, and start it again'],
  ['segmentBytes', 'segment', 'restart the process to change it'],
  ['publishMs', 'publish', 'restart the process to change it'],
  ['witnessQuorum', 'witness_quorum', 'restart the process to change it'],
  ['reservedBytes', 'reserve', 'restart the process to change it'],
] as const;

/**
 * Compares two configurations. It changes nothing and does no I/O. `isPushed` says whether sources of a type are called by their senders:
 * such a source has nothing to restart.
 */
export function planReload(old: Config, next: Config, isPushed: (type: string) => boolean): ReloadPlan {
  return {
    refused: [
      ...LEDGER_FIXED.filter(([key]) => old.ledger[key] !== next.ledger[key]).map(([, key, why]) => `ledger.${key} cannot change: ${why}`),
      ...(['keys', 'witnesses'] as const)
        .filter((key) => !isDeepStrictEqual(old.ledger[key], next.ledger[key]))
        .map((key) => `ledger.${key} cannot change: restart the process to change it`),
      ...renamed(old, next),
      ...moded(old, next),
      ...(old.tracesEndpoint === next.tracesEndpoint
        ? []
        : ['telemetry.traces.endpoint is read at a start: restart the process to change it']),
    ],
    changed: changedPaths(old.digests, next.digests),
    sources: partChanges(old.sources, next.sources, (before, after) => {
      if (isDeepStrictEqual(before, after)) return 'kept';
      // What it was called before is read when the new name comes, and never again.
      if (isDeepStrictEqual({ ...before, renamedFrom: null }, { ...after, renamedFrom: null })) return 'changed';
      return before.type === after.type && isPushed(after.type) ? 'changed' : 'restarted';
    }),
    destinations: partChanges(old.destinations, next.destinations, (before, after) => {
      if (isDeepStrictEqual(before, after)) return 'kept';
      return isDeepStrictEqual(whileOpen(before), whileOpen(after)) ? 'changed' : 'restarted';
    }),
    listeners: partChanges(listenersOf(old), listenersOf(next), (before, after) => (isDeepStrictEqual(before, after) ? 'kept' : 'changed')),
  };
}

/** A cursor that was handed over cannot be handed back, and a reload has to be able to. A source can be named back. */
function renamed(old: Config, next: Config): string[] {
  const before = new Set(old.destinations.map(({ name }) => name));
  return next.destinations
    .filter(({ name, renamedFrom }) => renamedFrom !== null && before.has(renamedFrom) && !before.has(name))
    .map(({ name }) => `destinations.${name}.renamed_from takes effect at a start: restart the process`);
}

/** An address that is listened on cannot be opened a second time, and closed it could not be had back for certain. */
function moded(old: Config, next: Config): string[] {
  const before = new Map(old.api.listeners.map((listener) => [addressText(listener.listen), listenMode(listener)]));
  return next.api.listeners.flatMap(({ listen, tls }) => {
    const was = before.get(addressText(listen));
    const mode = listenMode({ tls });
    if (was === undefined || was === mode || listen.port === 0) return [];
    return [`${addressText(listen)} cannot go from ${was} to ${mode} while it is listened on: restart the process, or take another port`];
  });
}

/** How connections to an address are made, in words. Where that changes the address has to be opened anew. */
export function listenMode({ tls }: Pick<ListenerConfig, 'tls'>): string {
  if (tls === null) return 'plain HTTP';
  return tls.clientCa === null ? 'TLS' : `TLS with client certificates (${tls.clientCert})`;
}

/** True when a reload by this plan would do nothing. */
export function isIdle({ refused, changed }: ReloadPlan): boolean {
  return refused.length === 0 && changed.length === 0;
}

/** An address in one word: `127.0.0.1:8400`. */
export function addressText({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

type Fate = 'kept' | 'changed' | 'restarted';

function partChanges<Part extends { readonly name: string }>(
  old: readonly Part[],
  next: readonly Part[],
  fateOf: (before: Part, after: Part) => Fate,
): PartChanges {
  const before = new Map(old.map((part) => [part.name, part]));
  const after = new Set(next.map(({ name }) => name));
  const named = (wanted: Fate | 'started') => next.filter((part) => fate(part) === wanted).map(({ name }) => name);
  const fate = (part: Part): Fate | 'started' => {
    const was = before.get(part.name);
    return was === undefined ? 'started' : fateOf(was, part);
  };
  return {
    kept: named('kept'),
    changed: named('changed'),
    restarted: named('restarted'),
    started: named('started'),
    stopped: old.map(({ name }) => name).filter((name) => !after.has(name)),
  };
}

/** A destination without what is only read when it has no cursor, and what only retention reads. */
function whileOpen(config: DestinationConfig): unknown {
  return { ...config, start: null, maxLag: null };
}

function listenersOf({ api }: Config): readonly { readonly name: string }[] {
  return api.listeners.map((listener) => ({ name: addressText(listener.listen), ...listener }));
}
