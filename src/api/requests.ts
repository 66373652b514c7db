import type { Readable, Writable } from 'node:stream';
import type { ApiLimits } from '../config/config.ts';
import { BrokenInvariant } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Answer, Headers } from './answer.ts';
import { answerable, problem } from './answer.ts';
import { readBody, SenderGone, tooLarge } from './body.ts';
import type { Call } from './call.ts';
import { parseQuery } from './call.ts';
import type { Guard } from './guard.ts';
import type { ByteBudget } from './limits.ts';
import type { FindRoute, RouteParts } from './routes.ts';

/** A request as `node:http` hands it over, as far as it is used here. */
export interface IncomingRequest extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether all of it has arrived. */
  readonly complete: boolean;
}

/** The answer to a request as `node:http` takes it, as far as it is used here. */
export interface OutgoingResponse extends Writable {
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): unknown;
  writeContinue(): void;
}

/** What answering needs. */
export interface RequestParts extends RouteParts {
  readonly guard: Guard;
  readonly budget: ByteBudget;
  readonly findRoute: FindRoute;
  readonly ports: Pick<Ports, 'clock' | 'log'>;
}

/** Answers requests, each by itself. */
export interface Requests {
  /** `asksFirst`: the sender waits to be told that its body is wanted (`Expect: 100-continue`). */
  take(request: IncomingRequest, response: OutgoingResponse, asksFirst: boolean): void;
  /** From now on requests are refused, and those that have no place in the order yet end. */
  stop(): void;
  /** Resolves once every answer has been handed over. */
  idle(): Promise<void>;
  readonly failed: Promise<unknown>;
}

const SAFE: Headers = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };

/** Makes the part that answers. */
export function createRequests(parts: RequestParts): Requests {
  const { ports, metrics, limits } = parts;
  const stopping = new AbortController();
  const broken = Promise.withResolvers<unknown>();
  const idle = Promise.withResolvers<undefined>();
  let open = 0;

  async function handle(request: IncomingRequest, response: OutgoingResponse, asksFirst: boolean): Promise<void> {
    const started = ports.clock.monotonic();
    const incoming = createIncoming(request, response, asksFirst, parts, stopping.signal);
    let route = 'unknown';
    let answer: Answer;
    try {
      const [path = '', query = ''] = (request.url ?? '').split('?', 2);
      const match = parts.findRoute(request.method ?? '', path);
      route = match.route.path;
      const caller = admitted(parts.guard, match.route.need, request);
      answer = await match.route.take({ ...incoming.call, caller, params: match.params, query: parseQuery(query) }, parts);
    } catch (error) {
      if (error instanceof SenderGone) return;
      if (error instanceof BrokenInvariant) broken.resolve(error);
      const known = answerable(error);
      if (known.code === 'INTERNAL')
        ports.log.error('a request met a mistake of this program', { route, error: String(known.details.cause) });
      answer = problem(known, headersOf(known));
    } finally {
      incoming.release();
    }
    const close = await incoming.settle();
    await send(response, answer, close || stopping.signal.aborted);
    metrics.answered(route, answer.status, ports.clock.monotonic() - started);
  }

  return {
    failed: broken.promise,
    take(request, response, asksFirst) {
      open += 1;
      response.on('error', () => response.destroy());
      response.on('close', () => {
        open -= 1;
        if (open === 0 && stopping.signal.aborted) idle.resolve(undefined);
      });
      handle(request, response, asksFirst).catch((error: unknown) => {
        ports.log.error('an answer could not be sent', { error: String(error) });
        response.destroy();
      });
    },
    stop() {
      stopping.abort(new WaybillError('STOPPING', 'the server is being stopped', { retryAfterMs: limits.requestMs / 10 }));
      if (open === 0) idle.resolve(undefined);
    },
    idle: () => idle.promise,
  };
}

function admitted(guard: Guard, need: Parameters<Guard['authorize']>[0], { method, headers }: IncomingRequest) {
  if (need !== 'open')
    guard.admit({ host: one(headers['host']), origin: one(headers['origin']), changes: method !== 'GET' && method !== 'HEAD' });
  return guard.authorize(need, one(headers['authorization']));
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}

/** What an error wants said in headers. */
function headersOf({ code, details }: WaybillError): Headers {
  if (code === 'UNAUTHORIZED') return { 'www-authenticate': 'Bearer' };
  if (code === 'METHOD_UNSUPPORTED') return { allow: String(details.facts?.['allow']) };
  return {};
}

/** The side of a request that comes in: what a call may ask of it, and how it is ended. */
interface Incoming {
  readonly call: Omit<Call, 'caller' | 'params' | 'query'>;
  /** Gives back the memory that the request held. */
  release(): void;
  /**
   * Takes in the rest of a body that nobody wanted, as much of it as a body may have: a sender that is still sending would lose the answer.
   * True when the connection has to be closed, because there is more.
   */
  settle(): Promise<boolean>;
}

function createIncoming(
  request: IncomingRequest,
  response: OutgoingResponse,
  asksFirst: boolean,
  { limits, budget }: { readonly limits: ApiLimits; readonly budget: ByteBudget },
  signal: AbortSignal,
): Incoming {
  let held = 0;
  let unasked = asksFirst;
  const header = (name: string) => one(request.headers[name]);
  const hold = (bytes: number): void => {
    budget.take(bytes);
    held += bytes;
  };
  return {
    call: {
      signal,
      header,
      hold,
      async body() {
        signal.throwIfAborted();
        if (Number(header('content-length') ?? 0) > limits.bodyBytes) throw tooLarge(limits.bodyBytes);
        if (unasked) response.writeContinue();
        unasked = false;
        return readBody(request, limits.bodyBytes, hold);
      },
    },
    release() {
      budget.giveBack(held);
      held = 0;
    },
    async settle() {
      if (!request.complete && !unasked) await discard(request, limits.bodyBytes);
      return !request.complete;
    },
  };
}

function discard(request: Readable, bytesMax: number): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) resolve();
    });
    request.on('end', resolve);
    request.on('close', resolve);
    request.on('error', () => resolve());
  });
}

async function send(response: OutgoingResponse, { status, headers, body }: Answer, close: boolean): Promise<void> {
  const all = { ...SAFE, ...headers, ...(close ? { connection: 'close' } : {}) };
  if (typeof body === 'string') {
    response.writeHead(status, { ...all, 'content-length': Buffer.byteLength(body) });
    response.end(body);
    return;
  }
  response.writeHead(status, all);
  for await (const piece of body) {
    if (response.destroyed) return;
    if (!response.write(piece)) await drained(response);
  }
  response.end();
}

function drained(response: OutgoingResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
