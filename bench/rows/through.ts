import { cpuSeconds, rssMb } from '../figures.ts';
import { type LoadFigures, receiverFigures, runLoad, startReceiver, until } from '../processes.ts';
import { startWaybill, type Waybill } from '../waybill.ts';

/** What a load through the whole pipeline showed. */
export interface ThroughFigures {
  readonly eventsPerSecond: number;
  readonly cpuPerMillion: number;
  readonly rssMb: number;
  readonly outOfOrder: number;
  readonly load: LoadFigures;
}

/** A load through the whole pipeline. */
export interface ThroughOptions {
  readonly directory: string;
  readonly port: number;
  readonly receiverPort: number;
  readonly schema: 'json' | 'waybill/1';
  readonly events: number;
  /** Healthy destinations, each on a path of its own at the receiver; default 1. */
  readonly healthy?: number;
  /** One more destination at an address where nothing listens. */
  readonly dead?: boolean;
  readonly ids?: 'ordered' | 'random';
  readonly prefix?: string;
}

/**
 * Rows 1, 2 and 3: batches of 100 on 4 connections, measured from the first request to the moment when every healthy destination and the
 * tree have the last entry.
 */
export async function runThrough(options: ThroughOptions): Promise<ThroughFigures> {
  const healthy = options.healthy ?? 1;
  const destinations: Record<string, string> = {};
  for (let k = 0; k < healthy; k += 1)
    destinations[`d${k}`] = `{ type: http, url: 'http://127.0.0.1:${options.receiverPort}/in${k}', start: beginning }`;
  if (options.dead === true) destinations['dead'] = `{ type: http, url: 'http://127.0.0.1:1/in', start: beginning }`;
  const receiver = await startReceiver(options.receiverPort);
  const waybill = await startWaybill({ ...options, destinations });
  try {
    return await measure(waybill, options, healthy);
  } finally {
    await waybill.stop();
    await receiver.stop();
  }
}

/** Sends the load into a running pipeline and waits until it came out everywhere. */
export async function measure(waybill: Waybill, options: ThroughOptions, healthy: number): Promise<ThroughFigures> {
  const { events, receiverPort } = options;
  const before = await waybill.size();
  const cpuBefore = cpuSeconds(waybill.pid);
  const begun = performance.now();
  const load = await runLoad({
    port: waybill.port,
    count: events,
    batch: 100,
    connections: 4,
    ids: options.ids ?? 'ordered',
    prefix: options.prefix ?? 'b',
  });
  const arrived = async (): Promise<boolean> => {
    const { seen } = await receiverFigures(receiverPort);
    for (let k = 0; k < healthy; k += 1) if ((seen[`/in${k}`]?.events ?? 0) < before + events) return false;
    return true;
  };
  await until('every healthy destination to have the last entry', 300, arrived);
  await until('the tree to have the last entry', 120, async () => (await waybill.treeSize()) >= before + events);
  const seconds = (performance.now() - begun) / 1_000;
  const { seen } = await receiverFigures(receiverPort);
  return {
    eventsPerSecond: events / seconds,
    cpuPerMillion: ((cpuSeconds(waybill.pid) - cpuBefore) / events) * 1e6,
    rssMb: rssMb(waybill.pid),
    outOfOrder: Object.values(seen).reduce((sum, facts) => sum + facts.outOfOrder, 0),
    load,
  };
}
