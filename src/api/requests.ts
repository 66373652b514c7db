import type { Readable, Writable } from 'node:stream';
import { BrokenInvariant } from '../contracts/assert.ts';
import type { ErrorCode } from '../contracts/errors.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Answer, Headers } from './answer.ts';
import { answerable, isWhole, problem } from './answer.ts';
import type { DenialLog } from './attempts.ts';
import type { Audit } from './audit.ts';
import { CONTROL_BODY_BYTES } from './audit.ts';
import { readBody, SenderGone, tooLarge } from './body.ts';
import type { Call } from './call.ts';
import { parseQuery } from './call.ts';
import type { Caller, Connection, Need } from './guard.ts';
import { createLastingAnswers } from './lasting.ts';
import type { ByteBudget } from './limits.ts';
import type { Policy } from './policy.ts';
import { notServed } from './policy.ts';
import { isServed } from './purposes.ts';
import type { Route } from './routes.ts';

/** A request as `node:http` hands it over, as far as it is used here. */
export interface IncomingRequest extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether all of it has arrived. */
  readonly complete: boolean;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** The answer to a request as `node:http` takes it, as far as it is used here. */
export interface OutgoingResponse extends Writable {
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): unknown;
  writeContinue(): void;
}

/** What answering needs. */
export interface RequestParts {
  /** What holds now. A request keeps what held when it came. */
  readonly policy: () => Policy;
  readonly audit: Audit;
  readonly denials: DenialLog;
  readonly budget: ByteBudget;
  readonly ports: Pick<Ports, 'clock' | 'log'>;
}

/** Answers requests, each by itself. */
export interface Requests {
  /** `asksFirst`: the sender waits to be told that its body is wanted (`Expect: 100-continue`). */
  take(request: IncomingRequest, response: OutgoingResponse, asksFirst: boolean, connection: Connection): void;
  /** From now on requests are refused, and those that have no place in the order yet end. */
  stop(): void;
  /** Resolves once every answer has been handed over. */
  idle(): Promise<void>;
  /** Breaks off answers that are still being sent to whoever may no longer have them: its token was removed, or has expired. */
  recheck(): void;
  readonly failed: Promise<unknown>;
}

/** Errors of requests that were not allowed. */
const DENIALS: readonly ErrorCode[] = ['UNAUTHORIZED', 'FORBIDDEN', 'AUTH_THROTTLED', 'ORIGIN_FOREIGN'];

const SAFE: Headers = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };

/** Makes the part that answers. */
export function createRequests({ policy: current, audit, denials, budget, ports }: RequestParts): Requests {
  const stopping = new AbortController();
  const broken = Promise.withResolvers<unknown>();
  const idle = Promise.withResolvers<undefined>();
  let open = 0;
  const lasting = createLastingAnswers();

  async function handle(request: IncomingRequest, response: OutgoingResponse, asksFirst: boolean, connection: Connection): Promise<void> {
    const started = ports.clock.monotonic();
    const policy = current();
    const incoming = createIncoming(request, response, asksFirst, policy.routes.limits.bodyBytes, budget, stopping.signal);
    let route: Route | null = null;
    let answer: Answer;
    try {
      const [path, query] = splitUrl(request.url ?? '');
      const match = policy.findRoute(request.method ?? '', path);
      route = match.route;
      if (!isServed(path, connection.serve)) throw notServed(path);
      const caller = admitted(policy, route.need, request, connection);
      const call = { ...incoming.call, caller, params: match.params, query: parseQuery(query) };
      if (route.need === 'control') await record(call, path, query, request, connection);
      answer = await route.take(call, policy.routes);
    } catch (error) {
      if (error instanceof SenderGone) return;
      if (error instanceof BrokenInvariant) broken.resolve(error);
      const known = answerable(error);
      if (known.code === 'INTERNAL')
        ports.log.error('a request met a mistake of this program', { route: route?.path ?? null, error: String(known.details.cause) });
      if (route?.need === 'control' && DENIALS.includes(known.code)) denials.note(connection.address, route.path, known.code);
      answer = problem(known, headersOf(known));
    } finally {
      incoming.release();
    }
    const close = await incoming.settle();
    // An answer in pieces may take for ever.
    policy.routes.metrics.answered(route?.path ?? 'unknown', answer.status, ports.clock.monotonic() - started);
    const sent = send(response, answer, close || stopping.signal.aborted, request.method === 'HEAD');
    if (isWhole(answer.body) || route === null) return sent;
    const authorization = one(request.headers['authorization']);
    await lasting.during({ need: route.need, authorization, connection, end: () => response.destroy() }, sent);
  }

  /** What steers something is in the ledger before it is done. */
  async function record(call: Call, path: string, query: string, { method = '' }: IncomingRequest, { address }: Connection): Promise<void> {
    const body = await call.body(CONTROL_BODY_BYTES);
    await audit.record({ caller: call.caller, address, method, path, query, body, reason: call.header('waybill-reason') });
  }

  return {
    failed: broken.promise,
    take(request, response, asksFirst, connection) {
      open += 1;
      response.on('error', () => response.destroy());
      response.on('close', () => {
        open -= 1;
        if (open === 0 && stopping.signal.aborted) idle.resolve(undefined);
      });
      handle(request, response, asksFirst, connection).catch((error: unknown) => {
        ports.log.error('an answer could not be sent', { error: String(error) });
        response.destroy();
      });
    },
    stop() {
      stopping.abort(new WaybillError('STOPPING', 'the server is being stopped', { retryAfterMs: current().routes.limits.requestMs / 10 }));
      if (open === 0) idle.resolve(undefined);
    },
    idle: () => idle.promise,
    recheck: () => lasting.recheck(current().guard),
  };
}

/** The path of a URL, and what stands behind its first question mark. */
function splitUrl(url: string): readonly [path: string, query: string] {
  const mark = url.indexOf('?');
  return mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}

/** The sender of a request that may be made here, and that is not one too many. */
function admitted({ guard, countRead }: Policy, need: Need, { method, headers }: IncomingRequest, connection: Connection): Caller {
  if (need !== 'open') {
    const changes = method !== 'GET' && method !== 'HEAD';
    guard.admit({ host: one(headers['host']), origin: one(headers['origin']), changes, secure: connection.secure });
  }
  const caller = guard.authorize(need, one(headers['authorization']), connection);
  if (need === 'read') countRead(caller);
  return caller;
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
  bodyBytes: number,
  budget: ByteBudget,
  signal: AbortSignal,
): Incoming {
  let held = 0;
  let unasked = asksFirst;
  let body: Promise<Buffer> | null = null;
  const header = (name: string) => one(request.headers[name]);
  const hold = (bytes: number): void => {
    budget.take(bytes);
    held += bytes;
  };
  const read = async (most: number): Promise<Buffer> => {
    signal.throwIfAborted();
    if (Number(header('content-length') ?? 0) > most) throw tooLarge(most);
    if (unasked) response.writeContinue();
    unasked = false;
    return readBody(request, most, hold);
  };
  return {
    call: {
      signal,
      header,
      hold,
      whenGone: () => goneSignal(response),
      body(most = bodyBytes) {
        body ??= read(Math.min(most, bodyBytes));
        return body;
      },
    },
    release() {
      budget.giveBack(held);
      held = 0;
    },
    async settle() {
      if (!request.complete && !unasked) await discard(request, bodyBytes);
      return !request.complete;
    },
  };
}

function goneSignal(response: OutgoingResponse): AbortSignal {
  const gone = new AbortController();
  if (response.closed) gone.abort();
  else response.once('close', () => gone.abort());
  return gone.signal;
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

async function send(response: OutgoingResponse, { status, headers, body }: Answer, close: boolean, headOnly: boolean): Promise<void> {
  const all = { ...SAFE, ...headers, ...(close ? { connection: 'close' } : {}) };
  if (isWhole(body)) {
    response.writeHead(status, { ...all, 'content-length': Buffer.byteLength(body) });
    response.end(body);
    return;
  }
  response.writeHead(status, all);
  if (headOnly) {
    response.end();
    return;
  }
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
