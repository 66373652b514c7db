import { createHash } from 'node:crypto';
import { type Chance, createChance } from './chance.ts';
import { Coverage, type Misfortune } from './coverage.ts';

/** Where the wall clock stands when a simulation begins. */
const EPOCH_MS = Date.UTC(2026, 0, 1);
/** Instants are multiples of this many milliseconds, so that many things happen at the same one. */
const TICK_MS = 0.1;
/** More steps than any healthy seed needs; reaching it means that something spins. */
const STEPS_MAX = 3_000_000;

/** Something that will happen at an instant, unless it is cancelled or the process that waits for it dies. */
interface Planned {
  readonly time: number;
  readonly sequence: number;
  readonly life: Life | null;
  readonly run: () => void;
  cancelled: boolean;
}

/** A way to call off what was planned. */
export interface Cancel {
  (): void;
}

/** A finding of a checker, or something that must never happen: it ends the seed. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/**
 * One life of the process under test. What a dead process waits for never comes; what a paused one waits for comes when it goes on.
 * running → paused → running · running | paused → dead
 */
export class Life {
  readonly number: number;
  readonly bornAt: number;
  state: 'running' | 'paused' | 'dead' = 'running';
  /** What fell due while the process was paused, in order. */
  readonly held: (() => void)[] = [];
  readonly #mourners = new Set<() => void>();

  constructor(number: number, bornAt: number) {
    this.number = number;
    this.bornAt = bornAt;
  }

  /** Calls back once when the process dies; the answer takes the wish back. */
  whenDead(callback: () => void): Cancel {
    if (this.state === 'dead') callback();
    else this.#mourners.add(callback);
    return () => this.#mourners.delete(callback);
  }

  /** Ends the life. Only the world calls it. */
  end(): void {
    this.state = 'dead';
    this.held.length = 0;
    for (const mourner of this.#mourners) mourner();
    this.#mourners.clear();
  }
}

/**
 * Virtual time. Everything that happens is a planned call at an instant; between two instants one macrotask boundary lets every
 * microtask run,
 * so that code made of promises takes no time and always runs in the same order.
 */
export class World {
  readonly seed: number;
  readonly chance: Chance;
  /** Milliseconds since the beginning. It only grows. */
  time = 0;
  /** What operators did to the wall clock. */
  wallOffsetMs = 0;
  steps = 0;
  violation: Error | null = null;
  readonly coverage: Coverage = new Coverage();
  /** Called whenever something happened: one misfortune may bring another. */
  follow: (misfortune: Misfortune) => void = () => {};
  readonly #queue: Planned[] = [];
  #sequence = 0;
  #lives = 0;
  readonly #hash = createHash('sha256');
  readonly #print: ((line: string) => void) | null;

  constructor(seed: number, print: ((line: string) => void) | null = null) {
    this.seed = seed;
    this.chance = createChance(seed);
    this.#print = print;
  }

  /** The wall clock in whole milliseconds since 1970. */
  wall(): number {
    return Math.floor(EPOCH_MS + this.time + this.wallOffsetMs);
  }

  /** Adds a line to the story of this seed. Two runs of one seed must tell the same story. */
  tell(line: string): void {
    const text = `${this.time.toFixed(1)} ${line}`;
    this.#hash.update(text);
    this.#print?.(text);
  }

  /** Something went wrong, or was done to the machine. */
  happened(misfortune: Misfortune, where = ''): void {
    this.coverage.add(misfortune);
    this.tell(where === '' ? misfortune : `${misfortune}: ${where}`);
    this.follow(misfortune);
  }

  /** The hash of the story so far. It can be asked for once, at the end. */
  storyHash(): string {
    return this.#hash.digest('hex');
  }

  /** Ends the seed with a finding. The first one counts. */
  fail(message: string): void {
    this.tell(`VIOLATION ${message}`);
    this.violation ??= new Violation(message);
  }

  /** Ends the seed when a promise of an actor rejects: an actor never fails in a correct simulation. */
  watch(name: string, actor: Promise<void>): void {
    actor.catch((error: unknown) => {
      this.violation ??= error instanceof Error ? error : new Violation(`${name} failed with ${String(error)}`);
      this.tell(`VIOLATION in ${name}: ${this.violation.message}`);
    });
  }

  /** Begins a new life of the process. */
  begin(): Life {
    this.#lives += 1;
    return new Life(this.#lives, this.time);
  }

  /** Plans a call `delayMs` from now. With a life it happens in that process: never when it is dead, later when it is paused. */
  plan(delayMs: number, run: () => void, life: Life | null = null): Cancel {
    const time = Math.round((this.time + Math.max(0, delayMs)) / TICK_MS) * TICK_MS;
    this.#sequence += 1;
    const planned: Planned = { time: Math.max(time, this.time), sequence: this.#sequence, life, run, cancelled: false };
    push(this.#queue, planned);
    return () => {
      planned.cancelled = true;
    };
  }

  /** Waits outside any process. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.plan(ms, resolve));
  }

  /** Stops a process where it stands; it keeps its memory and its locks. */
  pause(life: Life): void {
    if (life.state === 'running') life.state = 'paused';
  }

  /** Lets a paused process go on; what fell due meanwhile happens now, in its order. */
  resume(life: Life): void {
    if (life.state !== 'paused') return;
    life.state = 'running';
    for (const run of life.held.splice(0)) this.plan(0, run, life);
  }

  /** Lets time pass until `until`, or until `done` says so, or until a violation. Answers whether `done` was reached. */
  async run(until: number, done: () => boolean = () => false): Promise<boolean> {
    for (;;) {
      await boundary();
      if (this.violation !== null) return false;
      if (done()) return true;
      const first = this.#queue[0];
      if (first === undefined || first.time > until) {
        this.time = Math.max(this.time, until);
        return false;
      }
      this.time = first.time;
      this.#instant(first.time);
      this.steps += 1;
      if (this.steps > STEPS_MAX) this.fail(`still busy after ${STEPS_MAX} steps`);
    }
  }

  /** Runs what was planned for this instant before it began; what it plans for the same instant waits for the next boundary. */
  #instant(time: number): void {
    const newest = this.#sequence;
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined || first.time > time || first.sequence > newest) return;
      pop(this.#queue);
      if (first.cancelled || first.life?.state === 'dead') continue;
      if (first.life?.state === 'paused') first.life.held.push(() => first.cancelled || first.run());
      else first.run();
    }
  }
}

/** One macrotask boundary: every microtask has run when it resolves. */
function boundary(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Planned, b: Planned): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}

function push(heap: Planned[], planned: Planned): void {
  let at = heap.length;
  heap.push(planned);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Planned;
    if (!before(planned, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = planned;
}

function pop(heap: Planned[]): void {
  const last = heap.pop() as Planned;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Planned, heap[child] as Planned)) child += 1;
    if (!before(heap[child] as Planned, last)) break;
    heap[at] = heap[child] as Planned;
    at = child;
  }
  heap[at] = last;
}
