import { createEventReader } from './event-stream.ts';
import type { Demo, EntryLine, Status } from './shapes.ts';

/** A request that was answered with an error, or not at all (`status` 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** What leads on. */
  readonly action: string;

  constructor(status: number, message: string, action: string) {
    super(message);
    this.status = status;
    this.action = action;
  }
}

/** What an operator can do to a destination. */
export type Verb = 'pause' | 'resume' | 'retry';
/** What can be done in the demo only. */
export type DemoVerb = 'break' | 'repair';

/** Talks to the server that the page came from, and to nobody else. */
export interface Client {
  status(signal: AbortSignal): Promise<Status>;
  entries(from: number, limit: number, signal: AbortSignal): Promise<readonly EntryLine[]>;
  /** Hands every entry from `from` on to `take` as it becomes durable. Resolves when the server ends it; rejects when it is broken off. */
  follow(from: number, take: (lines: readonly EntryLine[]) => void, signal: AbortSignal): Promise<void>;
  control(destination: string, verb: Verb): Promise<void>;
  demo(signal: AbortSignal): Promise<Demo>;
  turn(destination: string, verb: DemoVerb): Promise<Demo>;
  /** `play`: the guided minute. `compare`: read everything back. `kill`: kill -9, and a new start. */
  direct(what: 'play' | 'compare' | 'kill'): Promise<Demo>;
}

const ANSWER_MS = 5_000;

/** Makes a client that shows this token, or none. */
export function createClient(token: string | null): Client {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };

  const get = (path: string, signal: AbortSignal): Promise<string> => send(path, { headers }, signal);
  const post = (path: string): Promise<string> =>
    send(path, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: '{}' });

  return {
    status: async (signal) => JSON.parse(await get('/v1/status', signal)) as Status,
    async entries(from, limit, signal) {
      const text = await get(`/v1/entries?from=${from}&limit=${limit}`, signal);
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as EntryLine);
    },
    follow: (from, take, signal) => follow(`/v1/stream?from=${from}`, headers, take, signal),
    control: async (destination, verb) => void (await post(`/v1/destinations/${encodeURIComponent(destination)}/${verb}`)),
    demo: async (signal) => JSON.parse(await get('/demo', signal)) as Demo,
    turn: async (destination, verb) => JSON.parse(await post(`/demo/destinations/${encodeURIComponent(destination)}/${verb}`)) as Demo,
    direct: async (what) => JSON.parse(await post(`/demo/${what}`)) as Demo,
  };
}

async function send(path: string, options: RequestInit, signal?: AbortSignal): Promise<string> {
  const limit = AbortSignal.timeout(ANSWER_MS);
  const ends = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, { ...options, signal: ends, cache: 'no-store', credentials: 'omit', redirect: 'error' });
    text = await response.text();
  } catch {
    throw new ApiError(0, 'the server does not answer', 'It is asked again until it is back.');
  }
  if (!response.ok) throw refusal(response.status, text);
  return text;
}

async function follow(
  path: string,
  headers: Readonly<Record<string, string>>,
  take: (lines: readonly EntryLine[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(path, { headers, signal, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  if (!response.ok || response.body === null) throw refusal(response.status, await response.text());
  const reader = createEventReader();
  const decoder = new TextDecoder();
  const body = response.body.getReader();
  for (;;) {
    const { done, value } = await body.read();
    if (done) return;
    const events = reader.push(decoder.decode(value, { stream: true }));
    const lines = events.filter(({ type }) => type === 'message').map(({ data }) => JSON.parse(data) as EntryLine);
    if (lines.length > 0) take(lines);
  }
}

function refusal(status: number, text: string): ApiError {
  try {
    const { error } = JSON.parse(text) as { readonly error: { readonly message: string; readonly action: string } };
    return new ApiError(status, error.message, error.action);
  } catch {
    return new ApiError(status, `the server answered ${status}`, 'Its log says more.');
  }
}
