import type { Ledger } from '../../contracts/ledger.ts';
import type { Ports } from '../../contracts/ports.ts';
import { asSize } from '../../contracts/units.ts';
import { insist } from './insist.ts';
import { FLUSH_JOB, type FlushInput } from './jobs.ts';
import type { Memtable } from './memtable.ts';
import type { Run } from './run.ts';
import { anchorAt, type RunStore } from './run-store.ts';

const DURABLE_WAIT_MIN_MS = 2;
const DURABLE_WAIT_MAX_MS = 100;

/** What the flusher needs of the outside. */
export type FlusherPorts = Pick<Ports, 'background' | 'clock' | 'log'>;

/** Writes full memtables as runs, oldest first, so that the watermark only ever passes what is in runs. Until then they still answer. */
export class Flusher {
  /** The memtables that wait, oldest first. */
  frozen: readonly Memtable[] = [];
  readonly #store: RunStore;
  readonly #ledger: Pick<Ledger, 'size' | 'read' | 'beginning'>;
  readonly #ports: FlusherPorts;
  readonly #onFlushed: (table: Memtable) => void;
  #stopping = new AbortController();
  #loop: Promise<void> | null = null;

  constructor(
    store: RunStore,
    ledger: Pick<Ledger, 'size' | 'read' | 'beginning'>,
    ports: FlusherPorts,
    onFlushed: (table: Memtable) => void,
  ) {
    this.#store = store;
    this.#ledger = ledger;
    this.#ports = ports;
    this.#onFlushed = onFlushed;
  }

  /** Takes a memtable that will not change any more. */
  push(table: Memtable): void {
    this.frozen = [...this.frozen, table];
    this.#loop ??= this.#work(this.#stopping.signal);
  }

  /** Stops before the next step. The memtables stay. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    this.#stopping = new AbortController();
  }

  /** Forgets every memtable that waits. */
  clear(): void {
    this.frozen = [];
  }

  /** Writes a memtable with one attempt, if all its entries are durable. For a last time, when the loop has been stopped. */
  async flushOnce(table: Memtable): Promise<boolean> {
    if (table.highest >= this.#ledger.size()) return false;
    await this.#publish(table, await this.#write(table, this.#store.newName()));
    return true;
  }

  async #work(signal: AbortSignal): Promise<void> {
    try {
      for (let table = this.frozen[0]; table !== undefined; table = this.frozen[0]) {
        await this.#flush(table, signal);
        this.frozen = this.frozen.slice(1);
        this.#onFlushed(table);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#loop = null;
    }
  }

  async #flush(table: Memtable, signal: AbortSignal): Promise<void> {
    const name = this.#store.newName();
    const run = await insist('write', () => this.#write(table, name), this.#ports, signal);
    // A run may only speak of entries that are durable: after a crash others could take the places of those that were not.
    let wait = DURABLE_WAIT_MIN_MS;
    for (; table.highest >= this.#ledger.size(); wait = Math.min(wait * 2, DURABLE_WAIT_MAX_MS))
      await this.#ports.clock.sleep(wait, signal);
    await insist('publish', () => this.#publish(table, run), this.#ports, signal);
  }

  async #write(table: Memtable, name: string): Promise<Run> {
    const filter = this.#store.planFilter(table.count, []);
    const input: FlushInput = { path: this.#store.pathOf(name), words: table.words, count: table.count, filter };
    await this.#ports.background.run(FLUSH_JOB, input);
    return this.#store.admit(name, []);
  }

  async #publish(table: Memtable, run: Run): Promise<void> {
    const watermark = asSize(table.highest + 1);
    await this.#store.publish(run, [], { watermark, anchor: await anchorAt(watermark, this.#ledger) });
  }
}
