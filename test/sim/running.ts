import type { PartChanges } from '../../src/config/plan-reload.ts';
import { isWaybillError } from '../../src/contracts/errors.ts';
import type { Heads } from '../../src/contracts/heads.ts';
import type { Ledger } from '../../src/contracts/ledger.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import type { Sink, SinkContext, SinkTraits } from '../../src/contracts/sink.ts';
import { type Destination, type DestinationOptions, openDestination, sinkOpener } from '../../src/delivery/destination.ts';
import { journalKey } from '../../src/delivery/records.ts';
import type { NamedSource } from '../../src/intake/names.ts';
import { runSource } from '../../src/intake/pull.ts';
import type { Intake } from '../../src/intake/sequencer.ts';
import type { EmbeddedLedger } from '../../src/ledger/embedded/embedded.ts';
import { type ChangeableConfig, changeParts } from '../../src/pipeline/change.ts';
import { PartSet } from '../../src/pipeline/part-set.ts';
import { openWatchdog } from '../../src/pipeline/watchdog.ts';
import { file } from '../../src/sinks/file.ts';
import { type DestinationSettings, FORMATS } from './configuration.ts';
import type { KnownTaken } from './known.ts';
import { baseOf } from './naming.ts';
import { type LifeParts, OUT_PATH, sourcesOf } from './pipeline.ts';
import type { PullOrigin } from './pull-origin.ts';
import { CANNOT_START } from './reload.ts';
import type { DestinationPlan } from './scenario.ts';
import { modelSink } from './sinks.ts';

/** What starts and stops within one life: destinations and pull sources, in the product's own sets. */
export interface RunningParts {
  readonly destinations: PartSet<DestinationSettings, Destination>;
  readonly failed: Promise<unknown>;
  reload(settings: DestinationSettings, fails: boolean): Promise<void>;
  rename(named: readonly NamedSource[], fails: boolean): Promise<void>;
  /** What the sources are called in this process. */
  named(): readonly NamedSource[];
  stopSources(): Promise<void>;
}

/** What one life of the process works on. */
interface LifeWork extends LifeParts {
  readonly ledger: EmbeddedLedger;
  readonly intake: Intake;
  readonly ports: Ports;
  readonly signed: Heads;
}

const NOTHING: PartChanges = { kept: [], changed: [], restarted: [], started: [], stopped: [] };
/** How long deliveries in flight may take when their destination is restarted: some come back, some are in doubt. */
const DRAIN_MS = 200;
/** A destination that never starts. */
const BROKEN = 'broken';

/** Starts everything that the operator's file names now. */
export async function startParts(work: LifeWork, started: readonly NamedSource[], limitBytes: number | null): Promise<RunningParts> {
  const { world, plan, configuration, receivers } = work;
  const watchdog = openWatchdog();
  const destinations = new PartSet(destinationKind(work), watchdog);
  const pulled = new PartSet<NamedOrigin, RunningSource>(sourceKind(work), watchdog);
  for (const { name, addedAtMs } of plan.destinations) {
    const due = world.time >= addedAtMs || receivers.get(name)?.next != null;
    if (due && configuration.of(name).present) await destinations.start(configuration.of(name));
  }
  let named = started;
  for (const origin of originsOf(work, named)) await pulled.start(origin);

  const config = (
    all: readonly DestinationSettings[],
    names: readonly NamedSource[],
  ): ChangeableConfig<NamedOrigin, DestinationSettings> => ({
    ledger: { limitBytes },
    sources: sourcesOf(plan, names),
    pulled: originsOf(work, names),
    destinations: all,
    drainMs: DRAIN_MS,
  });
  async function reload(after: DestinationSettings, fails: boolean): Promise<void> {
    const open = destinations.parts.has(after.name);
    const fate: keyof PartChanges = after.present ? (open ? 'restarted' : 'started') : 'stopped';
    const touched = fate === 'stopped' && !open ? NOTHING : { ...NOTHING, [fate]: [after.name] };
    const broken = { ...after, name: BROKEN };
    const restarted = originsOf(work, named).flatMap(({ name }, at) => ((after.version + at) % 2 === 0 ? [name] : []));
    const changes = {
      sources: { ...NOTHING, restarted },
      destinations: { ...touched, started: [...touched.started, ...(fails ? [BROKEN] : [])] },
    };
    const before = current.get(after.name) ?? after;
    await changeParts(
      { sources: pulled, destinations, intake: work.intake, ledger: work.ledger },
      changes,
      config([before], named),
      config([after, broken], named),
    );
    current.set(after.name, after);
  }
  async function rename(next: readonly NamedSource[], fails: boolean): Promise<void> {
    const before = originsOf(work, named).map(({ name }) => name);
    const after = originsOf(work, next).map(({ name }) => name);
    const sources = {
      ...NOTHING,
      stopped: before.filter((name) => !after.includes(name)),
      started: after.filter((name) => !before.includes(name)),
    };
    const broken = plan.destinations.slice(0, 1).map(({ name }) => ({ ...configuration.of(name), name: BROKEN }));
    await changeParts(
      { sources: pulled, destinations, intake: work.intake, ledger: work.ledger },
      { sources, destinations: { ...NOTHING, started: fails ? [BROKEN] : [] } },
      config([], named),
      config(broken, next),
    );
    named = next;
    work.naming.took(next);
  }
  const current = new Map(plan.destinations.map(({ name }) => [name, configuration.of(name)]));
  let turn = Promise.resolve();
  const inTurn = (change: () => Promise<void>): Promise<void> => {
    const mine = turn.then(change);
    turn = mine.catch(() => {});
    return mine;
  };
  return {
    destinations,
    failed: watchdog.failed,
    reload: (after, fails) => inTurn(() => reload(after, fails)),
    rename: (next, fails) => inTurn(() => rename(next, fails)),
    named: () => named,
    async stopSources() {
      await turn;
      await pulled.stopAll(0);
    },
  };
}

interface RunningSource {
  readonly stop: AbortController;
  readonly done: Promise<void>;
  readonly failed: Promise<unknown>;
}

/** A far side under the name that its source has now. */
interface NamedOrigin {
  readonly name: string;
  readonly origin: PullOrigin;
}

function originsOf({ origins }: LifeParts, named: readonly NamedSource[]): readonly NamedOrigin[] {
  return origins.flatMap((origin) => named.filter(({ name }) => baseOf(name) === origin.name).map(({ name }) => ({ name, origin })));
}

function sourceKind({ intake, ledger, ports }: LifeWork) {
  return {
    open: async ({ name, origin }: NamedOrigin): Promise<RunningSource> => {
      const stop = new AbortController();
      const { clock, log } = ports;
      const source = origin.sourceFor(clock);
      const done = runSource({ name, source, intake, ledger, clock, log }, stop.signal);
      const failed = new Promise<unknown>((resolve) => {
        done.catch((error: unknown) => resolve(sourceStopped(name, error)));
      });
      return { stop, failed, done: done.catch(() => undefined) };
    },
    close: async ({ stop, done }: RunningSource): Promise<void> => {
      stop.abort(new Error('the source is stopped'));
      await done;
    },
    failed: ({ failed }: RunningSource) => failed,
  };
}

/** A pull source that cannot go on takes its process with it. */
function sourceStopped(name: string, error: unknown): unknown {
  return isWaybillError(error) ? error : new Error(`source ${name} stopped: ${String(error)}`, { cause: error });
}

function destinationKind(work: LifeWork) {
  return {
    open: async (settings: DestinationSettings): Promise<Destination> => {
      if (settings.name === BROKEN) throw CANNOT_START;
      const plan = work.plan.destinations.find(({ name }) => name === settings.name);
      if (plan === undefined) throw new Error(`there is no plan for ${settings.name}`);
      return deliverTo(plan, settings, work);
    },
    close: async (destination: Destination, drainMs: number): Promise<void> => {
      await destination.drain(drainMs);
      await destination.close();
    },
    failed: ({ failed }: Destination) => failed,
  };
}

function deliverTo(plan: DestinationPlan, settings: DestinationSettings, work: LifeWork): Destination {
  const { world, life, known, ledger, intake, ports, signed } = work;
  const { name, control, format, inFlight, timeoutMs, version } = settings;
  const chance = world.chance.fork(version === 0 ? `life/${life.number}/${name}` : `life/${life.number}/${name}/${version}`);
  // Another life may have another configuration: a batch in doubt must keep its cut all the same.
  const batch = { entries: chance.int(1, 40), bytes: chance.pick([2_000, 20_000, 1_000_000]), waitMs: chance.pick([0, 0, 5, 50]) };
  return openDestination({
    target: { text: `place ${settings.target}`, changed: settings.word },
    name,
    origin: ledger.origin,
    heads: signed,
    ledger: heard(ledger, name, known),
    openSink: openSinkOf(plan, work, batch),
    codec: FORMATS[format],
    codecFor: (earlier) => (earlier === 'native' || earlier === 'padded' ? FORMATS[earlier] : undefined),
    start: plan.start,
    emitControl: async ({ type, facts, key }) => {
      await intake.control(type, facts, key);
    },
    ports,
    batch,
    inFlight,
    onReject: plan.onReject,
    control,
    timeoutMs,
    retry: { minMs: 10, maxMs: 500 },
  });
}

function openSinkOf(
  plan: DestinationPlan,
  { receivers, life }: LifeParts,
  batch: SinkTraits['batch'],
): (context: SinkContext) => Promise<Sink> {
  const receiver = receivers.get(plan.name);
  if (receiver !== undefined) return sinkOpener(modelSink(receiver, life, batch), null);
  return sinkOpener(file, plan.rotateBytes === null ? { path: OUT_PATH } : { path: OUT_PATH, rotate: plan.rotateBytes });
}

/** The ledger as delivery gets it, with somebody who listens to what becomes durable in the journal. */
function heard(ledger: Ledger, name: string, known: KnownTaken): DestinationOptions['ledger'] {
  const { journal } = ledger;
  return {
    read: (from, limits) => ledger.read(from, limits),
    size: () => ledger.size(),
    beginning: () => ledger.beginning(),
    waitBeyond: (size, signal) => ledger.waitBeyond(size, signal),
    journal: {
      load: (key) => journal.load(key),
      keys: () => journal.keys(),
      compact: (key, fold, needs) => journal.compact(key, fold, needs),
      forget: (key) => journal.forget(key),
      history: (key, from, signal) => journal.history(key, from, signal),
      append: async (key, record) => {
        await journal.append(key, record);
        if (key === journalKey(name)) known.note(name, record);
      },
    },
  };
}
