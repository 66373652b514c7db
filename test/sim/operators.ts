import { isWaybillError } from '../../src/contracts/errors.ts';
import { asIndex } from '../../src/contracts/units.ts';
import type { Destination } from '../../src/delivery/destination.ts';
import type { Chance } from './chance.ts';
import type { Configuration } from './configuration.ts';
import type { Machine } from './machine.ts';
import type { Receiver } from './receiver.ts';
import { correctTarget } from './reload.ts';
import type { World } from './world.ts';

/** What an operator looks at. */
export interface Attended {
  readonly world: World;
  readonly machine: Machine;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly configuration: Configuration;
}

/** An operator looks at a destination: what has halted is corrected and tried again; what runs is paused for a while. */
export function attend(attended: Attended, name: string, chance: Chance | null): void {
  const { world, machine, receivers } = attended;
  const destination = machine.up ? machine.pipeline?.destinations.get(name) : undefined;
  if (destination === undefined) return;
  const { state, error } = destination.status();
  if (error?.code === 'TARGET_CHANGED') correctTarget(attended, name);
  else if (state === 'halted') {
    const receiver = receivers.get(name);
    if (receiver !== undefined) {
      receiver.unauthorized = false;
      receiver.correct();
      if (fill(world, receiver, destination)) return;
      receiver.restore();
    }
    world.tell(`operator: retry ${name}`);
    swallow(world, destination.retry());
  } else if (state === 'paused' || state === 'detached') {
    world.tell(`operator: resume ${name}`);
    swallow(world, destination.resume());
  } else if (chance !== null) verb(attended, name, destination, chance);
}

/** What a destination lost is sent again, unless somebody restores it. It answers whether that was begun. */
function fill(world: World, receiver: Receiver, destination: Destination): boolean {
  const { error, lacks } = destination.status();
  if ((error?.code !== 'DESTINATION_LOST_DATA' && error?.code !== 'DESTINATION_BEHIND') || lacks === null) return false;
  if (receiver.lost !== null && !world.chance.fork(`fills/${receiver.name}/${receiver.lost.next}`).hit(0.6)) return false;
  receiver.acceptLoss();
  world.tell(`operator: recover ${receiver.name} from ${lacks.from}`);
  swallow(world, destination.recover(lacks.from, lacks.through));
  return true;
}

/** Original batches are told apart by their identities where the destination goes by them. */
const MORE_BY_KEY = ['recover', 'recover', 'detach'] as const;
const MORE = ['pause', 'detach'] as const;

/** An operator looks at the clock now and then, until somebody calls the answer: sets it right, or says that it is right. */
export function tendClock({ world, machine }: Pick<Attended, 'world' | 'machine'>): () => void {
  const chance = world.chance.fork('clock');
  let over = false;
  const again = (): void => {
    world.plan(chance.logarithmic(1_000, 6_000), () => {
      if (over) return;
      if (world.wallOffsetMs !== 0) {
        world.tell(`clock: set right by ${-world.wallOffsetMs} ms`);
        world.wallOffsetMs = 0;
      } else if (machine.up && machine.pipeline !== null) {
        world.tell('operator: the clock is right');
        swallow(world, machine.pipeline.confirmClock());
      }
      again();
    });
  };
  again();
  return () => {
    over = true;
  };
}

/** An operator tries one of the other verbs; most of them are refused most of the time. */
function verb({ world, machine, receivers }: Attended, name: string, destination: Destination, chance: Chance): void {
  const { cursor } = destination.status();
  const last = asIndex(Math.min(cursor + chance.int(0, 30), (machine.pipeline?.ledger.size() ?? 0) - 1));
  const kind = receivers.get(name)?.kind ?? 'file';
  const from = asIndex(chance.int(0, cursor));
  const through = asIndex(from + chance.int(0, 60));
  const verbs = {
    pause: () => destination.pause(),
    replay: () => destination.replay(from, through),
    redeliver: () => destination.redeliver(asIndex(0), cursor),
    waive: () => destination.waive(from, through),
    cancel: () => destination.cancel(),
    detach: () => destination.detach(last),
    recover: () => {
      receivers.get(name)?.willRecover();
      return destination.recover(from, asIndex(Math.min(through, cursor - 1)));
    },
  };
  const chosen = chance.pick(['pause', 'replay', 'redeliver', 'waive', 'cancel', ...(kind === 'key' ? MORE_BY_KEY : MORE)] as const);
  // Whoever lies about its place cannot be told what it will not get.
  if (chosen === 'detach' && (kind === 'liar' || last < cursor)) return;
  world.tell(`operator: ${chosen} ${name}`);
  swallow(world, verbs[chosen]());
}

/** The verb may be cut short by the end of its process; anything else is a finding. */
function swallow(world: World, verb: unknown): void {
  Promise.resolve(verb).catch((error: unknown) => {
    world.tell(`operator: ${String(error)}`);
    if (!isWaybillError(error)) world.fail(`a verb of an operator failed: ${error instanceof Error ? error.stack : String(error)}`);
  });
}
