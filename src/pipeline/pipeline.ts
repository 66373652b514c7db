import type { Config } from '../config/config.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Destination } from '../delivery/destination.ts';
import { type Intake, openIntake } from '../intake/sequencer.ts';
import { openEmbeddedLedger } from '../ledger/embedded/embedded.ts';
import { openIdentities } from '../ledger/identities/identities.ts';
import type { OpenPorts } from '../runtime/ports.ts';
import { openTree } from '../tree/follower.ts';
import { destinationKind } from './destinations.ts';
import { watchFreeSpace } from './free-space.ts';
import { PartSet } from './part-set.ts';
import { startScrubbing } from './scrubbing.ts';
import { type PipelineStatus, pipelineStatus } from './status.ts';
import { openWatchdog } from './watchdog.ts';

/** The module with the background jobs, for `openPorts`. */
export const JOBS: URL = new URL(import.meta.url.endsWith('.ts') ? './jobs.ts' : './jobs.js', import.meta.url);

/** The parts of a configuration, put together and at work. */
export interface Pipeline {
  readonly ledger: Ledger;
  readonly intake: Intake;
  /** The destinations as they are now: whoever keeps the map sees what a reload starts and stops. */
  readonly destinations: ReadonlyMap<string, Destination>;
  status(): PipelineStatus;
  /** Resolves with the reason once the process cannot go on: what was acknowledged is kept, and a restart is needed. */
  readonly failed: Promise<Error>;
  /**
   * Lets deliveries in flight come back for at most `drainMs`, then closes everything in the order of the data. What is left in flight is
   * in doubt.
   */
  stop(options: { readonly drainMs: number }): Promise<void>;
}

/** Memory for what was read and written last, so that live destinations never touch the disk. */
const RING_BYTES = 8 << 20;

/** Opens what the configuration names, in the order of the data. What was opened is closed again when a later part cannot be. */
export async function startPipeline(config: Config, ports: OpenPorts): Promise<Pipeline> {
  const opened: (() => Promise<unknown>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of opened.toReversed()) await close();
    opened.length = 0;
  };
  try {
    return await open(config, ports, opened, closeAll);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function open(
  config: Config,
  ports: OpenPorts,
  opened: (() => Promise<unknown>)[],
  closeAll: () => Promise<void>,
): Promise<Pipeline> {
  const { path } = config.ledger;
  const watchdog = openWatchdog();
  const ledger = await openEmbeddedLedger({ ...config.ledger, ringBytes: RING_BYTES }, ports);
  opened.push(() => ledger.close());
  watchdog.watch(ledger.failed);
  const openedAt = ports.clock.monotonic();
  const identities = await openIdentities({ path: `${path}/identities` }, ledger, ports, ({ at, through }) =>
    ports.log.info('reading identities', { at, through }),
  );
  opened.push(() => identities.close());
  const tree = await openTree(`${path}/tree`, ledger, ports);
  opened.push(() => tree.close());
  watchdog.watch(tree.failed);
  const sources = new Map(config.sources.map((source) => [source.name, source]));
  const intake = await openIntake({ ledger, identities, ports, sources, refusedPath: `${path}/refused` });
  opened.push(() => intake.close());
  watchdog.watch(intake.failed);
  const destinations = new PartSet(
    destinationKind(ledger, intake, () => ports.withOwnDisk()),
    watchdog,
  );
  // By now nobody waits any more: a stop has drained them, and what cannot start has nothing to wait for.
  opened.push(() => destinations.stopAll(0));
  for (const destination of config.destinations) await destinations.start(destination);
  const scrubbing = startScrubbing(ledger, ports);
  opened.push(() => scrubbing.close());
  const space = await watchFreeSpace(path, ports);
  opened.push(() => space.close());
  ports.log.info('the pipeline is at work', { origin: ledger.origin, size: ledger.size(), destinations: destinations.parts.size });

  const status = (): PipelineStatus =>
    pipelineStatus({
      ledger,
      identities,
      intake,
      tree,
      destinations: destinations.parts,
      damage: scrubbing.damage(),
      limitBytes: config.ledger.limitBytes,
      freeBytes: space.bytes(),
      openMs: ports.clock.monotonic() - openedAt,
    });
  return {
    ledger,
    intake,
    destinations: destinations.parts,
    status,
    failed: watchdog.failed,
    async stop({ drainMs }) {
      await destinations.stopAll(drainMs);
      await closeAll();
    },
  };
}
