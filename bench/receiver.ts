/**
 * The receiving end, a process of its own: a minimal HTTP server that takes requests as they come, counts the lines and looks at their
 * order. It answers `GET /figures` with what it saw. Paths: `/in…` NDJSON; `/_bulk` the bulk form of Elasticsearch (every second line is
 * an event).
 */
import { createServer, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { percentiles } from './figures.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '9000' }, latency: { type: 'boolean', default: false } } });

interface Seen {
  events: number;
  requests: number;
  firstMs: number;
  lastMs: number;
  outOfOrder: number;
  nextIndex: number;
}

const seen = new Map<string, Seen>();
let latencies: number[] = [];
const SENT = Buffer.from('"sent_us":"');
const INDEX = '{"index":';

function take(path: string, body: Buffer): void {
  let facts = seen.get(path);
  if (facts === undefined) {
    facts = { events: 0, requests: 0, firstMs: performance.now(), lastMs: 0, outOfOrder: 0, nextIndex: 0 };
    seen.set(path, facts);
  }
  facts.requests += 1;
  facts.lastMs = performance.now();
  let lines = 0;
  for (let at = body.indexOf(10); at >= 0; at = body.indexOf(10, at + 1)) lines += 1;
  if (body.length > 0 && body.at(-1) !== 10) lines += 1;
  facts.events += path.startsWith('/_bulk') ? lines >> 1 : lines;
  // Lines that carry an index are looked at for order: this request must begin where the last one ended.
  if (body.length > 0 && body.toString('latin1', 0, INDEX.length) === INDEX) {
    const first = Number.parseInt(body.toString('latin1', INDEX.length, INDEX.length + 16), 10);
    if (first !== facts.nextIndex) facts.outOfOrder += 1;
    facts.nextIndex = first + lines;
  }
  if (values.latency) noteLatency(body);
}

function noteLatency(body: Buffer): void {
  const now = Number(process.hrtime.bigint() / 1_000n);
  for (let at = body.indexOf(SENT); at >= 0; at = body.indexOf(SENT, at + SENT.length)) {
    latencies.push(now - Number(body.toString('latin1', at + SENT.length, at + SENT.length + 16)));
  }
}

function answer(socket: Socket, body: string): void {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  let parts: Buffer[] = [];
  let have = 0;
  let need = 0;
  let path = '';
  let headEnd = -1;
  const read = (): boolean => {
    if (headEnd < 0) {
      const all = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      parts = [all];
      headEnd = all.indexOf('\r\n\r\n');
      if (headEnd < 0) return false;
      const head = all.toString('latin1', 0, headEnd);
      path = head.split(' ', 2)[1] ?? '';
      if (/expect: 100-continue/i.test(head)) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      need = headEnd + 4 + Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    }
    if (have < need) return false;
    const all = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    respond(socket, path, all.subarray(headEnd + 4, need));
    parts = [all.subarray(need)];
    have -= need;
    headEnd = -1;
    return have > 0;
  };
  socket.on('data', (chunk: Buffer) => {
    parts.push(chunk);
    have += chunk.length;
    while (read());
  });
  socket.on('error', () => socket.destroy());
}

function respond(socket: Socket, path: string, body: Buffer): void {
  if (path === '/figures') answer(socket, JSON.stringify({ seen: Object.fromEntries(seen), latencyUs: percentiles(latencies) }));
  else if (path === '/reset') {
    seen.clear();
    latencies = [];
    answer(socket, '{}');
  } else if (path.startsWith('/in') || path.startsWith('/_bulk')) {
    take(path, body);
    answer(socket, '{"took":1,"errors":false,"items":[]}');
  } else answer(socket, '{"version":{"number":"7.17.0"}}');
}

createServer(serve).listen(Number(values.port), '127.0.0.1', () => process.stdout.write('ready\n'));
