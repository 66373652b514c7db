import { isWaybillError, WaybillError } from '../../src/contracts/errors.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import { asIndex, asSize, type Index } from '../../src/contracts/units.ts';
import type { IdentitiesLedger, IdentitiesOptions, OpenIdentities } from '../../src/ledger/identities/identities.ts';
import { openIdentities } from '../../src/ledger/identities/identities.ts';
import { identityJobs } from '../../src/ledger/identities/jobs.ts';
import { type Chance, createChance } from '../sim/chance.ts';
import { type Ending, StepDisk } from './step-disk.ts';

/** An identity of a source, as its JSON text without the quotes. */
export interface Named {
  readonly source: string;
  readonly id: string;
}

/** The directory of the index in these tests. */
export const DIRECTORY = 'identities';

const encoder = new TextEncoder();

/** A ledger that is a list, with an index of identities on a disk that ends, fills up and rots when a test wants it to. */
export class IdentitiesWorld {
  readonly chance: Chance;
  readonly disk: StepDisk;
  readonly warnings: string[] = [];
  entries: Uint8Array[] = [];
  durable = 0;
  beginning = 0;
  /** How many entries the index has read from the ledger since it was opened. */
  replayed = 0;
  identities: OpenIdentities | null = null;
  #life = 0;
  readonly #options: Omit<IdentitiesOptions, 'path'>;
  /** Where each identity is, as the index has to have it. */
  readonly #known = new Map<string, number>();

  constructor(options: Omit<IdentitiesOptions, 'path'> = {}, seed = 1) {
    this.chance = createChance(seed, 'identities');
    this.disk = new StepDisk(this.chance);
    this.#options = { memtableEntries: 8, memoryBytes: 1 << 20, ...options };
  }

  /** The open index. */
  get open(): OpenIdentities {
    if (this.identities === null) throw new Error('the index is not open');
    return this.identities;
  }

  /** Opens the index in a new process. */
  async start(): Promise<OpenIdentities> {
    this.replayed = 0;
    this.identities = await openIdentities({ path: DIRECTORY, ...this.#options }, this.#ledger(), this.#ports());
    return this.identities;
  }

  /** Closes the index. */
  async stop(): Promise<void> {
    await this.open.close();
    this.identities = null;
    if (this.disk.openFiles > 0) throw new Error(`${this.disk.openFiles} files are open after the index was closed`);
  }

  /** The process ends here and now; entries that were not durable are gone. */
  crash(ending: Ending): void {
    this.#life++;
    this.disk.end(ending);
    this.identities = null;
    this.entries.length = this.durable;
    for (const [key, index] of this.#known) if (index >= this.durable) this.#known.delete(key);
  }

  /** Appends a new identity, as the sequencer does: it is found nowhere, then it is numbered and added. */
  append(named: Named): Index {
    const found = this.find(named);
    if (found.length > 0) throw new Error(`${named.source} ${named.id} is there already, at ${found.join()}`);
    return this.#add(named);
  }

  /** Appends an event that had no identity, with one of its own: nobody looks that up. */
  appendAssigned(named: Named): Index {
    return this.#add(named);
  }

  /** The same as `append`, unless the index says that it is being rebuilt. */
  appendOrRetry(named: Named): void {
    try {
      this.append(named);
    } catch (error) {
      if (!isWaybillError(error) || error.code !== 'IDENTITIES_REBUILDING') throw error;
    }
  }

  /** Damages a bit of a file, if there is one. */
  damage(file: number, at: number, bit: number): void {
    const paths = this.disk.paths();
    const path = paths[file % paths.length];
    if (path !== undefined && this.disk.lengthOf(path) > 0) this.disk.flip(path, at % this.disk.lengthOf(path), bit);
  }

  /** Appends a control entry, which has no place in the index. */
  appendControl(): void {
    this.entries.push(entryOf({ source: 'waybill', id: `control-${this.entries.length}` }, this.entries.length));
  }

  /** Makes everything that has been numbered durable. */
  flush(): void {
    this.durable = this.entries.length;
  }

  /** What the index says. */
  find({ source, id }: Named): readonly Index[] {
    const bytes = encoder.encode(`"${id}"`);
    return this.open.find(source, bytes, 1, bytes.length - 1);
  }

  /** Looks up everything that is there and as much that is not. Returns what is wrong. */
  faults(): string[] {
    const faults: string[] = [];
    for (const [key, index] of this.#known) {
      const named = namedOf(key);
      const found = this.find(named);
      if (found.length !== 1 || found[0] !== index) faults.push(`${key} is at ${index}, and found at [${found.join()}]`);
      const other = { source: named.source, id: `${named.id}!` };
      if (this.find(other).length > 0) faults.push(`${key}! is not there, and found`);
    }
    return faults;
  }

  /** The same, with nothing to say while the index is being rebuilt. */
  tryFaults(): void {
    try {
      this.faults();
    } catch (error) {
      if (!isWaybillError(error) || error.code !== 'IDENTITIES_REBUILDING') throw error;
    }
  }

  /** Waits until the index takes more. */
  async ready(): Promise<void> {
    for (let wait = this.open.ready(); wait !== null; wait = this.open.ready()) await wait;
  }

  /** Lets the background go on for a while. */
  async pause(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await this.#sleep(this.#life);
  }

  /** Waits until nothing is going on in the background any more. */
  async quiet(): Promise<void> {
    for (let steps = -1; steps !== this.disk.steps; ) {
      steps = this.disk.steps;
      await this.pause();
    }
  }

  /** Time does not matter here: whoever sleeps is woken at the next turn, unless his process has ended. */
  #sleep(life: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        if (life !== this.#life) return;
        if (signal?.aborted === true) reject(signal.reason as Error);
        else resolve();
      });
    });
  }

  #add({ source, id }: Named): Index {
    const index = asIndex(this.entries.length);
    const bytes = encoder.encode(id);
    this.entries.push(entryOf({ source, id }, index));
    this.open.add(source, bytes, 0, bytes.length, index);
    this.#known.set(`${source} ${id}`, index);
    return index;
  }

  #ledger(): IdentitiesLedger {
    return {
      size: () => asSize(this.durable),
      assigned: () => asSize(this.entries.length),
      beginning: () => asIndex(this.beginning),
      read: async (from, limits) => {
        if (from < this.beginning) throw new WaybillError('LEDGER_PRUNED', `entry ${from} is not retained`);
        const entries = this.entries.slice(from, Math.min(this.durable, from + Math.min(limits.entries, 5)));
        this.replayed += entries.length;
        const starts = new Uint32Array(entries.length);
        const ends = new Uint32Array(entries.length);
        const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + entry.length, 0));
        let at = 0;
        for (const [place, entry] of entries.entries()) {
          bytes.set(entry, at);
          starts[place] = at;
          at += entry.length;
          ends[place] = at;
        }
        return { first: from, count: entries.length, bytes, starts, ends };
      },
    };
  }

  #ports(): Pick<Ports, 'background' | 'clock' | 'disk' | 'log' | 'random'> {
    const life = ++this.#life;
    const disk = this.disk.start();
    const jobs = identityJobs(disk);
    const warn = (message: string, facts?: unknown): void => void this.warnings.push(`${message} ${JSON.stringify(facts)}`);
    return {
      disk,
      random: this.chance,
      background: { run: (job, input) => (jobs[job] as (input: unknown) => Promise<unknown>)(input) },
      clock: { now: () => 0, monotonic: () => 0, sleep: (_ms, signal) => this.#sleep(life, signal) },
      log: { info: () => {}, warn, error: warn },
    };
  }
}

/** The bytes of an entry, as the pipeline writes them. */
export function entryOf({ source, id }: Named, n: number): Uint8Array {
  const position = n % 3 === 0 ? 'null' : `"0/${n}\\"x"`;
  const head = `{"v":1,"source":"${source}","n":${n},"partition":null,"position":${position},"received_at":"2026-11-24T11:08:09.123Z"`;
  return encoder.encode(`${head},"id":"${id}","schema":"json","event":{"id":"${id}"}}`);
}

function namedOf(key: string): Named {
  const space = key.indexOf(' ');
  return { source: key.slice(0, space), id: key.slice(space + 1) };
}
