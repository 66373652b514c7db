import { crc32c } from '@node-rs/crc32';
import { BrokenInvariant } from '../../contracts/assert.ts';
import { WaybillError } from '../../contracts/errors.ts';
import type { Ledger } from '../../contracts/ledger.ts';
import type { Ports } from '../../contracts/ports.ts';
import { asIndex, asSize, type Size } from '../../contracts/units.ts';
import { type FilterPlan, planFilter } from './filter.ts';
import { SEED_BYTES } from './fingerprint.ts';
import { messageOf } from './insist.ts';
import { MANIFEST, MANIFEST_NEW, RUN_NAME, readManifest, writeManifest } from './manifest.ts';
import { Run } from './run.ts';
import { BlockBuffer, blocksFor } from './run-format.ts';

/** Up to where the runs are complete, and a check of the last entry below. */
export interface Mark {
  readonly watermark: Size;
  readonly anchor: number | null;
}

const NO_MARK: Mark = { watermark: asSize(0), anchor: null };

/**
 * The directory of the runs. The manifest decides: a run counts from the moment the manifest that names it has been written,
 * and its file is removed only after one that does not name it has been written. It keeps the memory of all runs within a budget.
 */
export class RunStore {
  readonly directory: string;
  runs: readonly Run[] = [];
  seed: Uint8Array;
  readonly #ports: Pick<Ports, 'disk' | 'random' | 'log'>;
  readonly #budget: number;
  readonly #block = new BlockBuffer();
  #mark = NO_MARK;
  /** Opened and not published yet. */
  readonly #pending = new Set<Run>();
  #turn: Promise<unknown> = Promise.resolve();

  /** An empty store; `budget` is the memory in bytes that fences and filters of all runs together may take. */
  constructor(directory: string, budget: number, ports: Pick<Ports, 'disk' | 'random' | 'log'>) {
    this.directory = directory;
    this.#budget = budget;
    this.#ports = ports;
    this.seed = ports.random.bytes(SEED_BYTES);
  }

  /** The identities of all entries below it are in the runs. */
  get watermark(): Size {
    return this.#mark.watermark;
  }

  /** How much memory the runs take now. */
  get bytes(): number {
    return [...this.runs, ...this.#pending].reduce((sum, run) => sum + run.bytes, 0);
  }

  /**
   * Takes up what the directory holds. Resolves with `null`, or with the reason why it cannot be used. Rejects with `LEDGER_REWOUND` when
   * it was made from more entries than there are.
   */
  async load(ledger: Pick<Ledger, 'size' | 'read' | 'beginning'>): Promise<string | null> {
    const { disk } = this.#ports;
    await disk.makeDirectory(this.directory);
    const manifest = await readManifest(disk, this.directory);
    if (manifest === 'missing') {
      await this.#sweep();
      return null;
    }
    if (manifest === 'damaged') return 'the manifest is damaged';
    // It only ever covers what is durable, so no crash explains this: entries are gone, and to rebuild it would hide that.
    if (manifest.watermark > ledger.size()) {
      const what = `${this.directory} knows ${manifest.watermark} entries, and the ledger has ${ledger.size()}`;
      throw new WaybillError('LEDGER_REWOUND', what);
    }
    const anchor = await anchorAt(manifest.watermark, ledger);
    if (anchor !== null && anchor !== manifest.anchor) return `it was made from another entry ${manifest.watermark - 1}`;
    this.seed = manifest.seed;
    this.#mark = { watermark: manifest.watermark, anchor: manifest.anchor };
    try {
      await this.#openRuns(manifest.runs);
    } catch (error) {
      if (error instanceof BrokenInvariant) throw error;
      // A file that cannot be read is no better than one that is damaged: the ledger has it all.
      return messageOf(error);
    }
    await this.#sweep();
    return null;
  }

  /** Forgets everything, in memory and on disk, in an order in which no crash leaves a manifest that names what is gone. */
  async reset(): Promise<void> {
    await this.#exclusive(async () => {
      await this.#closeRuns();
      this.#mark = NO_MARK;
      this.seed = this.#ports.random.bytes(SEED_BYTES);
      await this.#ports.disk.remove(`${this.directory}/${MANIFEST}`);
      await this.#ports.disk.syncDirectory(this.directory);
      await this.#sweep();
    });
  }

  /** A name for a new run file. No name comes twice, also not from a process that does not know yet that another one took its place. */
  newName(): string {
    return `${Buffer.from(this.#ports.random.bytes(8)).toString('hex')}.run`;
  }

  /** The path of a run file. */
  pathOf(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** The filter for a new run that replaces others. It leaves room for those to come, which together grow as large as this one. */
  planFilter(entries: number, replaced: readonly Run[]): FilterPlan {
    const kept = this.runs.filter((run) => !replaced.includes(run)).reduce((sum, run) => sum + run.bytes, 0);
    const left = this.#budget - kept - blocksFor(entries) * 4;
    return planFilter(entries, replaced.length === 0 ? left : (left * 2) / 3);
  }

  /**
   * Opens a run that was just written, with its filter if there is memory for it.
   * Rejects with `RunDamaged` when the disk did not keep it.
   */
  admit(name: string, replaced: readonly Run[]): Promise<Run> {
    return this.#exclusive(async () => {
      const run = await Run.open(this.#ports.disk, this.directory, name, this.#block);
      this.#pending.add(run);
      try {
        await this.#loadFilter(run, replaced);
      } catch (error) {
        this.#pending.delete(run);
        await run.close();
        throw error;
      }
      return run;
    });
  }

  /**
   * Makes an admitted run count in the place of others, and moves the mark if there is one. After a failure it is unknown which manifest
   * is on the disk: the call has to be repeated, and until it succeeds every file stays.
   */
  async publish(run: Run, replaced: readonly Run[], mark?: Mark): Promise<void> {
    await this.#exclusive(async () => {
      const runs = [...this.runs.filter((other) => !replaced.includes(other)), run];
      const next = mark ?? this.#mark;
      await writeManifest(this.#ports.disk, this.directory, { seed: this.seed, ...next, runs: runs.map(({ name }) => name) });
      this.#pending.delete(run);
      this.runs = runs;
      this.#mark = next;
      for (const old of replaced) await this.#discard(old);
    });
  }

  /** Closes every file. */
  async close(): Promise<void> {
    await this.#exclusive(() => this.#closeRuns());
  }

  async #openRuns(names: readonly string[]): Promise<void> {
    for (const name of names) this.runs = [...this.runs, await Run.open(this.#ports.disk, this.directory, name, this.#block)];
    // Small runs first: a bit of memory spares the same looks at the disk wherever it is spent, and small filters fit.
    for (const run of [...this.runs].sort((a, b) => a.entries - b.entries)) await this.#loadFilter(run, []);
  }

  /**
   * Loads the filter of an open run if there is room. The filters of runs that are about to go make room;
   * then they are slower for a moment.
   */
  async #loadFilter(run: Run, replaced: readonly Run[]): Promise<void> {
    const fits = (): boolean => this.bytes + run.filterBytesWanted <= this.#budget;
    if (!fits()) for (const old of replaced) old.dropFilter();
    if (fits()) await run.loadFilter();
  }

  /** A file that stays because of a failure here is removed at the next start. */
  async #discard(run: Run): Promise<void> {
    try {
      await run.close();
      await this.#ports.disk.remove(this.pathOf(run.name));
    } catch (error) {
      this.#ports.log.warn('an old file of the index of identities stays until the next start', { file: run.name, reason: String(error) });
    }
  }

  async #closeRuns(): Promise<void> {
    const runs = [...this.runs, ...this.#pending];
    this.runs = [];
    this.#pending.clear();
    for (const run of runs) await run.close();
  }

  /** Removes the files that do not count: what a crash left of work that was not finished. */
  async #sweep(): Promise<void> {
    const counting = new Set(this.runs.map((run) => run.name));
    for (const name of await this.#ports.disk.list(this.directory)) {
      if (name === MANIFEST_NEW || (RUN_NAME.test(name) && !counting.has(name))) await this.#ports.disk.remove(this.pathOf(name));
    }
  }

  /** Changes of the manifest come one after another. */
  #exclusive<Out>(step: () => Promise<Out>): Promise<Out> {
    const done = this.#turn.then(step);
    this.#turn = done.catch(() => {});
    return done;
  }
}

/** CRC-32C of the entry below a watermark; `null` where there is none, or none any more. */
export async function anchorAt(watermark: Size, ledger: Pick<Ledger, 'read' | 'beginning'>): Promise<number | null> {
  if (watermark === 0 || watermark - 1 < ledger.beginning()) return null;
  const { bytes, starts, ends } = await ledger.read(asIndex(watermark - 1), { entries: 1, bytes: 1 });
  return crc32c(bytes.subarray(starts[0], ends[0]));
}
