import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type Held, heldIn } from './batches.ts';
import type { Trouble } from './sink.ts';

/** One request as it arrived. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A receiver on loopback that takes batches in the native format. It tells in its answers what it was told, as careless servers do. */
export interface HttpReceiver {
  readonly url: string;
  /** Every request that arrived, taken or not. */
  readonly requests: readonly Received[];
  /** The entries that it took, in the order of their arrival. */
  held(): readonly Held[];
  /** The checkpoints that came with batches that it took, and by themselves. */
  checkpoints(): readonly string[];
  trouble(kind: Trouble, giveUp: () => void): void;
  heal(): void;
  stop(): Promise<void>;
}

/** What a request says. */
export interface ReadMessage {
  /** The identity of the batch, or of a checkpoint by itself. */
  readonly id: string;
  readonly held: readonly Held[];
  readonly checkpoint: string | null;
}

/** How a receiver reads a request. Throws when it is none that it knows. */
export type ReadRequest = (headers: IncomingHttpHeaders, body: string) => ReadMessage;

/** The native format in the body, identity and checkpoint in headers: what the `http` sink sends. */
export const readLines: ReadRequest = (headers, body) => {
  const [id, carried] = [headers['waybill-batch'], headers['waybill-checkpoint']];
  const checkpoint = carried === undefined ? null : Buffer.from(String(carried), 'base64').toString();
  if (id !== undefined) return { id: String(id), held: heldIn(body), checkpoint };
  if (checkpoint === null || body !== '') throw new Error('neither a batch nor a checkpoint');
  return { id: `checkpoint ${checkpoint}`, held: [], checkpoint };
};

/** Starts a receiver. With `drops`, a batch whose identity it has is answered and not kept. */
export async function startHttpReceiver({
  drops,
  read = readLines,
}: {
  readonly drops: boolean;
  readonly read?: ReadRequest;
}): Promise<HttpReceiver> {
  const requests: Received[] = [];
  const held: Held[] = [];
  const checkpoints: string[] = [];
  const known = new Set<string>();
  let kind: Trouble | null = null;
  let giveUp = nothing;

  const take = ({ headers, body }: Received): void => {
    const batch = read(headers, plain(headers, body).toString());
    if (drops && known.has(batch.id)) return;
    known.add(batch.id);
    held.push(...batch.held);
    if (batch.checkpoint !== null) checkpoints.push(batch.checkpoint);
  };
  const answer = (received: Received, request: IncomingMessage, response: ServerResponse): void => {
    const echo = JSON.stringify({ error: 'refused', you_said: [received.path, received.headers] });
    const say = (status: number, headers: Record<string, string> = {}): void =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(echo);
    if (kind === 'hang') return giveUp();
    if (kind === 'refused') return say(503);
    if (kind === 'busy') return say(429, { 'retry-after': '7' });
    if (kind === 'unauthorized') return say(401);
    if (kind === 'poison' && plain(received.headers, received.body).includes('poison')) return say(422);
    take(received);
    if (kind === 'answer-lost') request.socket.destroy();
    else response.writeHead(204).end();
  };

  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const received = { method, path, headers, body: Buffer.concat(parts) };
      requests.push(received);
      answer(received, request, response);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    held: () => [...held],
    checkpoints: () => [...checkpoints],
    trouble(next, onGiveUp) {
      kind = next;
      giveUp = onGiveUp;
    },
    heal() {
      kind = null;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function plain(headers: IncomingHttpHeaders, body: Buffer): Buffer {
  if (headers['content-encoding'] === 'gzip') return gunzipSync(body);
  if (headers['content-encoding'] === 'zstd') return zstdDecompressSync(body);
  return body;
}

function nothing(): void {}
