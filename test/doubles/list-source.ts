import type { Source, SourceBatch, SourceEvent } from '../../src/contracts/source.ts';
import type { Position } from '../../src/contracts/units.ts';
import { asPosition } from '../../src/contracts/units.ts';

/** How a batch was settled, by its position. */
export type Settled = readonly [position: string, outcome: 'accepted' | 'refused'];

/**
 * A pull source that has a list of batches in one partition. The position of batch `k` is `String(k)`; it resumes behind the one
 * it is given, and waits for the signal when the list ends.
 */
export class ListSource implements Source {
  readonly settled: Settled[] = [];
  /** What the next call of `settle` rejects with. */
  settleFailure: Error | null = null;
  /** What `settle` waits for. */
  settling: Promise<void> = Promise.resolve();
  /** Whether all events of a batch lie at one position. */
  onePosition = false;
  /** Stands before the position of every event. */
  prefix = '';
  /** What else batch `k` says. */
  more: (k: number) => Partial<SourceBatch> = () => ({});
  readonly #batches: readonly (readonly string[])[];
  readonly #partition: string | null;

  constructor(batches: readonly (readonly string[])[], partition: string | null = null) {
    this.#batches = batches;
    this.#partition = partition;
  }

  async *batches(after: ReadonlyMap<string, Position>, signal: AbortSignal): AsyncIterable<SourceBatch> {
    const resume = after.get(this.#partition ?? '');
    const first = resume === undefined ? 0 : Number(resume) + 1;
    for (let k = first; k < this.#batches.length && !signal.aborted; k++) yield this.#batch(k);
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  async close(): Promise<void> {}

  #batch(k: number): SourceBatch {
    const position = asPosition(String(k));
    const events = (this.#batches[k] ?? []).map((text, place): SourceEvent => {
      const bytes = Buffer.from(`<<${text}>>`);
      return { position: asPosition(`${this.prefix}${k}.${this.onePosition ? 0 : place}`), bytes, start: 2, end: bytes.length - 2 };
    });
    return {
      partition: this.#partition,
      position,
      events,
      ...this.more(k),
      settle: async (outcome) => {
        const { settling } = this;
        this.settling = Promise.resolve();
        await settling;
        if (this.settleFailure !== null) throw this.settleFailure;
        this.settled.push([position, outcome]);
      },
    };
  }
}
