/**
 * A receiver of webhooks as somebody else would write it, a process of its own. It checks the signature (Standard Webhooks, `v1`) and keeps
 * the index that it needs next; a batch that begins there is stored, one that it has already is answered and dropped.
 * `GET /received` gives everything that it stored, `GET /repeats` how many batches it dropped; after `POST /broken` it answers 503,
 * until `POST /whole`.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isCheckpoint, readHookBody } from './hook-body.ts';
import { readOrder, tellWhere } from './order.ts';

/** `answerMs`: how long it takes for an answer: a receiver elsewhere is not as near as this one. */
const { secret, answerMs } = (await readOrder()) as { readonly secret: string; readonly answerMs: number };
const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
const stored: string[] = [];
let next = 0;
let repeats = 0;
let broken = false;

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => answer(request, Buffer.concat(parts).toString(), response));
  // A sender that is killed in mid-request has delivered nothing.
  request.on('error', () => response.destroy());
});

function answer(request: IncomingMessage, body: string, response: ServerResponse): void {
  const path = request.url ?? '/';
  // The demo asks rarely: a connection that idles would be closed in the very moment of the next question.
  if (path !== '/in') response.setHeader('connection', 'close');
  if (request.method === 'GET' && path === '/received') {
    response.end(stored.map((line) => `${line}\n`).join(''));
  } else if (request.method === 'GET' && path === '/repeats') {
    response.end(String(repeats));
  } else if (request.method === 'POST' && (path === '/broken' || path === '/whole')) {
    broken = path === '/broken';
    response.setHeader('content-type', 'application/json');
    response.end('{}');
  } else if (request.method === 'POST' && path === '/in') {
    setTimeout(() => {
      response.statusCode = take(request, body);
      response.end();
    }, answerMs);
  } else {
    response.statusCode = 404;
    response.end();
  }
}

function take(request: IncomingMessage, body: string): number {
  if (broken) return 503;
  if (!isSigned(request, body)) return 401;
  if (isCheckpoint(body)) return 200;
  let batch: ReturnType<typeof readHookBody>;
  try {
    batch = readHookBody(body);
  } catch {
    return 400;
  }
  if (batch.through < next) {
    repeats += 1;
    return 200;
  }
  // Out of turn: something would be missing or stored twice. This must never happen, so it is not smoothed over.
  if (batch.from !== next) return 409;
  for (const line of batch.lines) stored.push(line);
  next = batch.through + 1;
  return 200;
}

function isSigned({ headers }: IncomingMessage, body: string): boolean {
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
  const expected = createHmac('sha256', key).update(signed).digest();
  return String(headers['webhook-signature'])
    .split(' ')
    .filter((signature) => signature.startsWith('v1,'))
    .map((signature) => Buffer.from(signature.slice('v1,'.length), 'base64'))
    .some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected));
}

server.listen(0, '127.0.0.1', () => {
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  tellWhere({ url: `${base}/in`, control: base });
});
