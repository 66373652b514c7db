import { WaybillError } from '../../src/contracts/errors.ts';
import type { Receipt, Sink, SinkBatch, SinkCheckpoint, SinkTraits } from '../../src/contracts/sink.ts';
import type { Index } from '../../src/contracts/units.ts';

/**
 * What a model destination does with one attempt. `lose`: it takes the batch and the answer is lost. `hang`: it answers when the signal
 * ends.
 */
export type Reaction = 'take' | 'lose' | 'miss' | 'hang' | WaybillError;

/** A destination in memory: it keeps what it has taken, batch by batch, and reacts as a test says. */
export class ModelDestination {
  /** Every batch that took effect, in the order of arrival. */
  readonly taken: SinkBatch[] = [];
  /** Every attempt, in the order in which they began. */
  readonly attempts: SinkBatch[] = [];
  /** Every checkpoint that came by itself and was taken. */
  readonly checkpoints: SinkCheckpoint[] = [];
  /** What the next checkpoints that come by themselves meet; afterwards all are taken. */
  readonly checkpointScript: Reaction[] = [];
  /** What the next attempts meet; afterwards everything is taken. */
  readonly script: Reaction[] = [];
  /** Entries that it refuses, by index. */
  readonly poison = new Set<number>();
  /** How many writes are going on, and the most that ever were. */
  writing = 0;
  widest = 0;
  closed = 0;
  readonly traits: SinkTraits;
  readonly #ids = new Set<string>();
  #next: number;

  constructor(traits: Partial<SinkTraits> = {}, next = 0) {
    const batch = { entries: 10, bytes: 1 << 20, waitMs: 0 };
    this.traits = { ack: 'durable', dedupe: 'key', batch, inFlightMax: 4, carriesEmpty: false, ...traits };
    this.#next = next;
  }

  /** The index that it needs next, as a destination that keeps its place knows it. */
  get next(): number {
    return this.#next;
  }

  /** Loses everything from an index on. */
  forget(index: number): void {
    this.#next = index;
    this.taken.splice(0, this.taken.length, ...this.taken.filter((batch) => batch.through < index));
  }

  /** Jumps ahead, as if somebody else had written. */
  jump(index: number): void {
    this.#next = index;
  }

  /** The indexes of all records that it has, in the order of arrival. */
  indexes(): number[] {
    return this.taken.flatMap((batch) => recordsOf(batch).map(({ index }) => index));
  }

  open(): Sink {
    const sink: Sink = {
      traits: this.traits,
      write: (batch, signal) => this.#write(batch, signal),
      ...(this.traits.checkpoints === undefined ? {} : { checkpoint: (one, signal) => this.#checkpoint(one, signal) }),
      close: async () => {
        this.closed += 1;
      },
    };
    return this.traits.dedupe === 'position' ? { ...sink, next: async () => this.#next as Index } : sink;
  }

  async #write(batch: SinkBatch, signal: AbortSignal): Promise<Receipt> {
    this.attempts.push(batch);
    this.writing += 1;
    this.widest = Math.max(this.widest, this.writing);
    try {
      await new Promise((resolve) => setImmediate(resolve));
      return await this.#react(batch, signal);
    } finally {
      this.writing -= 1;
    }
  }

  async #react(batch: SinkBatch, signal: AbortSignal): Promise<Receipt> {
    const reaction = this.script.shift() ?? 'take';
    if (reaction instanceof WaybillError) throw reaction;
    if (reaction === 'miss') throw new WaybillError('SINK_ANSWER_LOST', 'the connection was lost');
    if (reaction === 'hang') {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      throw new WaybillError('SINK_ANSWER_LOST', 'the time was over');
    }
    const bad = recordsOf(batch).some(({ index }) => this.poison.has(index));
    if (bad) throw new WaybillError('SINK_REFUSED_ENTRY', 'an entry was refused');
    this.#take(batch);
    if (reaction === 'lose') throw new WaybillError('SINK_ANSWER_LOST', 'the answer was lost');
    return { through: batch.through };
  }

  async #checkpoint(checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    const reaction = this.checkpointScript.shift() ?? 'take';
    if (reaction instanceof WaybillError) throw reaction;
    if (reaction === 'hang') await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    if (reaction !== 'miss' && reaction !== 'hang') this.checkpoints.push(checkpoint);
    if (reaction !== 'take') throw new WaybillError('SINK_ANSWER_LOST', 'the answer was lost');
  }

  #take(batch: SinkBatch): void {
    if (this.traits.dedupe === 'position') {
      if (batch.from !== this.#next) throw new WaybillError('SINK_BUSY', `the next index is ${this.#next}, not ${batch.from}`);
      this.#next = batch.through + 1;
    }
    if (this.traits.dedupe === 'key' && this.#ids.has(batch.id)) return;
    this.#ids.add(batch.id);
    this.taken.push(batch);
  }
}

/** The records of a batch in the native format. */
export function recordsOf(batch: SinkBatch): { readonly index: number; readonly entry: unknown }[] {
  const text = new TextDecoder();
  return Array.from({ length: batch.count }, (_, k) => {
    const line = text.decode(batch.body.subarray(batch.offsets[k], batch.offsets[k + 1]));
    return JSON.parse(line) as { index: number; entry: unknown };
  });
}
