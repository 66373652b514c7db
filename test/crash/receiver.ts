import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A real HTTP destination that remembers every request in the order of arrival. */
export interface Receiver {
  readonly url: string;
  /** The lines of every batch the first time it came, in order of arrival. */
  readonly lines: string[];
  /** Every checkpoint that came, and how many lines were there then, those of its own batch among them. */
  readonly checkpoints: readonly { readonly note: string; readonly held: number }[];
  /** How many batches came again, byte for byte. */
  readonly repeats: number;
  /** What went wrong with order, ranges or repeats; empty when all is well. */
  readonly faults: readonly string[];
  close(): Promise<void>;
}

/**
 * Starts the destination. It checks what a careful receiver can check by itself: ranges that join, and repeats that are the same bytes.
 * `loses` says whether it hangs up instead of answering a batch that it has taken.
 */
export async function startReceiver(loses: () => boolean = () => false): Promise<Receiver> {
  const lines: string[] = [];
  const faults: string[] = [];
  const checkpoints: { readonly note: string; held: number }[] = [];
  const known = new Map<string, string>();
  let nextFrom = 0;
  let repeats = 0;
  const take = (headers: NodeJS.Dict<string | string[]>, body: string): void => {
    const checkpoint = headers['waybill-checkpoint'];
    if (checkpoint !== undefined) checkpoints.push({ note: Buffer.from(String(checkpoint), 'base64').toString(), held: lines.length });
    // A checkpoint by itself is no batch.
    if (checkpoint !== undefined && headers['waybill-batch'] === undefined) {
      if (body !== '') faults.push('a checkpoint by itself came with a body');
      return;
    }
    const range = `${String(headers['waybill-from'])}-${String(headers['waybill-through'])}`;
    const digest = createHash('sha256')
      .update(`${String(checkpoint)}\n${body}`)
      .digest('hex');
    const before = known.get(range);
    if (before !== undefined) {
      repeats += 1;
      if (before !== digest) faults.push(`range ${range} came again with other bytes`);
      return;
    }
    known.set(range, digest);
    const from = Number(headers['waybill-from']);
    if (from !== nextFrom) faults.push(`expected a batch from ${nextFrom}, got ${range}`);
    nextFrom = Number(headers['waybill-through']) + 1;
    const own = body.split('\n').filter((line) => line !== '');
    if (own.length !== Number(headers['waybill-count']))
      faults.push(`range ${range} has ${own.length} lines, its header says ${String(headers['waybill-count'])}`);
    lines.push(...own);
    const carried = checkpoints.at(-1);
    if (checkpoint !== undefined && carried !== undefined) carried.held = lines.length;
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      take(request.headers, Buffer.concat(chunks).toString());
      if (loses()) request.socket.destroy();
      else response.end();
    });
    // A killed sender leaves half a request: nothing of it counts.
    request.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`,
    lines,
    checkpoints,
    faults,
    get repeats() {
      return repeats;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
