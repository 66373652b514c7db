import type { Chance } from './chance.ts';
import type { Configuration } from './configuration.ts';
import type { Misfortune } from './coverage.ts';
import type { Damage } from './damage-watch.ts';
import type { VirtualDisk } from './disk.ts';
import type { Machine } from './machine.ts';
import { attend } from './operators.ts';
import type { Receiver } from './receiver.ts';
import type { MachineFault, Plan } from './scenario.ts';
import type { World } from './world.ts';

/** Everything that misfortune can touch. */
export interface Reach {
  readonly world: World;
  readonly machine: Machine;
  readonly disk: VirtualDisk;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly configuration: Configuration;
  readonly damage: Damage;
  /** True when some requests make runs of many parts. */
  readonly largeRuns: boolean;
  /** What is drawn for the whole machine. */
  readonly everyMs: Plan['everyMs'];
}

/** Lets everything go wrong now and then, until somebody calls the answer. */
export function beginMisfortune(reach: Reach): () => void {
  let over = false;
  for (const fault of Object.keys(ACTIONS) as MachineFault[]) {
    const mean = reach.everyMs[fault];
    if (mean === 0) continue;
    const chance = reach.world.chance.fork(`misfortune/${fault}`);
    const again = (): void => {
      reach.world.plan(mean * (0.2 + 1.6 * chance.next()), () => {
        if (over) return;
        ACTIONS[fault](reach, chance);
        again();
      });
    };
    again();
  }
  return () => {
    over = true;
  };
}

/** What only a part of a large run writes at once. */
const LARGE_BYTES = 60_000;

const ACTIONS: Readonly<Record<MachineFault, (reach: Reach, chance: Chance) => void>> = {
  kill: (reach, chance) => crash(reach, chance, false),
  power: (reach, chance) => crash(reach, chance, true),
  // Many a bug needs both: what a kill leaves in memory of the system is seen by the next process and lost by the power cut that follows.
  killThenPower: (reach, chance) => {
    crash(reach, chance, false);
    reach.world.plan(chance.logarithmic(30, 600), () => reach.machine.crash(true));
  },
  pause: ({ machine }, chance) => machine.pause(chance.logarithmic(20, 3_000), chance.hit(0.7)),
  restart: ({ machine }) => machine.stop(),
  diskFull: ({ world, disk }, chance) => {
    world.happened('disk full');
    disk.capacity = disk.used() + chance.int(0, 20_000);
    world.tell(`disk: ${disk.capacity} bytes are all there is`);
    world.plan(chance.logarithmic(50, 2_000), () => {
      disk.capacity = Number.POSITIVE_INFINITY;
      world.tell('disk: there is space again');
    });
  },
  clockStep: ({ world }, chance) => stepClock(world, chance, 'clock stepped'),
  clockWhileDown: ({ world, machine }, chance) => {
    machine.crash(chance.hit(0.3));
    stepClock(world, chance, 'clock stepped while down');
  },
  aimedKill: ({ world, machine, disk }, chance) => {
    const { names, most, misfortune } = chance.pick(AIMS);
    const spring = (): void => {
      world.happened(misfortune);
      machine.crash(chance.hit(0.4));
    };
    disk.aim = { names, operations: chance.int(1, most), spring };
    // An end in order writes most of what a start would make again.
    if (chance.hit(0.5)) machine.stop();
  },
  lostDerived: ({ damage }, chance) => damage.loseDerived(chance),
  brokenSegment: ({ damage }, chance) => damage.breakSegment(chance),
  outage: ({ world, receivers }, chance) => {
    const receiver = pickReceiver(receivers, chance);
    if (receiver === null) return;
    receiver.down = true;
    world.happened('destination down', receiver.name);
    world.plan(chance.logarithmic(20, 3_000), () => {
      receiver.down = false;
      world.tell(`${receiver.name} is back`);
    });
  },
  lostData: ({ world, machine, receivers }, chance) => {
    const receiver = pickReceiver(receivers, chance);
    if (receiver === null || receiver.kind !== 'position') return;
    const acknowledged = machine.pipeline?.acknowledged(receiver.name) ?? 0;
    if (acknowledged <= receiver.start) return;
    // A batch is there or not: half of one cannot be lost.
    const lost = receiver.applied.filter(({ from }) => from < acknowledged);
    const index = lost.length === 0 ? receiver.start : chance.pick(lost).from;
    receiver.lose(index);
    world.happened('destination lost data', `${receiver.name} goes back to ${index}`);
  },
  operator: (reach, chance) => {
    const name = chance.pick([...(reach.machine.pipeline?.destinations.keys() ?? [''])]);
    attend(reach, name, chance);
  },
  zombie: ({ world, machine }, chance) => {
    const pipeline = machine.pipeline;
    if (pipeline === null) return;
    world.happened('zombie');
    world.watch('zombie', pipeline.appendLate(chance.logarithmic(1, 300)));
  },
};

/** Where a kill is aimed: the operations of one piece of work, and after how many of them at most. */
const AIMS: readonly { readonly misfortune: Misfortune; readonly names: RegExp; readonly most: number }[] = [
  {
    misfortune: 'kill in a rotation of segments',
    names: /\/ledger\/segments\/prepared|^sync \/data\/ledger\/segments\/$|^truncate \/data\/ledger\/segments\//,
    most: 8,
  },
  { misfortune: 'kill while a snapshot is written', names: /^(write|truncate|sync|rename|remove) \/data\/ledger\/snapshots\//, most: 7 },
  { misfortune: 'kill while identities are written', names: /^(write|truncate|sync|rename|remove) \/data\/identities\//, most: 20 },
  { misfortune: 'kill while the tree is stored', names: /^(write|truncate|sync|rename|remove) \/data\/tree\//, most: 6 },
  { misfortune: 'kill in a rotation of a file', names: /^(rename|sync|truncate) \/out\/(audit\.ndjson( \/out.*)?)?$/, most: 6 },
];

/** From five seconds to ten years, either way. */
function stepClock(world: World, chance: Chance, misfortune: Misfortune): void {
  const step = Math.round(chance.logarithmic(5_000, 315_360_000_000)) * (chance.hit(0.5) ? 1 : -1);
  world.wallOffsetMs += step;
  world.happened(misfortune, `${step} ms`);
}

/** Now, or in the middle of one of the next changes on the disk. Misfortune likes to come back while the process is still getting up. */
function crash({ machine, disk, largeRuns }: Reach, chance: Chance, power: boolean): void {
  const spring = (): void => {
    machine.crash(power);
    if (chance.hit(0.4)) disk.trap = { changes: chance.int(1, 40), bytesMin: 0, spring };
  };
  if (chance.hit(0.4)) spring();
  else disk.trap = { changes: chance.int(1, 12), bytesMin: largeRuns && chance.hit(0.7) ? LARGE_BYTES : 0, spring };
}

function pickReceiver(receivers: ReadonlyMap<string, Receiver>, chance: Chance): Receiver | null {
  return receivers.size === 0 ? null : chance.pick([...receivers.values()]);
}
