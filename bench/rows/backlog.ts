import { cpuSeconds, rssMb } from '../figures.ts';
import { type LoadFigures, receiverFigures, runLoad, startReceiver, until } from '../processes.ts';
import { startWaybill } from '../waybill.ts';
import { type ThroughFigures, WARM_EVENTS } from './through.ts';
import { measureVerify, type VerifyFigures } from './verify.ts';

/** Rows 4, 6 and 7, which share a ledger that already holds many entries. */
export interface BacklogFigures {
  readonly entries: number;
  /** Row 4: the load of row 1 on top of the backlog. */
  readonly ordered: ThroughFigures;
  readonly random: ThroughFigures;
  /** Row 6: events a second from disk to one new destination. */
  readonly replayPerSecond: number;
  /** Row 6, its other half: the ledger verified, every entry against its signed heads. */
  readonly verify: VerifyFigures;
  /** Row 7: memory with the backlog in front of a dead destination, and the time from start to accepting after SIGKILL. */
  readonly rssMb: number;
  readonly startSeconds: number;
}

/** What the backlog rows need. */
export interface BacklogOptions {
  readonly directory: string;
  readonly port: number;
  readonly receiverPort: number;
  readonly backlog: number;
  readonly events: number;
}

/** Fills a ledger with a backlog in front of a dead destination, kills the process, and measures on what is left. */
export async function runBacklog(options: BacklogOptions): Promise<BacklogFigures> {
  const { rss } = await fill(options);
  const startSeconds = await measureStart(options);
  const replayPerSecond = await replay(options);
  const verify = await measureVerify(['ledger', '-c', `${options.directory}/waybill.yaml`]);
  const ordered = await onTop(options, 'ordered');
  const random = await onTop(options, 'random');
  return { entries: options.backlog, ordered, random, replayPerSecond, verify, rssMb: rss, startSeconds };
}

const DEAD = { dead: `{ type: http, url: 'http://127.0.0.1:1/in', start: beginning }` };

async function fill(options: BacklogOptions): Promise<{ rss: number }> {
  const waybill = await startWaybill({ ...options, schema: 'json', destinations: DEAD });
  await runLoad({ port: options.port, count: options.backlog, batch: 500, connections: 4, ids: 'random', prefix: 'f' });
  const rss = rssMb(waybill.pid);
  await waybill.stop('SIGKILL');
  return { rss };
}

async function measureStart(options: BacklogOptions): Promise<number> {
  const begun = performance.now();
  const waybill = await startWaybill({ ...options, schema: 'json', destinations: DEAD, keep: true });
  const seconds = (performance.now() - begun) / 1_000;
  await waybill.stop();
  return seconds;
}

/** A new destination that begins at index 0 and reads the whole backlog from disk. */
async function replay(options: BacklogOptions): Promise<number> {
  const receiver = await startReceiver(options.receiverPort);
  const begun = performance.now();
  const destinations = { again: `{ type: http, url: 'http://127.0.0.1:${options.receiverPort}/in-again', start: beginning }` };
  const waybill = await startWaybill({ ...options, schema: 'json', destinations, keep: true });
  try {
    await until('the replay to reach the end', 300, async () => {
      const { seen } = await receiverFigures(options.receiverPort);
      return (seen['/in-again']?.events ?? 0) >= options.backlog;
    });
    const { seen } = await receiverFigures(options.receiverPort);
    const facts = seen['/in-again'];
    const seconds = facts === undefined ? (performance.now() - begun) / 1_000 : (facts.lastMs - facts.firstMs) / 1_000;
    return options.backlog / seconds;
  } finally {
    await waybill.stop();
    await receiver.stop();
  }
}

/** The load of row 1 with new identities, into a destination that begins at the end of the backlog. */
async function onTop(options: BacklogOptions, ids: 'ordered' | 'random'): Promise<ThroughFigures> {
  const receiver = await startReceiver(options.receiverPort);
  const destinations = { [`top-${ids}`]: `{ type: http, url: 'http://127.0.0.1:${options.receiverPort}/in0', start: now }` };
  const waybill = await startWaybill({ ...options, schema: 'json', destinations, keep: true });
  const pass = async (count: number, prefix: string): Promise<LoadFigures> => {
    const before = (await receiverFigures(options.receiverPort)).seen['/in0']?.events ?? 0;
    const load = await runLoad({ port: options.port, count, batch: 100, connections: 4, ids, prefix });
    await until('the destination to have the last entry', 120, async () => {
      const { seen } = await receiverFigures(options.receiverPort);
      return (seen['/in0']?.events ?? 0) >= before + count;
    });
    const size = await waybill.size();
    await until('the tree to have the last entry', 300, async () => (await waybill.treeSize()) >= size);
    return load;
  };
  const letter = ids === 'ordered' ? 'o' : 'r';
  try {
    await pass(WARM_EVENTS, `v${letter}`);
    const cpuBefore = cpuSeconds(waybill.pid);
    const begun = performance.now();
    const load = await pass(options.events, letter);
    const seconds = (performance.now() - begun) / 1_000;
    const cpuPerMillion = ((cpuSeconds(waybill.pid) - cpuBefore) / options.events) * 1e6;
    const publishMs = { p50: await waybill.publishMs(0.5), p99: await waybill.publishMs(0.99) };
    return { eventsPerSecond: options.events / seconds, cpuPerMillion, rssMb: rssMb(waybill.pid), load, publishMs };
  } finally {
    await waybill.stop();
    await receiver.stop();
  }
}
