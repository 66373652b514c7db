import { receiverFigures, runLoad, startReceiver, until } from '../processes.ts';
import { startWaybill } from '../waybill.ts';

/** Row 5 in milliseconds: from sending to receiving at an HTTP destination, and the answer to the producer. */
export interface LatencyFigures {
  readonly received: { readonly p50: number; readonly p99: number };
  readonly answer: { readonly p50: number; readonly p99: number };
}

/** Row 5: 10,000 events a second in batches of 10, for some seconds. */
export async function runLatency(options: {
  directory: string;
  port: number;
  receiverPort: number;
  seconds: number;
}): Promise<LatencyFigures> {
  const receiver = await startReceiver(options.receiverPort, { latency: true });
  const destinations = { d0: `{ type: http, url: 'http://127.0.0.1:${options.receiverPort}/in0', start: beginning }` };
  const waybill = await startWaybill({ directory: options.directory, port: options.port, schema: 'json', destinations });
  try {
    const warm = { port: options.port, batch: 10, connections: 8, rate: 10_000 };
    await runLoad({ ...warm, count: 20_000, prefix: 'w' });
    await fetch(`http://127.0.0.1:${options.receiverPort}/reset`);
    const load = await runLoad({ ...warm, count: options.seconds * 10_000, prefix: 'b' });
    const size = await waybill.size();
    await until('the destination to have the last entry', 30, async () => (await waybill.cursor('d0')) >= size);
    const { latencyUs } = await receiverFigures(options.receiverPort);
    return { received: inMs(latencyUs), answer: inMs(load.answerUs) };
  } finally {
    await waybill.stop();
    await receiver.stop();
  }
}

function inMs({ p50, p99 }: { readonly p50: number; readonly p99: number }): { p50: number; p99: number } {
  return { p50: p50 / 1_000, p99: p99 / 1_000 };
}
