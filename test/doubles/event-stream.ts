import type { Socket } from 'node:net';
import { connect } from 'node:net';

/** One server-sent event as the HTML standard has a reader see it. */
export interface StreamEvent {
  readonly type: string;
  readonly id: string;
  readonly data: string;
}

/** A reader of server-sent events on a socket of its own. */
export interface StreamReader {
  readonly socket: Socket;
  readonly events: StreamEvent[];
  readonly comments: string[];
  /** The id that a reader would send after it was cut off. */
  lastId(): string;
  /** The status line and headers, once they are there. */
  head(): string;
  /** Resolves once the condition holds. Rejects when the connection ends before. */
  until(condition: () => boolean): Promise<void>;
  /** Resolves once the server has ended the connection or the answer. */
  readonly ended: Promise<void>;
}

/** Asks for a stream over a plain socket. What comes is read as the HTML standard says, over chunked transfer coding. */
export function readStream(port: number, path: string, headers: Readonly<Record<string, string>> = {}): StreamReader {
  const socket = connect(port, '127.0.0.1');
  const lines = [`GET ${path} HTTP/1.1`, `host: 127.0.0.1:${port}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const state = { head: '', raw: Buffer.alloc(0) as Buffer, text: '', lastId: '', over: false };
  const events: StreamEvent[] = [];
  const comments: string[] = [];
  const watchers = new Set<() => void>();
  const end = Promise.withResolvers<void>();
  const look = (): void => {
    for (const watcher of watchers) watcher();
  };
  const finish = (): void => {
    state.over = true;
    end.resolve();
    look();
  };
  socket.on('data', (chunk) => {
    state.raw = Buffer.concat([state.raw, chunk]);
    if (takeHead(state) && takeChunks(state)) finish();
    takeBlocks(state, events, comments);
    look();
  });
  socket.on('error', () => undefined);
  socket.on('close', finish);
  return {
    socket,
    events,
    comments,
    lastId: () => state.lastId,
    head: () => state.head,
    ended: end.promise,
    until: (condition) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          if (condition()) resolve();
          else if (state.over) reject(new Error(`the stream ended: ${state.head} ${state.text}`));
          else return;
          watchers.delete(watcher);
        };
        watchers.add(watcher);
        watcher();
      }),
  };
}

interface Reading {
  head: string;
  raw: Buffer;
  text: string;
  lastId: string;
}

function takeHead(state: Reading): boolean {
  if (state.head !== '') return true;
  const at = state.raw.indexOf('\r\n\r\n');
  if (at === -1) return false;
  state.head = state.raw.toString('latin1', 0, at);
  state.raw = state.raw.subarray(at + 4);
  return true;
}

/** Takes whole chunks. True once the last one came, or where the answer is not in chunks. */
function takeChunks(state: Reading): boolean {
  if (!/transfer-encoding: chunked/i.test(state.head)) {
    state.text += state.raw.toString();
    return true;
  }
  for (;;) {
    const at = state.raw.indexOf('\r\n');
    if (at === -1) return false;
    const length = Number.parseInt(state.raw.toString('latin1', 0, at), 16);
    if (state.raw.length < at + 2 + length + 2) return false;
    if (length === 0) return true;
    state.text += state.raw.toString('utf8', at + 2, at + 2 + length);
    state.raw = state.raw.subarray(at + 2 + length + 2);
  }
}

function takeBlocks(state: Reading, events: StreamEvent[], comments: string[]): void {
  if (!state.head.startsWith('HTTP/1.1 200')) return;
  for (let at = state.text.indexOf('\n\n'); at !== -1; at = state.text.indexOf('\n\n')) {
    let type = 'message';
    const data: string[] = [];
    for (const line of state.text.slice(0, at).split('\n')) {
      const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (name === '') comments.push(value);
      else if (name === 'id') state.lastId = value;
      else if (name === 'event') type = value;
      else if (name === 'data') data.push(value);
    }
    if (data.length > 0) events.push({ type, id: state.lastId, data: data.join('\n') });
    state.text = state.text.slice(at + 2);
  }
}
