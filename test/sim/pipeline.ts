import type { SourceConfig } from '../../src/config/config.ts';
import { isWaybillError } from '../../src/contracts/errors.ts';
import type { Heads, PublishedHead, Signer } from '../../src/contracts/heads.ts';
import type { Ledger, Run } from '../../src/contracts/ledger.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import { asIndex, asSize } from '../../src/contracts/units.ts';
import type { Destination } from '../../src/delivery/destination.ts';
import type { NamedSource } from '../../src/intake/names.ts';
import { type Intake, openIntake } from '../../src/intake/sequencer.ts';
import { type EmbeddedLedger, openEmbeddedLedger } from '../../src/ledger/embedded/embedded.ts';
import { openIdentities } from '../../src/ledger/identities/identities.ts';
import { identityJobs } from '../../src/ledger/identities/jobs.ts';
import { takeOverNames } from '../../src/pipeline/take-over-names.ts';
import { openTree, type Tree } from '../../src/tree/follower.ts';
import { treeJobs } from '../../src/tree/grow.ts';
import { openHeads } from '../../src/tree/publisher.ts';
import { type KeyUse, makeSigningKey, openSigner, SEED_BYTES } from '../../src/tree/signing-key.ts';
import { Witnesses } from '../../src/tree/witnesses.ts';
import type { Chance } from './chance.ts';
import { type CheckpointWatch, recordedSize } from './checkpoint-check.ts';
import type { Configuration, DestinationSettings } from './configuration.ts';
import type { VirtualDisk } from './disk.ts';
import type { KnownTaken } from './known.ts';
import type { LedgerWatch } from './ledger-check.ts';
import { baseOf, type Naming } from './naming.ts';
import { backgroundOf, pass, portsOf } from './process.ts';
import type { PushRequest, PushResult } from './producer.ts';
import type { PullOrigin } from './pull-origin.ts';
import type { Receiver } from './receiver.ts';
import { watchedRetention } from './retention.ts';
import { startParts } from './running.ts';
import type { Plan } from './scenario.ts';
import type { TreeWatch } from './tree-check.ts';
import type { Witness } from './witness.ts';
import type { Life, World } from './world.ts';

/** Where the ledger lies on the virtual disk. */
export const LEDGER_PATH = '/data/ledger';
/** Where the real file sink writes. */
export const OUT_PATH = '/out/audit.ndjson';
/** How often a head is published: more often than by default, so that a crash meets more of them. */
const PUBLISH_MS = 100;
/** The keys of the simulated log. */
export const SIGNERS = { log: simulatedKey('log', 1), freshness: simulatedKey('freshness', 2), next: null, lost: null };
const NO_WITNESSES = { witnesses: [], quorum: 0 };
/** How long a hole in a producer's numbers may stay open. */
const GAP_AFTER_MS = 1_500;

/** What one life of the process opens. */
export interface LifeParts {
  readonly world: World;
  readonly plan: Plan;
  readonly disk: VirtualDisk;
  readonly life: Life;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly origins: readonly PullOrigin[];
  readonly known: KnownTaken;
  readonly watch: LedgerWatch;
  readonly heads: TreeWatch;
  readonly witness: Witness;
  readonly checkpoints: CheckpointWatch;
  readonly configuration: Configuration;
  readonly naming: Naming;
}

/** The whole pipeline, open in one life of the process. */
export interface OpenPipeline {
  readonly ledger: Pick<Ledger, 'size'>;
  readonly destinations: ReadonlyMap<string, Destination>;
  /** Resolves with the reason once the process has to stop. */
  readonly failed: Promise<unknown>;
  /** What the API does with a request. */
  submit(request: PushRequest, signal: AbortSignal): Promise<PushResult>;
  /** The index below which a destination is certainly known to have everything. */
  acknowledged(destination: string): number;
  /** An operator says that the clock is right. */
  confirmClock(): Promise<unknown>;
  /** Checks the full segments. `ended`: the process ends before it is through. */
  scrub(): Promise<'whole' | 'damaged' | 'ended'>;
  /** Goes over to other settings, which fails when `fails` says so. */
  reload(settings: DestinationSettings, fails: boolean): Promise<void>;
  /** Goes over to other names of sources, which fails when `fails` says so. */
  rename(named: readonly NamedSource[], fails: boolean): Promise<void>;
  /** A sequencer that believes in a size that it looked at a while ago: it must be fenced. */
  appendLate(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** How the ledger of a scenario is opened: small enough that segments turn and snapshots are written. */
export function ledgerOptions(plan: Plan, limitBytes: number | null = null) {
  return {
    origin: 'sim.example/audit',
    path: LEDGER_PATH,
    limitBytes,
    segmentBytes: plan.segmentBytes,
    reservedBytes: 16_384,
    aheadBytes: 16_384,
    ringBytes: plan.ringBytes,
    groupBytes: plan.groupBytes,
  };
}

/** Opens the ledger and nothing else. */
export function openLedgerAlone(plan: Plan, ports: Ports): Promise<EmbeddedLedger> {
  return openEmbeddedLedger(ledgerOptions(plan), ports);
}

/** Opens everything in the order in which the product does. */
export async function openPipeline(parts: LifeParts): Promise<OpenPipeline> {
  const { world, plan, disk, life, watch } = parts;
  const bare = portsOf(world, life, disk);
  const ports = { ...bare, background: backgroundOf(world, life, { ...identityJobs(bare.disk), ...treeJobs }) };
  const limitBytes = world.time < plan.safetyMs ? plan.limitBytes : null;
  const ledger = await openEmbeddedLedger(ledgerOptions(plan, limitBytes), ports);
  watch.opened(ledger.size());
  const recorded = recordedSize(ledger.register.get('tree.head'));
  if (recorded !== null) parts.checkpoints.started(recorded);
  const identities = await openIdentities({ path: '/data/identities', memtableEntries: plan.memtableEntries }, ledger, ports);
  // Whoever ruined its files knows better.
  if (world.coverage.of('tree lost') === 0)
    for (const fault of parts.heads.stored('/data/tree', (path) => disk.peek(path))) world.fail(fault);
  const tree = await openTree('/data/tree', ledger, ports, { storeEvery: plan.memtableEntries });
  const signed = await openHeads({
    ledger,
    tree,
    signers: SIGNERS,
    ports,
    publishMs: PUBLISH_MS,
    adoptKey: async () => {},
    witnesses: new Witnesses(NO_WITNESSES, tree, ports),
  });
  const named = parts.naming.all();
  const sources = new Map(sourcesOf(plan, named).map((source) => [source.name, source]));
  const intake = await openIntake({ ledger, identities, ports, sources, gapAfterMs: GAP_AFTER_MS, refusedPath: '/data/refused' });
  const stop = new AbortController();
  await takeOverFile(parts, intake, named);
  const running = await startParts({ ...parts, ledger, intake, ports, signed }, named, limitBytes);
  const destinations = running.destinations.parts;
  const retention = watchedRetention({ ...parts, ledger, identities, tree, heads: signed, intake, ports, destinations });
  const requests = new Set<Promise<unknown>>();
  const auditing = audit(ledger, tree, parts, stop.signal);
  world.watch('reader of heads', readHeads(signed, { ledger, tree }, parts, stop.signal));
  world.watch('auditor', auditing);
  return {
    ledger,
    destinations,
    failed: Promise.race([ledger.failed, intake.failed, tree.failed, signed.failed, retention.failed, running.failed]),
    async submit(request, signal) {
      const answer = submit(intake, running.named(), request, signal);
      requests.add(answer);
      try {
        return await answer;
      } finally {
        requests.delete(answer);
      }
    },
    acknowledged: (name) => parts.known.below(name),
    confirmClock: () => retention.confirmClock(),
    scrub: () => scrub(ledger, stop.signal),
    reload: (settings, fails) => running.reload(settings, fails),
    rename: (others, fails) => running.rename(others, fails),
    appendLate: (ms) => appendLate(parts, ledger, ms),
    async close() {
      stop.abort(new Error('the process ends'));
      await running.stopSources();
      await Promise.allSettled(requests);
      await running.destinations.stopAll(200);
      await retention.close();
      await auditing;
      await intake.close();
      await signed.close();
      await tree.close();
      await identities.close();
      await ledger.close();
    },
  };
}

async function scrub(ledger: EmbeddedLedger, signal: AbortSignal): Promise<'whole' | 'damaged' | 'ended'> {
  try {
    await ledger.scrub(signal);
    return 'whole';
  } catch (error) {
    if (signal.aborted) return 'ended';
    if (isWaybillError(error)) return error.code === 'LEDGER_CORRUPT' ? 'damaged' : 'ended';
    throw error;
  }
}

function simulatedKey(use: KeyUse, seed: number): Signer {
  const origin = 'sim.example/audit';
  return openSigner(makeSigningKey(origin, use, Buffer.alloc(SEED_BYTES, seed)), { origin, use, place: 'the simulation' });
}

/** The sources under the names that the operator's file gives them. */
export function sourcesOf({ push, pull }: Plan, named: readonly NamedSource[]): readonly SourceConfig[] {
  return named.map(({ name, renamedFrom }) => {
    const base = baseOf(name);
    const sent = push.find((source) => source.name === base);
    const read = pull.find((source) => source.name === base);
    const schema = sent?.schema ?? 'json';
    const idField = schema === 'json' && read?.identified !== false ? 'id' : null;
    return { name, type: 'model', schema, idField, onInvalid: 'refuse', gapAfterMs: GAP_AFTER_MS, rate: null, renamedFrom, settings: null };
  });
}

/** Takes the names of the file over. Whoever looks after the process writes what it says where they cannot be had. */
async function takeOverFile({ naming }: LifeParts, intake: Intake, named: readonly NamedSource[]): Promise<void> {
  try {
    await takeOverNames(intake, named);
  } catch (error) {
    if (isWaybillError(error) && error.code === 'RENAME_REFUSED' && !naming.correct(error.message))
      throw new Error(`names that must be had were refused: ${error.message}`, { cause: error });
    throw error;
  }
  naming.took(named);
}

/** What the API does with a request. Its sender knows the name of now, or, while that changes, the one of before. */
async function submit(intake: Intake, named: readonly NamedSource[], request: PushRequest, signal: AbortSignal): Promise<PushResult> {
  const known = named.find(({ name }) => baseOf(name) === request.source)?.name ?? request.source;
  const check = (name: string) => ({ source: name, checked: intake.check(name, Buffer.from(request.body), 'lines') });
  const { source, checked } = attempted(() => check(known)) ?? check(intake.names.current(known));
  const { partial, idempotencyKey } = request;
  return intake.submit({ source, checked, partial, ...(idempotencyKey === null ? {} : { idempotencyKey }) }, signal);
}

/** What a check says, or `null` where there is no source of this name. */
function attempted<Out>(check: () => Out): Out | null {
  try {
    return check();
  } catch (error) {
    if (isWaybillError(error) && error.code === 'SOURCE_UNKNOWN') return null;
    throw error;
  }
}

/** Reads what becomes durable, from an index that is never the same, looks at the tree, and shows both to the watches. */
async function audit(ledger: Ledger, tree: Tree, { world, life, watch, heads }: LifeParts, signal: AbortSignal): Promise<void> {
  const chance = world.chance.fork(`audit/${life.number}`);
  let from = chance.int(ledger.beginning(), Math.min(ledger.size(), watch.seen));
  try {
    while (!signal.aborted) {
      from = Math.max(from, ledger.beginning());
      if (ledger.size() <= from) await ledger.waitBeyond(asSize(from), signal);
      const batch = await ledger.read(asIndex(from), { entries: chance.int(1, 200), bytes: chance.pick([1_000, 100_000]) });
      watch.read(batch);
      from += batch.count;
      await pass(world, life, chance.logarithmic(1, 200));
      heads.head(tree.head());
      await showTile(tree, heads, chance);
    }
  } catch (error) {
    if (!signal.aborted && !isWaybillError(error)) throw error;
  }
}

/** Asks for some tile, which may be a full one or not, and as it was when the tree was smaller. */
async function showTile(tree: Tree, heads: TreeWatch, chance: Chance): Promise<void> {
  const size = tree.size();
  const level = size >= 256 && chance.hit(0.3) ? 1 : 0;
  const hashes = Math.floor(size / 256 ** level);
  if (hashes === 0) return;
  const n = Math.floor(chance.int(0, hashes - 1) / 256);
  const width = chance.int(1, Math.min(256, hashes - 256 * n));
  const bytes = await tree.tile(level, n, width);
  if (bytes !== null) heads.tile(level, n, bytes);
}

/** Keeps every head that is published, as a receiver of checkpoints does. */
async function readHeads(
  signed: Heads,
  { ledger, tree }: { readonly ledger: Ledger; readonly tree: Tree },
  { world, heads, witness }: LifeParts,
  signal: AbortSignal,
): Promise<void> {
  let seen: PublishedHead | null = null;
  try {
    for (;;) {
      seen = await signed.waitNewer(seen, signal);
      const fault = heads.published(seen, ledger.size()) ?? (await witness.look(seen, tree));
      if (fault !== null) world.fail(fault);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function appendLate({ world, life }: LifeParts, ledger: Ledger, ms: number): Promise<void> {
  const entry = Buffer.from(
    '{"v":1,"source":"push0","n":0,"partition":null,"position":null,"received_at":"2026-01-01T00:00:00.000Z",' +
      '"id":"zombie","schema":"json","event":{"id":"zombie"}}',
  );
  const run: Run = { source: 'push0', partition: null, position: null, bytes: entry, offsets: Uint32Array.of(0, entry.length), count: 1 };
  const expected = ledger.assigned();
  try {
    const room = await ledger.reserve(1, entry.length);
    await pass(world, life, ms);
    if (ledger.assigned() === expected) {
      room.release();
      return;
    }
    await ledger.append(run, expected, room);
    world.fail('the append of a zombie was accepted');
  } catch (error) {
    if (!isWaybillError(error)) throw error;
    world.tell(`zombie: ${error.code}`);
  }
}
