import { assert } from '../contracts/assert.ts';
import type { WaybillError } from '../contracts/errors.ts';
import type { HttpRequest, HttpResponse } from '../contracts/ports.ts';
import type { Schema } from '../contracts/schema.ts';
import type { Receipt, Sink, SinkBatch, SinkContext, SinkDefinition, SinkTraits } from '../contracts/sink.ts';
import { standardVerdict, type VerdictContext } from './verdict.ts';

/**
 * A destination that takes one batch in one HTTP request: how a batch becomes a request, and, where its answers need it, what
 * they mean.
 */
export interface HttpRecipe<Config> {
  readonly type: string;
  readonly title: string;
  readonly summary: string;
  readonly config: Schema<Config>;
  traits(config: Config): SinkTraits;
  target(config: Config): string;
  /** What must never appear in a message. */
  secrets(config: Config): readonly string[];
  /** Pure: the same batch always makes the same request. */
  request(batch: SinkBatch, config: Config, destination: HttpDestination): HttpRequest;
  /** For destinations that say more than a status: an error, or `null` when the batch was taken. Absent: `standardVerdict`. */
  verdict?(response: HttpResponse, batch: SinkBatch, context: VerdictContext): WaybillError | null;
  /** What the answer says that is worth keeping. Absent: its status. */
  receipt?(response: HttpResponse): Receipt;
}

/** What a request may name beside its batch. */
export interface HttpDestination {
  readonly name: string;
  readonly origin: string;
}

/** Makes a sink from a recipe. It owns sending, the end of a signal, closing and the meaning of answers. */
export function httpSink<Config>(recipe: HttpRecipe<Config>): SinkDefinition<Config> {
  const { type, title, summary, config } = recipe;
  return {
    type,
    title,
    summary,
    config,
    traits: (settings) => recipe.traits(settings),
    target: (settings) => recipe.target(settings),
    open: async (settings, context) => new HttpSink(recipe, settings, context),
  };
}

class HttpSink<Config> implements Sink {
  readonly traits: SinkTraits;
  readonly #recipe: HttpRecipe<Config>;
  readonly #config: Config;
  readonly #context: SinkContext;
  readonly #secrets: readonly string[];
  readonly #closing = new AbortController();
  readonly #writes = new Set<Promise<unknown>>();

  constructor(recipe: HttpRecipe<Config>, config: Config, context: SinkContext) {
    this.traits = recipe.traits(config);
    this.#recipe = recipe;
    this.#config = config;
    this.#context = context;
    this.#secrets = recipe.secrets(config);
  }

  async write(batch: SinkBatch, signal: AbortSignal): Promise<Receipt> {
    assert(!this.#closing.signal.aborted, `the sink of ${this.#context.name} was written to after it was closed`);
    const write = this.#send(batch, signal);
    const settled = write.then(nothing, nothing);
    this.#writes.add(settled);
    try {
      return await write;
    } finally {
      this.#writes.delete(settled);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the destination was closed'));
    await Promise.all(this.#writes);
  }

  async #send(batch: SinkBatch, signal: AbortSignal): Promise<Receipt> {
    const { name, origin, ports } = this.#context;
    const request = this.#recipe.request(batch, this.#config, { name, origin });
    const response = await ports.http.send(request, AbortSignal.any([signal, this.#closing.signal]));
    const context = { from: new URL(request.url).origin, now: ports.clock.now(), secrets: this.#secrets };
    const error = this.#recipe.verdict === undefined ? standardVerdict(response, context) : this.#recipe.verdict(response, batch, context);
    if (error !== null) throw error;
    return this.#recipe.receipt?.(response) ?? { status: response.status };
  }
}

function nothing(): void {}
