import type { NamedSource } from '../../src/intake/names.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

/** How many names a source may get beside its first one: later it only gets those again. */
const NAMES_MAX = 8;

/** How often, and how many times at most, somebody looks whether the process runs. */
const LOOK_MS = 20;
const LOOKS_MAX = 50;

/** The part of the operator's file that says what each source is called. It outlives every process. */
export class Naming {
  readonly #world: World;
  readonly #now = new Map<string, NamedSource>();
  /** How many names each source has had. */
  readonly #names = new Map<string, number>();
  /** What a process has taken over: the next renaming begins there. */
  readonly #taken = new Set<NamedSource>();

  constructor(world: World, bases: readonly string[]) {
    this.#world = world;
    for (const base of bases) this.#set(base, { name: base, renamedFrom: null }, true);
  }

  /** What a source is called now, by its first name. */
  of(base: string): NamedSource {
    const named = this.#now.get(base);
    if (named === undefined) throw new Error(`there is no source ${base}`);
    return named;
  }

  /** The whole part of the file as it is now. */
  all(): readonly NamedSource[] {
    return [...this.#now.values()];
  }

  /** A process works with these names. */
  took(named: readonly NamedSource[]): void {
    for (const one of named) this.#taken.add(one);
  }

  /** An operator gives a source another name: a new one, or one that it had. Answers whether that could be done now. */
  rename(base: string, chance: { int(low: number, high: number): number; hit(odds: number): boolean }): boolean {
    const before = this.of(base);
    if (!this.#taken.has(before)) return false;
    const had = this.#names.get(base) ?? 1;
    const back = had >= NAMES_MAX || (had > 1 && chance.hit(0.4));
    const number = back ? chance.int(0, had - 1) : had;
    const name = number === 0 ? base : `${base}-${number}`;
    if (name === before.name) return false;
    this.#names.set(base, Math.max(had, number + 1));
    this.#set(base, { name, renamedFrom: before.name }, false);
    this.#world.tell(`operator: ${before.name} is called ${name} from now on`);
    return true;
  }

  /** Puts back what the file said. */
  putBack(base: string, before: NamedSource): void {
    this.#set(base, before, true);
  }

  /** A process refused the names: the file says what the message says is to be written. True when it said so. */
  correct(message: string): boolean {
    const [, now = '', name = ''] = /^the source \S+ is called (\S+) now; renamed_from: \1 gives it the name (\S+)$/.exec(message) ?? [];
    if (name === '') return false;
    this.#world.tell(`operator: renamed_from of ${name} is ${now}`);
    this.#set(baseOf(name), { name, renamedFrom: now }, false);
    return true;
  }

  #set(base: string, named: NamedSource, taken: boolean): void {
    this.#now.set(base, named);
    if (taken) this.#taken.add(named);
  }
}

/** The first name of a source of the simulation. */
export function baseOf(name: string): string {
  return name.split('-', 1)[0] ?? name;
}

/** What somebody who renames sources can reach. */
export interface NamingReach {
  readonly world: World;
  readonly machine: Machine;
  readonly naming: Naming;
  /** Which sources have an entry that is durable, by their first names. */
  readonly known: () => ReadonlySet<string>;
}

/** In half of the seeds an operator renames a source now and then, by a reload or for the next start, until somebody calls the answer. */
export function beginRenamings({ world, machine, naming, known }: NamingReach): () => void {
  const chance = world.chance.fork('naming');
  const mean = chance.hit(0.5) ? chance.logarithmic(150, 3_000) : 0;
  let over = mean === 0;

  function rename(): void {
    const bases = [...known()];
    if (bases.length === 0) return;
    const base = chance.pick(bases);
    const before = naming.of(base);
    if (!naming.rename(base, chance) || chance.hit(0.3) || !machine.up) return;
    const fails = chance.hit(0.25);
    const renaming = machine.pipeline?.rename(naming.all(), fails);
    // A file that cannot be taken over is put back by whoever wrote it.
    if (fails) naming.putBack(base, before);
    renaming?.catch((error: unknown) => world.tell(`renaming: ${String(error)}`));
  }

  // Best while no process runs: then senders have requests without an answer, which come again under the new name.
  const whenDown = (looks: number): void => {
    if (over) return;
    if (looks === 0 || !machine.up) rename();
    else world.plan(LOOK_MS, () => whenDown(looks - 1));
  };
  const again = (): void => {
    world.plan(mean * (0.2 + 1.6 * chance.next()), () => {
      if (over) return;
      whenDown(chance.hit(0.5) ? LOOKS_MAX : 0);
      again();
    });
  };
  if (!over) again();
  return () => {
    over = true;
  };
}
