/**
 * The load generator, a process of its own. It sends batches on several connections, one request in flight on each, and prints one line
 * of JSON at the end. `http` posts NDJSON and waits for the answer; `tcp` writes lines to a socket, for peers that take lines only.
 */
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { eventBatch, type IdKind } from './event.ts';
import { percentiles } from './figures.ts';

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'http' },
    port: { type: 'string', default: '8400' },
    path: { type: 'string', default: '/v1/events' },
    count: { type: 'string', default: '100000' },
    batch: { type: 'string', default: '100' },
    connections: { type: 'string', default: '4' },
    rate: { type: 'string', default: '0' },
    ids: { type: 'string', default: 'ordered' },
    prefix: { type: 'string', default: 'b' },
  },
});

const total = Number(values.count);
const batchCount = Number(values.batch);
const rate = Number(values.rate);
const started = performance.now();
let nextSeq = 0;
let sent = 0;
let pushedBack = 0;
const answers: number[] = [];

/** The next sequence numbers, or null when the load is complete. Under a rate it waits for its turn. */
async function nextTurn(): Promise<number | null> {
  if (nextSeq >= total) return null;
  const first = nextSeq;
  nextSeq += batchCount;
  if (rate > 0) {
    const wait = started + (first / rate) * 1_000 - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return first;
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** One connection: posts, waits for the whole answer, posts again. A pushback (429, 503) is sent again after a moment. */
async function post(lane: number): Promise<void> {
  const socket = await open();
  const batch = eventBatch(batchCount, values.ids as IdKind, `${values.prefix}${lane}`);
  const head = Buffer.from(
    `POST ${values.path} HTTP/1.1\r\nhost: 127.0.0.1:${values.port}\r\n` +
      `content-type: application/x-ndjson\r\ncontent-length: ${batch.bytes.length}\r\n\r\n`,
  );
  const answer = answerReader(socket);
  for (let first = await nextTurn(); first !== null; first = await nextTurn()) {
    for (;;) {
      const begun = nowUs();
      batch.stamp(first, begun);
      socket.cork();
      socket.write(head);
      socket.write(batch.bytes);
      socket.uncork();
      const status = await answer();
      if (status === 200) {
        if (rate > 0) answers.push(nowUs() - begun);
        break;
      }
      if (status !== 429 && status !== 503) throw new Error(`the server answered ${status}`);
      pushedBack += 1;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    sent += batchCount;
  }
  socket.end();
}

/** Reads one answer at a time and gives its status. */
function answerReader(socket: Socket): () => Promise<number> {
  let buffered = '';
  let wake: (() => void) | null = null;
  let ended: Error | null = null;
  socket.on('data', (chunk: Buffer) => {
    buffered += chunk.toString('latin1');
    wake?.();
  });
  const end = (error?: Error): void => {
    ended = error ?? new Error('the server closed the connection');
    wake?.();
  };
  socket.on('error', end);
  socket.on('close', () => end());
  return async () => {
    for (;;) {
      const headEnd = buffered.indexOf('\r\n\r\n');
      if (headEnd >= 0) {
        const length = Number(/content-length: (\d+)/i.exec(buffered)?.[1] ?? 0);
        if (buffered.length >= headEnd + 4 + length) {
          const status = Number(buffered.slice(9, 12));
          if (status !== 200) process.stderr.write(`${buffered.slice(0, 600)}\n`);
          buffered = buffered.slice(headEnd + 4 + length);
          return status;
        }
      }
      if (ended !== null) throw ended;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

/** One connection that writes lines as fast as the other side takes them. There is no answer to wait for. */
async function write(lane: number): Promise<void> {
  const socket = await open();
  socket.resume();
  const batch = eventBatch(batchCount, values.ids as IdKind, `${values.prefix}${lane}`);
  for (let first = await nextTurn(); first !== null; first = await nextTurn()) {
    batch.stamp(first, nowUs());
    await new Promise<void>((resolve, reject) => socket.write(batch.bytes, (error) => (error ? reject(error) : resolve())));
    sent += batchCount;
  }
  await new Promise<void>((resolve) => socket.end(() => resolve()));
}

async function open(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: Number(values.port), noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  return socket;
}

const run = values.mode === 'tcp' ? write : post;
await Promise.all(Array.from({ length: Number(values.connections) }, (_, lane) => run(lane)));
process.stdout.write(
  `${JSON.stringify({ sent, pushedBack, seconds: (performance.now() - started) / 1_000, answerUs: percentiles(answers) })}\n`,
);
