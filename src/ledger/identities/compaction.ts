import { WaybillError } from '../../contracts/errors.ts';
import type { Ports } from '../../contracts/ports.ts';
import { planMerge } from './compaction-plan.ts';
import { insist } from './insist.ts';
import { ABANDON_JOB, MERGE_JOB } from './jobs.ts';
import type { MergeAnswer, MergeInput } from './merge.ts';
import type { Run } from './run.ts';
import { blocksFor, layoutOf } from './run-format.ts';
import type { RunStore } from './run-store.ts';

/** A long merge of old runs must not let new ones pile up: they are merged beside it. */
const MERGES_MAX = 2;

/** What compaction needs of the outside. */
export type CompactionPorts = Pick<Ports, 'background' | 'clock' | 'disk' | 'log'>;

/** Keeps the number of runs small by merging them in the background. */
export class Compaction {
  readonly #store: RunStore;
  readonly #ports: CompactionPorts;
  readonly #onDamaged: (reason: string) => void;
  readonly #merges = new Set<Promise<void>>();
  #stopping = new AbortController();

  constructor(store: RunStore, ports: CompactionPorts, onDamaged: (reason: string) => void) {
    this.#store = store;
    this.#ports = ports;
    this.#onDamaged = onDamaged;
  }

  /** Starts the merges that are due. */
  consider(): void {
    while (this.#merges.size < MERGES_MAX && !this.#stopping.signal.aborted) {
      const idle = this.#store.runs.filter((run) => !run.merging);
      const picked = planMerge(idle.map((run) => run.entries)).map((place) => idle[place]!);
      if (picked.length === 0) return;
      for (const run of picked) run.merging = true;
      const merge = this.#merge(picked, this.#stopping.signal).finally(() => {
        this.#merges.delete(merge);
        this.consider();
      });
      this.#merges.add(merge);
    }
  }

  /** Stops the merges under way; nothing of them counts. `consider` starts anew. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#merges);
    this.#stopping = new AbortController();
  }

  async #merge(inputs: readonly Run[], signal: AbortSignal): Promise<void> {
    try {
      const run = await insist('merge', () => this.#write(inputs, signal), this.#ports, signal);
      if (run !== null) await insist('publish a merge', () => this.#store.publish(run, inputs), this.#ports, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      for (const run of inputs) run.merging = false;
    }
  }

  /** Writes and admits the merged run; `null` when an input is damaged. */
  async #write(inputs: readonly Run[], signal: AbortSignal): Promise<Run | null> {
    const name = this.#store.newName();
    const entries = inputs.reduce((sum, run) => sum + run.entries, 0);
    const filter = this.#store.planFilter(entries, inputs);
    // Merging can wait: it must not take the last space away from the ledger.
    const needed = 2 * layoutOf(blocksFor(entries), filter.blocks).length;
    const available = await this.#ports.disk.available(this.#store.directory);
    if (available < needed) throw new WaybillError('DISK_FULL', `${available} bytes are free and merging wants ${needed}`);
    const input: MergeInput = {
      path: this.#store.pathOf(name),
      inputs: inputs.map((run) => ({ path: this.#store.pathOf(run.name), entries: run.entries })),
      entries,
      filter,
    };
    try {
      const complaint = await this.#runJob(input, signal);
      if (complaint === null) return await this.#store.admit(name, inputs);
      this.#onDamaged(complaint);
      return null;
    } catch (error) {
      await this.#giveUp(input.path);
      throw error;
    }
  }

  /** Runs a merge to its end. Resolves with `null`, or with what is wrong with an input. */
  async #runJob(input: MergeInput, signal: AbortSignal): Promise<string | null> {
    for (;;) {
      const answer = (await this.#ports.background.run(MERGE_JOB, input)) as MergeAnswer;
      if (answer.kind === 'done') return null;
      if (answer.kind === 'damaged') return answer.message;
      signal.throwIfAborted();
    }
  }

  /** Frees the space of a file that never counted. What fails here is made up for at the next start. */
  async #giveUp(path: string): Promise<void> {
    try {
      await this.#ports.background.run(ABANDON_JOB, path);
      await this.#ports.disk.remove(path);
    } catch (error) {
      this.#ports.log.warn('an unfinished file of the index of identities stays until the next start', {
        file: path,
        reason: String(error),
      });
    }
  }
}
