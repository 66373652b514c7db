import type { Config } from '../config/config.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { PublishedHead } from '../contracts/heads.ts';
import { asIndex } from '../contracts/units.ts';
import { type Intake, openIntake } from '../intake/sequencer.ts';
import { type EmbeddedLedger, openEmbeddedLedger } from '../ledger/embedded/embedded.ts';
import { type OpenIdentities, openIdentities } from '../ledger/identities/identities.ts';
import type { OpenPorts } from '../runtime/ports.ts';
import { openTree, type Tree } from '../tree/follower.ts';
import { type OpenHeads, openHeads } from '../tree/publisher.ts';
import { Witnesses } from '../tree/witnesses.ts';
import { keyStoreOf } from './keys.ts';
import { receivedAt } from './start-index.ts';
import type { Watchdog } from './watchdog.ts';

/** What every pipeline has, whatever its sources and destinations are. It stays open as long as the process runs. */
export interface Core {
  readonly ledger: EmbeddedLedger;
  readonly identities: OpenIdentities;
  readonly tree: Tree;
  readonly heads: OpenHeads;
  readonly intake: Intake;
}

/** What has to be closed when the pipeline ends, or when it cannot be opened whole. The last one is closed first. */
export type Closers = (() => Promise<unknown>)[];

/** Memory for what was read and written last, so that live destinations never touch the disk. */
const RING_BYTES = 8 << 20;

/** Opens the ledger and what belongs to it, in the order of the data. */
export async function openCore(config: Config, ports: OpenPorts, opened: Closers, watchdog: Watchdog): Promise<Core> {
  const { path } = config.ledger;
  const ledger = await openEmbeddedLedger({ ...config.ledger, ringBytes: RING_BYTES }, ports);
  opened.push(() => ledger.close());
  watchdog.watch(ledger.failed);
  const keys = keyStoreOf(config.ledger, ports.disk);
  const signers = await keys.load();
  ports.log.info('heads are signed with this key', { verifier_key: signers.log.verifierKey });
  const identities = await openIdentities({ path: `${path}/identities` }, ledger, ports, ({ at, through }) =>
    ports.log.info('reading identities', { at, through }),
  );
  opened.push(() => identities.close());
  // Its flushes are large and nobody waits for them: they must not delay those of the ledger.
  const patient = ports.withPatientDisk();
  opened.push(() => patient.closeOwn());
  const tree = await openTree(`${path}/tree`, ledger, patient);
  opened.push(() => tree.close());
  watchdog.watch(tree.failed);
  const heads = await openHeads({
    ledger,
    tree,
    signers,
    ports,
    publishMs: config.ledger.publishMs,
    adoptKey: () => keys.adopt(),
    witnesses: new Witnesses({ witnesses: config.ledger.witnesses, quorum: config.ledger.witnessQuorum }, tree, ports),
    onPublished: (head, before) => void observePublished(head, before, ledger, ports),
  });
  opened.push(() => heads.close());
  watchdog.watch(heads.failed);
  const sources = new Map(config.sources.map((source) => [source.name, source]));
  const intake = await openIntake({ ledger, identities, ports, sources, refusedPath: `${path}/refused` });
  opened.push(() => intake.close());
  watchdog.watch(intake.failed);
  await heads.declareKeys((facts, key) => intake.control('key.rotated', facts, key));
  return { ledger, identities, tree, heads, intake };
}

/** Tells observers how old the oldest entry was that is under a head for the first time. */
async function observePublished(
  head: PublishedHead,
  before: PublishedHead | null,
  ledger: EmbeddedLedger,
  ports: OpenPorts,
): Promise<void> {
  // Before the first head nobody knows how long entries have waited: the process was not there.
  if (before === null) return;
  try {
    const ms = Math.max(0, ports.clock.now() - (await receivedAt(asIndex(before.size), ledger)));
    ports.observers.published({ size: head.size, ms });
  } catch (error) {
    // What could not be read is told by those who need it.
    if (!isWaybillError(error)) throw error;
  }
}
