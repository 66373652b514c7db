import { isWaybillError } from '../../src/contracts/errors.ts';
import type { Chance } from './chance.ts';
import type { VirtualDisk } from './disk.ts';
import type { OpenPipeline } from './pipeline.ts';
import { pass } from './process.ts';
import type { Door, PushAnswer, PushRequest } from './producer.ts';
import type { Life, World } from './world.ts';

/** How long a sender waits for an answer. */
const ANSWER_MS = 5_000;

/** Errors with which a process may give up when it starts; whoever watches it starts it again. Anything else is a finding. */
const START_ERRORS: ReadonlySet<string> = new Set([
  'LEDGER_LOCKED',
  'LEDGER_FULL',
  'LEDGER_FAILED',
  'DISK_FULL',
  'DISK_FAILED',
  // A reload that was being taken back had renamed a source already; the file has been corrected.
  'RENAME_REFUSED',
]);

/** Whoever looks after the machine. */
export interface Attendant {
  /** A process gave up with this error. True when it is what had to come of something that was done to its files. */
  expects(error: unknown): boolean;
  /** A process is up. */
  up(life: Life, pipeline: OpenPipeline): void;
}

/** How one life opens the pipeline. */
export interface OpenLife {
  (life: Life): Promise<OpenPipeline>;
}

/** One machine: a process that is started again whenever it dies, and the door through which senders reach it. */
export class Machine implements Door {
  readonly #world: World;
  readonly #disk: VirtualDisk;
  readonly #open: OpenLife;
  readonly #chance: Chance;
  /** Nobody unless somebody is given. */
  attendant: Attendant | null = null;
  readonly #lives = new Set<Life>();
  #current: { readonly life: Life; readonly pipeline: OpenPipeline } | null = null;
  #over = false;
  /** How many lives got as far as opening the pipeline. */
  opened = 0;

  constructor(world: World, disk: VirtualDisk, open: OpenLife) {
    this.#world = world;
    this.#disk = disk;
    this.#open = open;
    this.#chance = world.chance.fork('machine');
  }

  /** The pipeline that is open, also while its process is paused. */
  get pipeline(): OpenPipeline | null {
    return this.#current?.pipeline ?? null;
  }

  /** True when no process is paused, and one has the pipeline open. */
  get up(): boolean {
    return this.#current !== null && [...this.#lives].every((life) => life.state === 'running');
  }

  /** Starts a process, whether there is one or not. */
  start(): void {
    const life = this.#world.begin();
    this.#lives.add(life);
    this.#world.tell(`process ${life.number} starts`);
    this.#world.watch(`process ${life.number}`, this.#run(life));
  }

  /** Kills every process at once. The disk keeps what they wrote, unless the power goes with them. */
  crash(power: boolean): void {
    this.#world.happened(power ? 'power cut' : 'kill');
    for (const life of this.#lives) this.#end(life);
    if (power) this.#disk.cutPower();
    this.#restart(power ? 300 : 50);
  }

  /** Stops the process where it stands, for a while. Sometimes somebody starts another one meanwhile. */
  pause(ms: number, another: boolean): void {
    const life = this.#current?.life ?? [...this.#lives][0];
    if (life === undefined || life.state !== 'running') return;
    this.#world.happened('pause', `process ${life.number}`);
    this.#world.pause(life);
    if (another) this.#world.plan(ms * this.#chance.next(), () => this.start());
    this.#world.plan(ms, () => {
      this.#world.tell(`process ${life.number} goes on`);
      this.#world.resume(life);
    });
  }

  /** Lets the process end in order, and starts it again. A process that does not end in time is killed. */
  stop(): void {
    const current = this.#current;
    if (current === null || current.life.state !== 'running') return;
    const { life, pipeline } = current;
    this.#world.happened('restart in order', `process ${life.number}`);
    const end = (how: string): void => {
      if (life.state === 'dead') return;
      this.#world.tell(`process ${life.number} ${how}`);
      this.#end(life);
      this.#restart(20);
    };
    // Nobody finds this door open any more; what is inside may finish.
    this.#current = null;
    pipeline.close().then(
      () => end('has ended'),
      (error: unknown) => {
        if (!isWaybillError(error)) this.#world.fail(`process ${life.number} cannot close: ${describe(error)}`);
        end('has ended with an error');
      },
    );
    this.#world.plan(10_000, () => end('did not end in time'));
  }

  /** Goes on after everything went wrong: no process is paused, one is running. */
  calm(): void {
    for (const life of this.#lives) this.#world.resume(life);
    if (this.#lives.size === 0) this.start();
  }

  /** Ends the process in order, for good, and cuts the power. */
  async finish(): Promise<void> {
    this.#over = true;
    this.stop();
    await this.#world.run(this.#world.time + 20_000, () => this.#lives.size === 0);
    this.#disk.cutPower();
  }

  post(request: PushRequest): Promise<PushAnswer> {
    return new Promise((resolve) => {
      const abort = new AbortController();
      let open = true;
      const answer = (given: PushAnswer): void => {
        if (!open) return;
        open = false;
        abort.abort(new Error('the sender has hung up'));
        resolve(given);
      };
      this.#world.plan(ANSWER_MS, () => answer({ kind: 'lost' }));
      this.#world.plan(this.#wire(), () => {
        const current = this.#current;
        if (current === null) {
          this.#world.plan(this.#wire(), () => answer({ kind: 'lost' }));
          return;
        }
        current.life.whenDead(() => this.#world.plan(this.#wire(), () => answer({ kind: 'lost' })));
        this.#world.plan(0, () => this.#inside(current.pipeline, request, abort.signal, answer), current.life);
      });
    });
  }

  #inside(pipeline: OpenPipeline, request: PushRequest, signal: AbortSignal, answer: (given: PushAnswer) => void): void {
    if (signal.aborted) return;
    if (this.#current?.pipeline !== pipeline) {
      // The process is ending and takes no more requests.
      answer({ kind: 'lost' });
      return;
    }
    pipeline.submit(request, signal).then(
      (result) => this.#world.plan(this.#wire(), () => answer({ kind: 'answered', result })),
      (error: unknown) => {
        if (signal.aborted) return;
        if (!isWaybillError(error)) this.#world.fail(`a request failed: ${describe(error)}`);
        const full = isWaybillError(error) && error.code === 'LEDGER_FULL';
        this.#world.plan(this.#wire(), () => answer({ kind: full ? 'pushback' : 'lost' }));
      },
    );
  }

  async #run(life: Life): Promise<void> {
    await pass(this.#world, life, 1);
    let pipeline: OpenPipeline;
    try {
      pipeline = await this.#open(life);
    } catch (error) {
      const code = isWaybillError(error) ? error.code : '';
      this.#world.tell(`process ${life.number} cannot start: ${describe(error)}`);
      if (!START_ERRORS.has(code) && this.attendant?.expects(error) !== true)
        this.#world.fail(`process ${life.number} cannot start: ${describe(error)}`);
      this.#end(life);
      this.#restart(200);
      return;
    }
    if (life.state === 'dead') return;
    if (this.#current !== null) this.#world.fail(`processes ${this.#current.life.number} and ${life.number} have the ledger open at once`);
    this.#current = { life, pipeline };
    this.opened += 1;
    this.#world.tell(`process ${life.number} is up`);
    this.attendant?.up(life, pipeline);
    const error = await pipeline.failed;
    this.#world.tell(`process ${life.number} fails: ${describe(error)}`);
    const damaged = isWaybillError(error) && error.code === 'LEDGER_CORRUPT';
    if (!isWaybillError(error) || (damaged && this.attendant?.expects(error) !== true))
      this.#world.fail(`process ${life.number} fails: ${describe(error)}`);
    this.#end(life);
    this.#restart(100);
  }

  #end(life: Life): void {
    this.#lives.delete(life);
    if (this.#current?.life === life) this.#current = null;
    life.end();
    this.#disk.kill(life);
  }

  #restart(ms: number): void {
    this.#world.plan(ms * (0.5 + this.#chance.next()), () => {
      if (this.#lives.size === 0 && !this.#over) this.start();
    });
  }

  #wire(): number {
    return 0.2 + this.#chance.next();
  }
}

function describe(error: unknown): string {
  if (isWaybillError(error)) return `${error.code} ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
