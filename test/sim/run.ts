import { createEmbeddedLedger } from '../../src/ledger/embedded/create.ts';
import { Book } from './book.ts';
import { CheckpointWatch } from './checkpoint-check.ts';
import { Configuration } from './configuration.ts';
import { checkGaps, checkRefusals, checkTargets, declaredGone } from './control-check.ts';
import type { Coverage } from './coverage.ts';
import { Damage } from './damage-watch.ts';
import { checkDestination, DeliveryWatch } from './delivery-check.ts';
import { VirtualDisk } from './disk.ts';
import { afterTheLoss } from './epilogue.ts';
import { checkFile } from './file-check.ts';
import { KnownTaken } from './known.ts';
import { checkLedger, LedgerWatch, type ReadEntry, readLedger } from './ledger-check.ts';
import { Machine } from './machine.ts';
import { beginMisfortune, type Reach } from './misfortune.ts';
import { beginRenamings, Naming } from './naming.ts';
import { attend, tendClock } from './operators.ts';
import { ledgerOptions, OUT_PATH, openLedgerAlone, openPipeline, SIGNERS } from './pipeline.ts';
import { portsOf } from './process.ts';
import { PushSource } from './producer.ts';
import { PullOrigin } from './pull-origin.ts';
import { Receiver } from './receiver.ts';
import { beginReloads } from './reload.ts';
import { CALM_DISK, CALM_RECEIVER, drawPlan, type Plan } from './scenario.ts';
import { keepNoSignals } from './signals.ts';
import { TreeWatch } from './tree-check.ts';
import { Witness } from './witness.ts';
import { type Life, World } from './world.ts';

keepNoSignals();

/** How long everything may take to arrive once nothing goes wrong any more, in virtual time. */
const LIVENESS_MS = 400_000;
/** How long nothing may change before everything counts as arrived: longer than a hole in a producer's numbers stays open. */
const QUIET_MS = 3_000;

/** How many entries at the end may wait for a later one. */
const TAIL_MAX = 100;

/** What a seed did. */
export interface SeedResult {
  readonly seed: number;
  readonly plan: Plan;
  /** Equal for two runs of one seed. */
  readonly storyHash: string;
  /** What went wrong, or `null`. */
  readonly violation: Error | null;
  readonly steps: number;
  readonly lives: number;
  readonly entries: number;
  readonly deliveries: number;
  readonly repeats: number;
  /** What went wrong in it, and how often. */
  readonly coverage: Coverage;
}

/** Everything of one seed. */
export interface Scene {
  readonly world: World;
  readonly plan: Plan;
  readonly disk: VirtualDisk;
  readonly book: Book;
  readonly machine: Machine;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly origins: readonly PullOrigin[];
  readonly producers: readonly PushSource[];
  readonly delivery: DeliveryWatch;
  readonly known: KnownTaken;
  readonly ledger: LedgerWatch;
  readonly heads: TreeWatch;
  readonly witness: Witness;
  readonly checkpoints: CheckpointWatch;
  readonly reach: Reach;
  readonly configuration: Configuration;
  readonly naming: Naming;
}

/** Runs one seed from an empty disk to the last comparison. It does not throw: what went wrong is in the result. */
export async function runSeed(seed: number, print: ((line: string) => void) | null = null): Promise<SeedResult> {
  const world = new World(seed, print);
  const plan = drawPlan(world.chance.fork('plan'));
  print?.(`seed ${seed}: ${JSON.stringify(plan)}`);
  const unhandled = (error: unknown): void =>
    world.fail(`a promise was left alone: ${error instanceof Error ? error.stack : String(error)}`);
  process.on('unhandledRejection', unhandled);
  const scene = setScene(world, plan);
  let entries: readonly ReadEntry[] = [];
  try {
    await createLedger(scene);
    await misfortunePhase(scene);
    await livenessPhase(scene);
    if (world.violation === null) entries = await compare(scene);
    const again = world.violation === null ? await afterTheLoss(scene, entries) : null;
    if (again !== null) {
      await livenessPhase(again);
      if (world.violation === null) entries = await compare(again);
    }
  } catch (error) {
    world.violation ??= error instanceof Error ? error : new Error(String(error));
  } finally {
    process.off('unhandledRejection', unhandled);
  }
  const deliveries = [...scene.receivers.values()].reduce((sum, receiver) => sum + receiver.attempts.length, 0);
  return {
    seed,
    plan,
    storyHash: world.storyHash(),
    violation: world.violation,
    steps: world.steps,
    lives: scene.machine.opened,
    entries: entries.length,
    deliveries,
    repeats: scene.delivery.repeats,
    coverage: world.coverage,
  };
}

function setScene(world: World, plan: Plan): Scene {
  const disk = new VirtualDisk(world, CALM_DISK);
  const book = new Book();
  const known = new KnownTaken();
  const ledger = new LedgerWatch(world);
  const heads = new TreeWatch();
  const witness = new Witness(world, SIGNERS.log.verifierKey);
  const checkpoints = new CheckpointWatch(world, heads, SIGNERS.log.verifierKey);
  const delivery = new DeliveryWatch(world, known, checkpoints);
  const receivers = new Map<string, Receiver>();
  for (const { name, kind, odds, poison } of plan.destinations) {
    if (kind !== 'file') receivers.set(name, new Receiver(world, name, kind, odds, poison, delivery));
  }
  const origins = plan.pull.map((odds) => new PullOrigin(world, book, odds.name, odds));
  const configuration = new Configuration(plan.destinations);
  const naming = new Naming(
    world,
    [...plan.push, ...plan.pull].map(({ name }) => name),
  );
  const given = { receivers, origins, known, watch: ledger, heads, witness, checkpoints, configuration, naming };
  const open = (life: Life) => openPipeline({ world, plan, disk, life, ...given });
  const machine = new Machine(world, disk, open);
  const damage = new Damage(world, disk, machine, plan.retain.ageMs !== null || plan.retain.bytes !== null);
  machine.attendant = damage;
  const producers = plan.push.map((odds) => new PushSource(world, book, machine, odds.name, odds));
  const reach = {
    world,
    machine,
    disk,
    receivers,
    configuration,
    damage,
    everyMs: plan.everyMs,
    largeRuns: plan.push.some(({ large }) => large > 0),
  };
  return {
    world,
    plan,
    disk,
    book,
    machine,
    receivers,
    origins,
    producers,
    delivery,
    known,
    ledger,
    heads,
    witness,
    checkpoints,
    reach,
    configuration,
    naming,
  };
}

/** `waybill init`, long before anything happens. */
async function createLedger({ world, plan, disk }: Scene): Promise<void> {
  const life = world.begin();
  let done = false;
  const create = async (): Promise<void> => {
    await createEmbeddedLedger(ledgerOptions(plan), portsOf(world, life, disk));
    done = true;
  };
  world.watch('init', create());
  await world.run(60_000, () => done);
  life.end();
  disk.kill(life);
  disk.settle();
}

async function misfortunePhase(scene: Scene): Promise<void> {
  const { world, plan, disk, machine, origins, producers, reach, configuration } = scene;
  disk.odds = plan.disk;
  machine.start();
  for (const producer of producers) {
    const senders = plan.push.find(({ name }) => name === producer.name)?.senders ?? 1;
    for (let number = 0; number < senders; number++) producer.start(number);
  }
  const end = world.time + plan.safetyMs;
  for (const origin of origins) world.watch(origin.name, feed(scene, origin, end));
  const calm = beginMisfortune(reach);
  const rest = plan.retain.ageMs === null ? () => {} : tendClock(reach);
  reach.damage.followRemovals();
  const settle = beginReloads({ world, machine, configuration, destinations: plan.destinations });
  const keep = beginRenamings({ world, machine, naming: scene.naming, known: () => scene.ledger.sources });
  await world.run(end);
  keep();
  calm();
  rest();
  settle();
  for (const producer of producers) producer.producing = false;
}

async function feed({ world, plan }: Scene, origin: PullOrigin, end: number): Promise<void> {
  const everyMs = plan.pull.find(({ name }) => name === origin.name)?.everyMs ?? 100;
  const chance = world.chance.fork(`feed/${origin.name}`);
  while (world.time < end) {
    await world.sleep(everyMs * 2 * chance.next());
    origin.produce();
  }
}

/** Nothing goes wrong any more, and everything has to arrive. */
async function livenessPhase(scene: Scene): Promise<void> {
  const { world, disk, machine, receivers, reach, configuration } = scene;
  world.tell('calm');
  configuration.restoreAll();
  disk.odds = CALM_DISK;
  disk.trap = null;
  disk.aim = null;
  disk.capacity = Number.POSITIVE_INFINITY;
  for (const receiver of receivers.values()) {
    receiver.odds = CALM_RECEIVER;
    receiver.down = false;
  }
  machine.calm();
  // With this start every destination that was added by now is there, and the ledger may grow.
  if (machine.pipeline === null) machine.crash(false);
  else machine.stop();
  let over = false;
  const tend = async (): Promise<void> => {
    while (!over) {
      machine.calm();
      for (const name of machine.pipeline?.destinations.keys() ?? []) attend(reach, name, null);
      await world.sleep(500);
    }
  };
  world.watch('operator', tend());
  let quietSince = world.time;
  let size = -1;
  const arrived = await world.run(world.time + LIVENESS_MS, () => {
    const now = machine.pipeline?.ledger.size() ?? -1;
    if (now !== size || !settled(scene)) {
      size = now;
      quietSince = world.time;
    }
    return world.time - quietSince > QUIET_MS;
  });
  over = true;
  if (!arrived && world.violation === null) world.fail(`not everything arrived: ${complaint(scene)}`);
}

function settled({ plan, machine, producers, origins, configuration, reach }: Scene): boolean {
  const pipeline = machine.up ? machine.pipeline : null;
  if (pipeline === null || reach.damage.broken !== null) return false;
  if (producers.some(({ busy }) => busy > 0)) return false;
  if (origins.some(({ settledAll }) => !settledAll)) return false;
  return plan.destinations.every(({ name, kind, onReject }) => {
    const status = pipeline.destinations.get(name)?.status();
    if (status === undefined) return true;
    if (status.side !== null) return false;
    if (status.lag === 0) return true;
    // Where no empty batch can be carried, unwanted control entries at the end wait for the next one; and the last entry is set aside
    // only once a later one was taken. The comparison at the end looks at what they are.
    const waits = (kind === 'objects' && configuration.of(name).control !== 'all') || onReject === 'quarantine';
    return waits && status.state === 'running' && status.lag <= TAIL_MAX && status.head === null;
  });
}

function complaint({ machine, producers, origins }: Scene): string {
  const pipeline = machine.pipeline;
  return JSON.stringify({
    up: machine.up,
    size: pipeline?.ledger.size(),
    busy: producers.map(({ name, busy }) => [name, busy]),
    settled: origins.map(({ name, partitions, settled: done }) => [
      name,
      [...partitions].map(([key, items]) => [key, items.length, done.get(key)]),
    ]),
    destinations: pipeline === null ? [] : [...pipeline.destinations].map(([name, destination]) => [name, destination.status()]),
  });
}

/** Ends the process in order, cuts the power, reads everything back from the disk and compares. */
async function compare(scene: Scene): Promise<readonly ReadEntry[]> {
  const { world, plan, disk, book, machine, receivers, delivery, ledger, heads, checkpoints, known, configuration } = scene;
  await machine.finish();
  const life = world.begin();
  let entries: ReadEntry[] | null = null;
  const read = async (): Promise<void> => {
    const open = await openLedgerAlone(plan, portsOf(world, life, disk));
    ledger.opened(open.size());
    entries = await readLedger(open, ledger);
    for (const origin of scene.origins) origin.checkPositions(open.positions(scene.naming.of(origin.name).name));
    await open.close();
  };
  world.watch('last reader', read());
  await world.run(world.time + 60_000, () => entries !== null);
  const held = entries as ReadEntry[] | null;
  if (held === null) {
    world.fail('the ledger cannot be read back');
    return [];
  }
  ledger.compare(held);
  const faults = [...checkLedger(held, book), ...heads.compare(held), ...checkRefusals(held, book)];
  for (const destination of plan.destinations) {
    const receiver = receivers.get(destination.name);
    const start = known.startOf(destination.name);
    if (start === null) continue;
    faults.push(...checkTargets(destination.name, configuration.wordsOf(destination.name), held));
    const expected = {
      start,
      controls: configuration.choicesOf(destination.name),
      quarantine: destination.onReject === 'quarantine',
      gone: declaredGone(destination.name, held),
      size: held.length,
    };
    if (receiver === undefined) {
      faults.push(...checkFile(disk, destination.name, OUT_PATH, held, expected));
      if (expected.controls.length === 1 && expected.controls[0] === 'all')
        faults.push(...checkpoints.checkFile(disk, OUT_PATH, held.length));
    }
    if (receiver !== undefined) {
      const line = delivery.lineOf(receiver);
      faults.push(...checkDestination(receiver, line, held, expected), ...checkGaps(receiver, start, line, held));
    }
  }
  for (const fault of faults) world.fail(fault);
  return held;
}
