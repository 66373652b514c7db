import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { benchFile, type Running, running, until } from './processes.ts';

/** A `waybill run` of the bench. */
export interface Waybill extends Running {
  readonly port: number;
  readonly directory: string;
  /** How many entries are durable. */
  size(): Promise<number>;
  /** The cursor of a destination. */
  cursor(destination: string): Promise<number>;
  /** The size of the newest computed tree head. */
  treeSize(): Promise<number>;
  /** Within how many ms this share of the heads since the start were published, from when the oldest entry under them was received. */
  publishMs(share: number): Promise<number>;
}

/** What the bench configures. */
export interface WaybillOptions {
  readonly directory: string;
  readonly port: number;
  readonly schema: 'json' | 'waybill/1';
  /** Lines of the `destinations` section, by name. */
  readonly destinations: Readonly<Record<string, string>>;
  /** Keep the ledger that is in the directory. */
  readonly keep?: boolean;
  /** Without the tree: `no-tree.ts` takes it out while the process loads. */
  readonly withoutTree?: boolean;
}

interface StatusView {
  readonly ledger: { readonly size: number; readonly head?: { readonly size: number } | null };
  readonly destinations: Readonly<Record<string, { readonly cursor: number }>>;
}

const MAIN = benchFile('../bin/waybill.js');

/** Writes the configuration, creates the ledger unless it is kept, starts the process and waits until it accepts. */
export async function startWaybill(options: WaybillOptions): Promise<Waybill> {
  const { directory, port } = options;
  if (options.keep !== true) rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const file = `${directory}/waybill.yaml`;
  writeFileSync(file, configuration(options));
  if (options.keep !== true) execFileSync(process.execPath, [MAIN, 'init', '-c', file], { stdio: 'ignore' });
  const before = options.withoutTree === true ? ['--import', benchFile('no-tree.ts')] : [];
  const child = spawn(process.execPath, [...before, MAIN, 'run', '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  const status = async (): Promise<StatusView> => (await (await fetch(`http://127.0.0.1:${port}/v1/status`)).json()) as StatusView;
  await until('waybill to accept', 120, async () => {
    if (child.exitCode !== null) throw new Error(`waybill ended with ${child.exitCode}`);
    return fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  return {
    ...running(child),
    port,
    directory,
    size: async () => (await status()).ledger.size,
    cursor: async (name) => (await status()).destinations[name]?.cursor ?? 0,
    treeSize: async () => (await status()).ledger.head?.size ?? 0,
    publishMs: async (share) => quantileMs(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(), share),
  };
}

/** A quantile of the histogram of published heads, straight between the bounds of its buckets. */
function quantileMs(metrics: string, share: number): number {
  const found = metrics.matchAll(/^waybill_head_publish_seconds_bucket\{le="([\d.]+)"\} (\d+)$/gm);
  const buckets = Array.from(found, ([, bound, count]) => ({ ms: Number(bound) * 1_000, count: Number(count) }));
  const wanted = (buckets.at(-1)?.count ?? 0) * share;
  if (wanted === 0) return 0;
  let before = { ms: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= wanted && bucket.count > before.count)
      return before.ms + ((bucket.ms - before.ms) * (wanted - before.count)) / (bucket.count - before.count);
    before = bucket;
  }
  return before.ms;
}

function configuration({ directory, port, schema, destinations }: WaybillOptions): string {
  const lines = [
    'ledger:',
    '  origin: bench.example/audit',
    `  path: ${directory}/data`,
    `api: { listen: 127.0.0.1:${port} }`,
    'log_level: warn',
    'sources:',
    schema === 'json' ? '  app: { type: http, schema: json, id_field: id }' : '  app: { type: http, schema: waybill/1 }',
    Object.keys(destinations).length === 0 ? 'destinations: {}' : 'destinations:',
    ...Object.entries(destinations).map(([name, line]) => `  ${name}: ${line}`),
  ];
  return `${lines.join('\n')}\n`;
}
