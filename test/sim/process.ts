import type { Background, Clock, Http, Log, LogFacts, Ports } from '../../src/contracts/ports.ts';
import type { VirtualDisk } from './disk.ts';
import type { Life, World } from './world.ts';

/** The jobs of one life: what a background thread would run. */
export type Jobs = Readonly<Record<string, (input: unknown) => Promise<unknown>>>;

/** Everything that one life of the process can touch. */
export function portsOf(world: World, life: Life, disk: VirtualDisk): Ports {
  return {
    clock: clockOf(world, life),
    random: world.chance.fork(`process/${life.number}`),
    disk: disk.portOf(life),
    // No other program writes files on this machine.
    files: { list: async () => null, stat: async () => null, open: async () => null },
    http: noHttp,
    output: { write: () => Promise.reject(new Error('the simulation has no standard output')) },
    background: { run: (job) => Promise.reject(new Error(`there is no job ${job}`)) },
    log: logOf(world, life),
  };
}

/** Jobs that take a while, one after another as long as their names begin with the same word. */
export function backgroundOf(world: World, life: Life, jobs: Jobs): Background {
  const lanes = new Map<string, Promise<unknown>>();
  return {
    run: (name, input) => {
      const job = jobs[name];
      if (job === undefined) return Promise.reject(new Error(`there is no job ${name}`));
      const lane = name.split('.', 1)[0] ?? name;
      const turn = (lanes.get(lane) ?? Promise.resolve()).then(() => pass(world, life, 1)).then(() => job(input));
      lanes.set(
        lane,
        turn.catch(() => {}),
      );
      return turn;
    },
  };
}

/** Lets time pass in a process. */
export function pass(world: World, life: Life, ms: number): Promise<void> {
  return new Promise((resolve) => world.plan(ms, resolve, life));
}

function clockOf(world: World, life: Life): Clock {
  return {
    now: () => world.wall(),
    monotonic: () => world.time - life.bornAt,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const stop = (): void => {
          cancel();
          reject(signal?.reason as Error);
        };
        const cancel = world.plan(
          ms,
          () => {
            signal?.removeEventListener('abort', stop);
            resolve();
          },
          life,
        );
        signal?.addEventListener('abort', stop, { once: true });
      }),
  };
}

function logOf(world: World, life: Life): Log {
  const line =
    (level: string) =>
    (message: string, facts?: LogFacts): void =>
      world.tell(`process ${life.number} ${level}: ${message}${facts === undefined ? '' : ` ${JSON.stringify(facts)}`}`);
  return { info: line('info'), warn: line('warn'), error: line('error') };
}

/** Model destinations are reached through their own sinks. */
const noHttp: Http = {
  send: () => Promise.reject(new Error('the simulation has no HTTP')),
  reach: () => Promise.reject(new Error('the simulation has no HTTP')),
};
