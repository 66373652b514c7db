import { z } from 'zod';
import { assert } from '../contracts/assert.ts';
import type { Output } from '../contracts/ports.ts';
import type { Receipt, Sink, SinkBatch, SinkDefinition, SinkTraits } from '../contracts/sink.ts';
import { untilGivenUp } from './given-up.ts';

/** A pipe cannot say whether anybody has read what it took. */
const TRAITS: SinkTraits = {
  ack: 'none',
  dedupe: 'none',
  batch: { entries: 1_000, bytes: 1 << 20, waitMs: 0 },
  inFlightMax: 1,
  carriesEmpty: false,
};

const SLOW = 'standard output was not read in time';

const config = z.strictObject({});

/** The settings of a `stdout` destination: there are none. */
export type StdoutConfig = z.output<typeof config>;

/** Writes entries to standard output as lines of JSON, for whatever reads the pipe. The log is on standard error. */
export const stdout: SinkDefinition<StdoutConfig> = {
  type: 'stdout',
  title: 'Standard output',
  summary:
    'Writes entries to standard output, as lines of JSON, as fast as they are read. Nobody can say what was read. It gets no checkpoints.',
  config,
  traits: () => TRAITS,
  target: () => 'standard output',
  open: async (_config, { ports }) => new StdoutSink(ports.output),
};

class StdoutSink implements Sink {
  readonly traits = TRAITS;
  readonly #output: Output;
  readonly #closing = new AbortController();
  /** The batch that was handed to the pipe last. A caller that gives up does not call its bytes back. */
  #last: { readonly id: string; readonly written: Promise<void> } | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  async write(batch: SinkBatch, signal: AbortSignal): Promise<Receipt> {
    assert(!this.#closing.signal.aborted, 'standard output was written to after its destination was closed');
    const either = AbortSignal.any([signal, this.#closing.signal]);
    // A batch whose bytes are in the pipe already is waited for: the reader was slow, and would get it twice.
    if (this.#last?.id !== batch.id) {
      // Nothing piles up before a slow reader.
      if (this.#last !== null) await untilGivenUp(this.#last.written.catch(nothing), either, SLOW);
      this.#last = { id: batch.id, written: this.#output.write(batch.body) };
    }
    await untilGivenUp(this.#last.written, either, SLOW);
    return { bytes: batch.body.length };
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the destination was closed'));
  }
}

function nothing(): void {}
