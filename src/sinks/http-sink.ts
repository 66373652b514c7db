import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { HttpRequest, HttpResponse } from '../contracts/ports.ts';
import type { Schema } from '../contracts/schema.ts';
import type { Receipt, Sink, SinkBatch, SinkCheckpoint, SinkContext, SinkDefinition, SinkTraits } from '../contracts/sink.ts';
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
  /** Pure: the same batch at the same time always makes the same request. */
  request(batch: SinkBatch, config: Config, destination: HttpDestination): HttpRequest;
  /** For destinations that say more than a status: an error, or `null` when the batch was taken. Absent: `standardVerdict`. */
  verdict?(response: HttpResponse, batch: SinkBatch, context: VerdictContext): WaybillError | null;
  /** What the answer says that is worth keeping. Absent: its status. */
  receipt?(response: HttpResponse): Receipt;
  /** A request that carries a checkpoint and no entry. Present where the traits name checkpoints. */
  checkpointRequest?(checkpoint: SinkCheckpoint, config: Config, destination: HttpDestination): HttpRequest;
  /** Where its requests go. */
  reaches(config: Config): Pick<HttpRequest, 'url' | 'publicOnly' | 'tls'>;
  /** A request that is marked as a test and carries no entry. */
  testRequest(config: Config, destination: HttpDestination): HttpRequest;
}

/** What a request may name beside its batch. */
export interface HttpDestination {
  readonly name: string;
  readonly origin: string;
  /** The wall clock in milliseconds since 1970, for requests that carry the time at which they are sent. */
  readonly now: number;
}

/** A destination that was opened and takes one batch in one HTTP request. What a recipe says, with its settings filled in. */
export interface HttpExchange {
  readonly traits: SinkTraits;
  readonly secrets: readonly string[];
  request(batch: SinkBatch, destination: HttpDestination): HttpRequest | Promise<HttpRequest>;
  /** May ask the destination more before it answers, as long as the signal lasts. */
  verdict(
    response: HttpResponse,
    batch: SinkBatch,
    context: VerdictContext,
    signal: AbortSignal,
  ): WaybillError | null | Promise<WaybillError | null>;
  receipt(response: HttpResponse, batch: SinkBatch): Receipt;
  /** Brings a checkpoint; present when the traits name checkpoints. */
  readonly checkpoint?: (checkpoint: SinkCheckpoint, signal: AbortSignal) => Promise<void>;
  readBack?: Sink['readBack'];
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
    open: async (settings, context) => {
      const traits = recipe.traits(settings);
      return openHttpSink(
        {
          traits,
          ...(traits.checkpoints === undefined
            ? {}
            : { checkpoint: (checkpoint, signal) => sendCheckpoint(recipe, settings, context, checkpoint, signal) }),
          secrets: recipe.secrets(settings),
          request: (batch, destination) => recipe.request(batch, settings, destination),
          verdict: (response, batch, verdictContext) =>
            recipe.verdict === undefined ? standardVerdict(response, verdictContext) : recipe.verdict(response, batch, verdictContext),
          receipt: (response) => recipe.receipt?.(response) ?? { status: response.status },
        },
        context,
      );
    },
    async probe(settings, { ports, signal }) {
      const { address, tls } = await ports.http.reach(recipe.reaches(settings), signal);
      return [`connected to ${address}${tls === null ? ' without TLS' : `, ${tls}`}; no request was sent`];
    },
    async sendTest(settings, { name, origin, ports, signal }) {
      const now = ports.clock.now();
      const request = recipe.testRequest(settings, { name, origin, now });
      const response = await ports.http.send(request, signal);
      const from = new URL(request.url).origin;
      const error = standardVerdict(response, { from, now, secrets: recipe.secrets(settings) });
      if (error !== null) throw error;
      return `a test was sent, and ${from} answered ${response.status}`;
    },
  };
}

async function sendCheckpoint<Config>(
  recipe: HttpRecipe<Config>,
  settings: Config,
  { name, origin, ports }: SinkContext,
  checkpoint: SinkCheckpoint,
  signal: AbortSignal,
): Promise<void> {
  assert(recipe.checkpointRequest !== undefined, `${recipe.type} has a request for the checkpoints that its traits name`);
  const request = recipe.checkpointRequest(checkpoint, settings, { name, origin, now: ports.clock.now() });
  const response = await ports.http.send(request, signal);
  const from = new URL(request.url).origin;
  const error = standardVerdict(response, { from, now: ports.clock.now(), secrets: recipe.secrets(settings) });
  if (error === null) return;
  // It takes batches at this very address, so it is this kind of request that it does not know.
  const unknown = error.remedy === 'reject' || error.code === 'SINK_REFUSED' || error.code === 'SINK_NOT_FOUND';
  throw unknown ? new WaybillError('CHECKPOINT_REFUSED', error.message, { cause: error, facts: error.details.facts ?? {} }) : error;
}

/** The sink of a destination that `open` of its definition has looked at already. */
export function openHttpSink(exchange: HttpExchange, context: SinkContext): Sink {
  const sink = new HttpSink(exchange, context);
  const { readBack, checkpoint: bring } = exchange;
  if (readBack !== undefined) Object.assign(sink, { readBack });
  if (bring === undefined) return sink;
  const checkpoint: Sink['checkpoint'] = (one, signal) => sink.keep((either) => bring(one, either), signal);
  return Object.assign(sink, { checkpoint });
}

class HttpSink implements Sink {
  readonly traits: SinkTraits;
  readonly #exchange: HttpExchange;
  readonly #context: SinkContext;
  readonly #closing = new AbortController();
  readonly #writes = new Set<Promise<unknown>>();

  constructor(exchange: HttpExchange, context: SinkContext) {
    this.traits = exchange.traits;
    this.#exchange = exchange;
    this.#context = context;
  }

  write(batch: SinkBatch, signal: AbortSignal): Promise<Receipt> {
    return this.keep((either) => this.#send(batch, either), signal);
  }

  /** Sends something, which closing ends and waits for. */
  async keep<Out>(send: (signal: AbortSignal) => Promise<Out>, signal: AbortSignal): Promise<Out> {
    assert(!this.#closing.signal.aborted, `the sink of ${this.#context.name} was written to after it was closed`);
    const sending = send(AbortSignal.any([signal, this.#closing.signal]));
    const settled = sending.then(nothing, nothing);
    this.#writes.add(settled);
    try {
      return await sending;
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
    const request = await this.#exchange.request(batch, { name, origin, now: ports.clock.now() });
    const response = await ports.http.send(request, signal);
    const context = { from: new URL(request.url).origin, now: ports.clock.now(), secrets: this.#exchange.secrets };
    const error = await this.#exchange.verdict(response, batch, context, signal);
    if (error !== null) throw error;
    return this.#exchange.receipt(response, batch);
  }
}

function nothing(): void {}
