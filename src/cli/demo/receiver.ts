/**
 * The receiving end of the demo, a process of its own: what an application that takes Waybill's deliveries over HTTP does.
 * It keeps the index that it needs next; a batch that begins there is stored, one that it has already is answered and dropped.
 * `GET /received` gives everything that it stored, `GET /repeats` how many batches it dropped; after `POST /broken` it answers 503,
 * until `POST /whole`. The argument is how long it takes for an answer, in milliseconds: a receiver elsewhere is not as near as this one.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const answerMs = Number(process.argv[2] ?? 0);
const stored: Buffer[] = [];
let next = 0;
let repeats = 0;
let broken = false;

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => answer(request, Buffer.concat(parts), response));
  // A sender that is killed in mid-request has delivered nothing.
  request.on('error', () => response.destroy());
});

function answer(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', 'http://receiver');
  if (request.method === 'GET' && pathname === '/received') {
    response.end(Buffer.concat(stored));
  } else if (request.method === 'GET' && pathname === '/repeats') {
    response.end(String(repeats));
  } else if (request.method === 'POST' && (pathname === '/broken' || pathname === '/whole')) {
    broken = pathname === '/broken';
    response.setHeader('content-type', 'application/json');
    response.end('{}');
  } else if (request.method === 'POST' && pathname === '/in') {
    setTimeout(() => {
      response.statusCode = take(request, body);
      response.end();
    }, answerMs);
  } else {
    response.statusCode = 404;
    response.end();
  }
}

function take(request: IncomingMessage, body: Buffer): number {
  if (broken) return 503;
  const from = Number(request.headers['waybill-from']);
  const through = Number(request.headers['waybill-through']);
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(through) || through < from) return 400;
  if (through < next) {
    repeats += 1;
    return 200;
  }
  // Out of turn: something would be missing or stored twice. This must never happen, so it is not smoothed over.
  if (from !== next) return 409;
  stored.push(body);
  next = through + 1;
  return 200;
}

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
// The demo holds the other end of this pipe: when it is gone, whatever way, nobody needs this process any more.
process.stdin.on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(0));
process.stdin.resume();
