import type { Config } from '../config/config.ts';
import type { Destination, DestinationStatus } from '../delivery/destination.ts';
import type { Intake, SourceCounts } from '../intake/sequencer.ts';
import type { EmbeddedLedger } from '../ledger/embedded/embedded.ts';
import type { OpenIdentities } from '../ledger/identities/identities.ts';
import type { TreeHead, TreeStatus } from '../tree/follower.ts';
import type { HeadsStatus } from '../tree/publisher.ts';
import type { RetentionStatus } from './retention.ts';
import type { PulledSource, PulledStatus } from './sources.ts';

/** The whole pipeline as an operator sees it: the answer of `GET /v1/status`. */
export interface PipelineStatus {
  readonly ledger: {
    readonly origin: string;
    /** How many entries were numbered, and how many of them are durable. */
    readonly size: number;
    readonly durable: number;
    readonly beginning: number;
    /** The newest head of the tree that was computed; it is not signed. */
    readonly head: TreeHead;
    /** The hashes of the tree, whose bytes are beside those of the ledger and its limit. */
    readonly tree: TreeStatus;
    /** The heads that were signed. */
    readonly heads: HeadsStatus;
    /** `limit`: what the configuration allows, `null` for no limit. `free`: what can still be written, by the limit and the disk. */
    readonly bytes: { readonly used: number; readonly limit: number | null; readonly free: number | null };
    /**
     * How long the free space lasts at the rate since the start; `null` in the first ten minutes, when nothing was written yet, when nobody
     * knows what is free, and while retention keeps the ledger below `retain.bytes`.
     */
    readonly days_left: number | null;
    readonly identities: { readonly entries: number; readonly rebuilding: boolean };
    /** What the check of older segments found; `null` while all is well. */
    readonly damage: string | null;
    readonly retention: RetentionStatus;
  };
  readonly sources: Readonly<Record<string, SourceStatus>>;
  readonly producers: ReturnType<Intake['status']>['producers'];
  readonly refused_bytes: number;
  readonly destinations: Readonly<Record<string, TypedDestination>>;
}

/** A source: what came of its events, and how it is read where it is pulled. */
export type SourceStatus = SourceCounts & { readonly type: string; readonly entries: number; readonly pulled?: PulledStatus };

/** A destination with the type of its sink; `null` for one that is not in the configuration any more. */
export type TypedDestination = DestinationStatus & { readonly type: string | null };

/** What a status is made of. */
export interface StatusParts {
  /** The configuration at work. */
  readonly config: Pick<Config, 'sources' | 'destinations'>;
  readonly ledger: EmbeddedLedger;
  readonly identities: OpenIdentities;
  readonly intake: Intake;
  readonly tree: { head(): TreeHead; status(): TreeStatus };
  readonly heads: { status(): HeadsStatus };
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly pulled: ReadonlyMap<string, PulledSource>;
  readonly removed: ReadonlyMap<string, DestinationStatus>;
  readonly damage: string | null;
  readonly retention: RetentionStatus;
  /** What retention lets the ledger take; `null` when that is no reason to remove anything. */
  readonly retainBytes: number | null;
  readonly limitBytes: number | null;
  /** What the file system still takes. */
  readonly freeBytes: number | null;
  /** How long the ledger has been open. */
  readonly openMs: number;
}

const DAY_MS = 86_400_000;
/** Before that a rate says nothing: a start catches up with whoever waited. */
const RATE_AFTER_MS = 600_000;

/** Looks at every part. It waits for nothing. */
export function pipelineStatus(parts: StatusParts): PipelineStatus {
  const { ledger, identities, intake, tree, destinations, damage, limitBytes } = parts;
  const { used, placed } = ledger.space();
  // What is removed in time leaves the space as it is.
  const steady = parts.retainBytes !== null && parts.retention.state === 'idle';
  const { entries, rebuilding } = identities.facts();
  const { sources, producers, refusedBytes } = intake.status();
  const free = freeBytes(used, parts);
  const sourceTypes = typesOf(parts.config.sources);
  const destinationTypes = typesOf(parts.config.destinations);
  return {
    ledger: {
      origin: ledger.origin,
      size: ledger.assigned(),
      durable: ledger.size(),
      beginning: ledger.beginning(),
      head: tree.head(),
      tree: tree.status(),
      heads: parts.heads.status(),
      bytes: { used, limit: limitBytes, free },
      days_left: steady ? null : daysLeft(free, placed, parts.openMs),
      identities: { entries, rebuilding },
      damage,
      retention: parts.retention,
    },
    sources: Object.fromEntries(
      [...sources].map(([name, counts]) => {
        const source = parts.pulled.get(name);
        const typed = { type: sourceTypes.get(name) ?? '', ...counts };
        return [name, source === undefined ? typed : { ...typed, pulled: source.status() }];
      }),
    ),
    producers,
    refused_bytes: refusedBytes,
    destinations: Object.fromEntries([
      ...inOrder(destinations, [...destinationTypes.keys()]).map(
        ([name, one]) => [name, { type: destinationTypes.get(name) ?? null, ...one.status() }] as const,
      ),
      ...[...parts.removed].map(([name, status]) => [name, { type: null, ...status }] as const),
    ]),
  };
}

function typesOf(parts: readonly { readonly name: string; readonly type: string }[]): ReadonlyMap<string, string> {
  return new Map(parts.map(({ name, type }) => [name, type]));
}

/** The parts in the order of the configuration: one that was restarted stands last in the map. */
export function inOrder<Part>(parts: ReadonlyMap<string, Part>, names: readonly string[]): readonly (readonly [string, Part])[] {
  const place = new Map(names.map((name, at) => [name, at]));
  return [...parts].toSorted(([a], [b]) => (place.get(a) ?? names.length) - (place.get(b) ?? names.length));
}

/** How long the free space lasts at the rate of a time that is long enough to tell; `null`: nobody knows. */
export function daysLeft(free: number | null, placed: number, openMs: number): number | null {
  return free === null || placed === 0 || openMs < RATE_AFTER_MS ? null : free / (placed / openMs) / DAY_MS;
}

function freeBytes(used: number, { limitBytes, freeBytes: onDisk }: StatusParts): number | null {
  if (limitBytes === null) return onDisk;
  const allowed = Math.max(0, limitBytes - used);
  return onDisk === null ? allowed : Math.min(allowed, onDisk);
}
