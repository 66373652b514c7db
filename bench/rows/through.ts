import { cpuSeconds, rssMb } from '../figures.ts';
import { type LoadFigures, receiverFigures, runLoad, startReceiver, until } from '../processes.ts';
import { startWaybill, type Waybill } from '../waybill.ts';

/** What a load through the whole pipeline showed. */
export interface ThroughFigures {
  readonly eventsPerSecond: number;
  readonly cpuPerMillion: number;
  readonly rssMb: number;
  readonly load: LoadFigures;
  /** From when the oldest entry under a head was received until the head was published; zeros without a tree. */
  readonly publishMs: { readonly p50: number; readonly p99: number };
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
  /** Nothing is hashed, so that nobody waits for the tree. */
  readonly withoutTree?: boolean;
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
    await pass(waybill, options, healthy, { count: WARM_EVENTS, prefix: 'w' });
    return await measure(waybill, options, healthy);
  } finally {
    await waybill.stop();
    await receiver.stop();
  }
}

/** How many events go through before anything is measured: code that has not run yet is compiled meanwhile. Peers get the same. */
export const WARM_EVENTS = 100_000;

async function measure(waybill: Waybill, options: ThroughOptions, healthy: number): Promise<ThroughFigures> {
  const { events } = options;
  const cpuBefore = cpuSeconds(waybill.pid);
  const begun = performance.now();
  const load = await pass(waybill, options, healthy, { count: events, prefix: options.prefix ?? 'b' });
  const seconds = (performance.now() - begun) / 1_000;
  const { seen } = await receiverFigures(options.receiverPort);
  const broken = Object.entries(seen).filter(([, facts]) => facts.outOfOrder > 0);
  if (broken.length > 0)
    throw new Error(`indexes did not join on ${broken.map(([path]) => path).join(', ')}: a fast wrong order is no figure`);
  return {
    eventsPerSecond: events / seconds,
    cpuPerMillion: ((cpuSeconds(waybill.pid) - cpuBefore) / events) * 1e6,
    rssMb: rssMb(waybill.pid),
    load,
    publishMs: { p50: await waybill.publishMs(0.5), p99: await waybill.publishMs(0.99) },
  };
}

/** Sends events and waits until every healthy destination and the tree have the last of them. */
async function pass(
  waybill: Waybill,
  { receiverPort, ids = 'ordered', withoutTree }: ThroughOptions,
  healthy: number,
  { count, prefix }: { readonly count: number; readonly prefix: string },
): Promise<LoadFigures> {
  const before = await waybill.size();
  const load = await runLoad({ port: waybill.port, count, batch: 100, connections: 4, ids, prefix });
  await until('every healthy destination to have the last entry', 300, async () => {
    const { seen } = await receiverFigures(receiverPort);
    return Array.from({ length: healthy }, (_, k) => seen[`/in${k}`]?.events ?? 0).every((events) => events >= before + count);
  });
  if (withoutTree === true) return load;
  await until('the tree to have the last entry', 120, async () => (await waybill.treeSize()) >= before + count);
  return load;
}
