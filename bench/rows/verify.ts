import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { rssMb } from '../figures.ts';
import { benchFile, runLoad } from '../processes.ts';
import { startWaybill } from '../waybill.ts';

/** How fast a copy is verified, from the start of the command to its answer, and how much memory that took at most. */
export interface VerifyFigures {
  readonly perSecond: number;
  readonly rssMb: number;
}

interface Answer {
  readonly ok: boolean;
  readonly counted: { readonly entries: number };
  readonly findings: readonly unknown[];
}

const MAIN = benchFile('../bin/waybill.js');
const SAMPLE_MS = 250;

/** Runs `waybill verify` with these words. Fails when anything is found: a figure for something else would be worth nothing. */
export async function measureVerify(words: readonly string[]): Promise<VerifyFigures> {
  const begun = performance.now();
  const child = spawn(process.execPath, [MAIN, 'verify', ...words, '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  let rss = 0;
  const sampling = setInterval(() => {
    // The process may be gone by now.
    if (child.exitCode === null && child.pid !== undefined) rss = Math.max(rss, rssMb(child.pid));
  }, SAMPLE_MS);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(sampling);
  const seconds = (performance.now() - begun) / 1_000;
  const { ok, counted, findings } = JSON.parse(output) as Answer;
  if (code !== 0 || !ok) throw new Error(`the copy was not verified: ${JSON.stringify(findings.slice(0, 3))}`);
  return { perSecond: counted.entries / seconds, rssMb: rss };
}

/** Writes an export of a ledger that holds `events` entries, and verifies it. */
export async function measureExport(options: {
  readonly directory: string;
  readonly port: number;
  readonly events: number;
}): Promise<VerifyFigures> {
  const directory = `${options.directory}/export-of`;
  const waybill = await startWaybill({ directory, port: options.port, schema: 'json', destinations: {} });
  try {
    await runLoad({ port: options.port, count: options.events, batch: 500, connections: 4, ids: 'random', prefix: 'e' });
    execFileSync(process.execPath, [MAIN, 'export', `${directory}/copy`, '-c', `${directory}/waybill.yaml`], { stdio: 'ignore' });
  } finally {
    await waybill.stop();
  }
  try {
    return await measureVerify(['export', `${directory}/copy`]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
