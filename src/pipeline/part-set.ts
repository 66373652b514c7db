import { assert } from '../contracts/assert.ts';
import type { Watchdog } from './watchdog.ts';

/** How parts of one kind are opened and closed. */
export interface PartKind<Config extends { readonly name: string }, Part> {
  /** Opens a part, which is at work from then on. What was opened is closed again when it rejects. */
  open(config: Config): Promise<Part>;
  /** Lets what is in flight end as far as there is time for it, then closes. The same name can be opened again afterwards. */
  close(part: Part, drainMs: number): Promise<void>;
  /** Resolves with the reason once a promise of this program was broken in the part: the process has to stop then. */
  failed(part: Part): Promise<unknown>;
}

/** The parts of one kind that are at work, by name. Each of them is started and stopped by itself. */
export class PartSet<Config extends { readonly name: string }, Part> {
  readonly #kind: PartKind<Config, Part>;
  readonly #watchdog: Watchdog;
  readonly #parts = new Map<string, Part>();

  constructor(kind: PartKind<Config, Part>, watchdog: Watchdog) {
    this.#kind = kind;
    this.#watchdog = watchdog;
  }

  /**
   * The parts as they are now: whoever keeps the map sees what is started and stopped later. A part that is being closed is still in it.
   */
  get parts(): ReadonlyMap<string, Part> {
    return this.#parts;
  }

  /** Opens one part. Rejects, and changes nothing, when it cannot be opened. */
  async start(config: Config): Promise<void> {
    assert(!this.#parts.has(config.name), `${config.name} is started once`);
    const part = await this.#kind.open(config);
    this.#parts.set(config.name, part);
    this.#watchdog.watch(this.#kind.failed(part));
  }

  /** Closes one part; what is in flight has `drainMs` to come back. */
  async stop(name: string, drainMs: number): Promise<void> {
    const part = this.#parts.get(name);
    assert(part !== undefined, `${name} is stopped once`);
    try {
      await this.#kind.close(part, drainMs);
    } finally {
      // Whatever became of it, it is not at work any more.
      this.#parts.delete(name);
    }
  }

  /** Closes all parts, at the same time. */
  async stopAll(drainMs: number): Promise<void> {
    await Promise.all([...this.#parts.keys()].map((name) => this.stop(name, drainMs)));
  }
}
