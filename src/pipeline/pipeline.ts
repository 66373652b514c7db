import type { Config, DestinationConfig, SourceConfig } from '../config/config.ts';
import type { ReloadPlan } from '../config/plan-reload.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { Heads, TreeHashes } from '../contracts/heads.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Index } from '../contracts/units.ts';
import type { Destination } from '../delivery/destination.ts';
import type { Intake } from '../intake/sequencer.ts';
import type { OpenPorts } from '../runtime/ports.ts';
import { type ChangeableConfig, changeParts } from './change.ts';
import { type ConfigAuthor, openConfigNote } from './config-note.ts';
import { type Closers, type Core, openCore } from './core.ts';
import { destinationKind } from './destinations.ts';
import { watchFreeSpace } from './free-space.ts';
import { PartSet } from './part-set.ts';
import { openRemoved, type RemovedDestinations } from './removed.ts';
import { type RetentionOptions, startRetention } from './retention.ts';
import { refuseRewound } from './rewound.ts';
import { startScrubbing } from './scrubbing.ts';
import { isPushed, type PulledSource, sourceKind } from './sources.ts';
import { firstReceivedFrom } from './start-index.ts';
import { type PipelineStatus, pipelineStatus } from './status.ts';
import { takeOverNames } from './take-over-names.ts';
import { openTurns } from './turns.ts';
import { openWatchdog, type Watchdog } from './watchdog.ts';

/** The module with the background jobs, for `openPorts`. */
export const JOBS: URL = new URL(import.meta.url.endsWith('.ts') ? './jobs.ts' : './jobs.js', import.meta.url);

/** The parts of a configuration, put together and at work. */
export interface Pipeline {
  readonly ledger: Ledger;
  /** The published heads of the log, and the hashes under them. */
  readonly heads: Heads;
  readonly tree: TreeHashes;
  readonly intake: Intake;
  /** The configuration at work: another one after a change. */
  readonly config: Config;
  /** The pull sources as they are now, like the destinations. */
  readonly sources: ReadonlyMap<string, PulledSource>;
  /** The destinations as they are now: whoever keeps the map sees what a reload starts and stops. */
  readonly destinations: ReadonlyMap<string, Destination>;
  /** Destinations that were taken out of the configuration. */
  readonly removed: RemovedDestinations;
  /** The first index that was received at a time (milliseconds since 1970) or later; the size of the ledger when there is none. */
  indexAt(timeMs: number): Promise<Index>;
  status(): PipelineStatus;
  /** An operator says that the clock is right after it stepped: retention by age goes on. Answers whether that was in doubt. */
  confirmClock(): Promise<boolean>;
  /**
   * Goes over to another configuration by its plan, which has nothing refused: only what is named there is touched. Rejects with
   * `RELOAD_FAILED`, and everything is as before, when a part cannot be started. One change at a time, and none during a stop.
   */
  change(next: Config, plan: ReloadPlan, by: ConfigAuthor): Promise<void>;
  /** Resolves with the reason once the process cannot go on: what was acknowledged is kept, and a restart is needed. */
  readonly failed: Promise<Error>;
  /**
   * Lets deliveries in flight come back for at most `drainMs`, then closes everything in the order of the data. What is left in flight is
   * in doubt.
   */
  stop(options: { readonly drainMs: number }): Promise<void>;
}

/** Opens what the configuration names, in the order of the data. What was opened is closed again when a later part cannot be. */
export async function startPipeline(config: Config, ports: OpenPorts): Promise<Pipeline> {
  const opened: Closers = [];
  try {
    return await open(config, ports, opened);
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function open(config: Config, ports: OpenPorts, opened: Closers): Promise<Pipeline> {
  const watchdog = openWatchdog();
  const core = await openCore(config, ports, opened, watchdog);
  const { ledger, intake } = core;
  await takeOverNames(intake, config.sources);
  const openedAt = ports.clock.monotonic();
  const { destinations, pulled } = await openParts(config, core, ports, opened, watchdog);
  let current = config;
  const care = { ...core, ports, config: () => current, destinations: destinations.parts };
  const { retention, scrubbing, space } = await startCare(care, opened, watchdog);
  const note = openConfigNote(ledger.journal, intake, ports.log);
  await note.note(config.shown, { how: 'start' });
  ports.log.info('the pipeline is at work', { origin: ledger.origin, size: ledger.size(), destinations: destinations.parts.size });

  const turns = openTurns();
  const removed = openRemoved(
    ledger,
    intake,
    (name) => destinations.parts.has(name) || current.destinations.some((destination) => destination.name === name),
  );
  return {
    ledger,
    heads: core.heads,
    tree: core.tree,
    intake,
    sources: pulled.parts,
    destinations: destinations.parts,
    // Nobody forgets a destination while a change brings it back.
    removed: { ...removed, forget: (name) => turns.take(() => removed.forget(name)) },
    indexAt: (timeMs) => firstReceivedFrom(timeMs, ledger),
    failed: watchdog.failed,
    get config() {
      return current;
    },
    status: () =>
      pipelineStatus({
        ...core,
        config: current,
        destinations: destinations.parts,
        removed: removed.list(),
        pulled: pulled.parts,
        damage: scrubbing.damage(),
        retention: retention.status(),
        retainBytes: current.ledger.retain.bytes,
        limitBytes: current.ledger.limitBytes,
        freeBytes: space.bytes(),
        openMs: ports.clock.monotonic() - openedAt,
      }),
    confirmClock: () => retention.confirmClock(),
    change: (next, plan, by) =>
      turns.take(async () => {
        await changeParts({ sources: pulled, destinations, intake, ledger }, plan, changeable(current), changeable(next)).catch(
          (error: unknown) => {
            // Neither the new configuration nor the old one is at work: only a restart is left.
            if (!(isWaybillError(error) && error.code === 'RELOAD_FAILED')) watchdog.watch(Promise.reject(error));
            throw error;
          },
        );
        current = next;
        removed.changed();
        await note.note(next.shown, by, plan.changed);
      }),
    async stop({ drainMs }) {
      await pulled.stopAll(drainMs);
      await destinations.stopAll(drainMs);
      await closeAll(opened);
    },
  };
}

/** Starts what looks after the ledger in the background: retention, the check of what is stored, and the space that is left. */
async function startCare(parts: Core & RetentionOptions & { readonly ports: OpenPorts }, opened: Closers, watchdog: Watchdog) {
  const retention = startRetention(parts);
  opened.push(() => retention.close());
  watchdog.watch(retention.failed);
  const scrubbing = startScrubbing(parts, parts.ports);
  opened.push(() => scrubbing.close());
  const space = await watchFreeSpace(parts.config().ledger.path, parts.ports);
  opened.push(() => space.close());
  return { retention, scrubbing, space };
}

/** Starts every destination and every pull source of the configuration. */
async function openParts(config: Config, core: Core, ports: OpenPorts, opened: Closers, watchdog: Watchdog) {
  const { ledger, intake } = core;
  const destinations = new PartSet(destinationKind({ ...core, portsOf: () => ports.withOwnDisk(), observer: ports.observers }), watchdog);
  // By now nobody waits any more: a stop has drained them, and what cannot start has nothing to wait for.
  opened.push(() => destinations.stopAll(0));
  for (const destination of config.destinations) await destinations.start(destination);
  await refuseRewound(config.destinations, destinations.parts, ports.clock);
  const pulled = new PartSet(sourceKind(ledger, intake, ports, ports.observers), watchdog);
  opened.push(() => pulled.stopAll(0));
  for (const source of pulledOf(config)) await pulled.start(source);
  return { destinations, pulled };
}

async function closeAll(opened: Closers): Promise<void> {
  for (const close of opened.splice(0).toReversed()) await close();
}

function pulledOf({ sources }: Config): readonly SourceConfig[] {
  return sources.filter(({ type }) => !isPushed(type));
}

function changeable(config: Config): ChangeableConfig<SourceConfig, DestinationConfig> {
  return { ...config, pulled: pulledOf(config) };
}
