import { installPeers } from '../peers/install.ts';
import { PEERS, type PeerFigures, type PeerName, runPeer } from '../peers/run.ts';
import { median, number, type Row } from '../report.ts';
import { runBacklog } from './backlog.ts';
import { runLatency } from './latency.ts';
import { runParts } from './parts.ts';
import { runThrough, type ThroughFigures, type ThroughOptions } from './through.ts';
import { measureExport } from './verify.ts';

/** The rows of the design's budgets that can be measured so far. */
export const ALL_ROWS = ['0', '1', '2', '3', '8', '5', '4', '6', '7'] as const;

/** What a run of the bench does. */
export interface BenchOptions {
  readonly rows: readonly string[];
  readonly events: number;
  readonly backlog: number;
  readonly runs: number;
  readonly peers: readonly string[];
  readonly directory: string;
  say(line: string): void;
}

const PORTS = { port: 18_400, receiverPort: 19_000, peerIn: 15_514 };

/**
 * Runs the rows that were asked for, one after the other. Rows 1, 2, 3 and 8 and the peers take turns, so that a slow spell of the machine
 * meets all of them.
 */
export async function runRows(options: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  const wants = (name: string): boolean => options.rows.includes(name);
  if (wants('0')) rows.push(...(await runParts(options)));
  let row1 = 0;
  if (wants('1') || wants('2') || wants('3') || wants('8')) {
    const through = await inTurns(options);
    row1 = median(through.row1.map((run) => run.eventsPerSecond));
    rows.push(...throughRows(options, through, row1));
  }
  if (wants('5')) rows.push(...(await latencyRows(options)));
  if (wants('4') || wants('6') || wants('7')) rows.push(...(await backlogRows(options, row1)));
  return rows;
}

interface Turns {
  readonly row1: readonly ThroughFigures[];
  readonly row2: readonly ThroughFigures[];
  readonly row3: readonly ThroughFigures[];
  readonly withoutTree: readonly ThroughFigures[];
  readonly peers: ReadonlyMap<PeerName, readonly PeerFigures[]>;
  readonly missing: readonly string[];
}

async function inTurns(options: BenchOptions): Promise<Turns> {
  const base: ThroughOptions = { directory: `${options.directory}/work`, ...PORTS, schema: 'json', events: options.events };
  const row1: ThroughFigures[] = [];
  const row2: ThroughFigures[] = [];
  const row3: ThroughFigures[] = [];
  const withoutTree: ThroughFigures[] = [];
  const found = new Map<PeerName, PeerFigures[]>();
  const peers = options.peers.length === 0 ? null : installPeers(`${options.directory}/peers`);
  const missing = peers === null ? options.peers : [];
  for (let run = 0; run < options.runs; run += 1) {
    options.say(`run ${run + 1} of ${options.runs}`);
    row1.push(await runThrough(base));
    if (options.rows.includes('2')) row2.push(await runThrough({ ...base, schema: 'waybill/1' }));
    if (options.rows.includes('8')) withoutTree.push(await runThrough({ ...base, withoutTree: true }));
    if (options.rows.includes('3')) row3.push(await runThrough({ ...base, healthy: 4, dead: true }));
    for (const name of options.peers as PeerName[]) {
      if (peers === null) continue;
      const figures = await runPeer(name, peers, `${options.directory}/peers`, options.events, {
        in: PORTS.peerIn,
        out: PORTS.receiverPort,
      });
      found.set(name, [...(found.get(name) ?? []), figures]);
    }
  }
  return { row1, row2, row3, withoutTree, peers: found, missing };
}

function throughRows(options: BenchOptions, turns: Turns, row1: number): Row[] {
  const rows: Row[] = [];
  rows.push(
    {
      row: '1',
      what: 'HTTP → durable, in the tree → HTTP, `schema: json`',
      figure: `${number(row1)}/s`,
      budget: '≥ 110,000/s',
      met: row1 >= 110_000,
    },
    { row: '1', what: 'the same, CPU', figure: `${cpu(turns.row1).toFixed(1)} s per million`, budget: '≤ 9 s', met: cpu(turns.row1) <= 9 },
  );
  const fastest = Math.max(0, ...[...turns.peers.values()].map((runs) => median(runs.map((run) => run.eventsPerSecond))));
  for (const [name, runs] of turns.peers) {
    const speed = number(median(runs.map((run) => run.eventsPerSecond)));
    const figure = `${speed}/s, ${median(runs.map((run) => run.cpuPerMillion)).toFixed(1)} s per million`;
    rows.push({ row: '1', what: `${name}: ${PEERS[name].path}`, figure, budget: '', met: null });
  }
  for (const name of turns.missing)
    rows.push({ row: '1', what: name, figure: 'cannot be unpacked on this machine', budget: '', met: null });
  if (fastest > 0)
    rows.push({
      row: '1',
      what: 'against the faster peer',
      figure: `${(row1 / fastest).toFixed(2)} ×`,
      budget: '≥ 1.5 ×',
      met: row1 / fastest >= 1.5,
    });
  if (options.rows.includes('2')) {
    const row2 = rate(turns.row2);
    rows.push(
      {
        row: '2',
        what: 'the same with `waybill/1` fully validated',
        figure: `${number(row2)}/s`,
        budget: '≥ 90,000/s',
        met: row2 >= 90_000,
      },
      {
        row: '2',
        what: 'the same, CPU',
        figure: `${cpu(turns.row2).toFixed(1)} s per million`,
        budget: '≤ 12 s',
        met: cpu(turns.row2) <= 12,
      },
    );
  }
  if (options.rows.includes('3')) {
    const share = rate(turns.row3) / row1;
    rows.push({
      row: '3',
      what: 'row 1 into five destinations, one dead',
      figure: `${number(rate(turns.row3))}/s, ${Math.round(share * 100)} %`,
      budget: '≥ 60 % of row 1',
      met: share >= 0.6,
    });
  }
  if (options.rows.includes('8')) {
    const share = row1 / rate(turns.withoutTree);
    rows.push({
      row: '8',
      what: 'row 1 against the same without the tree',
      figure: `${number(row1)}/s of ${number(rate(turns.withoutTree))}/s, ${Math.round(share * 100)} %`,
      budget: '≥ 85 %',
      met: share >= 0.85,
    });
    const [p50, p99] = (['p50', 'p99'] as const).map((name) => median(turns.row1.map(({ publishMs }) => publishMs[name])));
    rows.push({
      row: '8',
      what: 'row 1, accepted until under a published signed head',
      figure: `p50 ${Math.round(p50 ?? 0)} ms, p99 ${Math.round(p99 ?? 0)} ms`,
      budget: '≤ 1 s',
      met: (p99 ?? 0) <= 1_000,
    });
  }
  return rows;
}

async function latencyRows(options: BenchOptions): Promise<Row[]> {
  options.say('latency');
  const figures = await runLatency({ directory: `${options.directory}/work`, ...PORTS, seconds: 20 });
  const { received, answer } = figures;
  return [
    {
      row: '5',
      what: 'sent → received by an HTTP destination, 10,000/s',
      figure: msText(received),
      budget: '≤ 3.5, ≤ 15 ms',
      met: received.p50 <= 3.5 && received.p99 <= 15,
    },
    {
      row: '5',
      what: "the producer's answer",
      figure: msText(answer),
      budget: '≤ 2.5, ≤ 12 ms',
      met: answer.p50 <= 2.5 && answer.p99 <= 12,
    },
  ];
}

async function backlogRows(options: BenchOptions, row1: number): Promise<Row[]> {
  options.say(`a backlog of ${number(options.backlog)} entries`);
  const figures = await runBacklog({ directory: `${options.directory}/work`, ...PORTS, backlog: options.backlog, events: options.events });
  const share = (rate: number): string => (row1 === 0 ? `${number(rate)}/s` : `${number(rate)}/s, ${Math.round((rate / row1) * 100)} %`);
  const met = (rate: number, least: number): boolean | null => (row1 === 0 ? null : rate / row1 >= least);
  const { ordered, random, replayPerSecond, verify, rssMb, startSeconds } = figures;
  options.say(`an export of ${number(options.events)} entries`);
  const exported = await measureExport({ directory: options.directory, port: PORTS.port, events: options.events });
  const held = number(figures.entries);
  return [
    {
      row: '4',
      what: `row 1 after ${held} entries, time-ordered ids`,
      figure: share(ordered.eventsPerSecond),
      budget: '≥ 90 % of row 1',
      met: met(ordered.eventsPerSecond, 0.9),
    },
    {
      row: '4',
      what: `row 1 after ${held} entries, random ids`,
      figure: share(random.eventsPerSecond),
      budget: '≥ 50 % of row 1',
      met: met(random.eventsPerSecond, 0.5),
    },
    {
      row: '6',
      what: 'replay from disk to one destination',
      figure: `${number(replayPerSecond)}/s`,
      budget: '≥ 200,000/s',
      met: replayPerSecond >= 200_000,
    },
    {
      row: '6',
      what: `verification of ${held} entries against their signed heads`,
      figure: `${number(verify.perSecond)}/s, ${number(verify.rssMb)} MB`,
      budget: '≥ 200,000/s',
      met: verify.perSecond >= 200_000,
    },
    {
      row: '6',
      what: `verification of an export of ${number(options.events)} entries`,
      figure: `${number(exported.perSecond)}/s, ${number(exported.rssMb)} MB`,
      budget: '≥ 200,000/s',
      met: exported.perSecond >= 200_000,
    },
    { row: '7', what: `memory with a backlog of ${held}`, figure: `${number(rssMb)} MB`, budget: '≤ 250 MB', met: rssMb <= 250 },
    {
      row: '7',
      what: 'start after SIGKILL with it, to accepting',
      figure: `${startSeconds.toFixed(1)} s`,
      budget: '≤ 2 s',
      met: startSeconds <= 2,
    },
  ];
}

function rate(runs: readonly { readonly eventsPerSecond: number }[]): number {
  return median(runs.map((run) => run.eventsPerSecond));
}

function cpu(runs: readonly { readonly cpuPerMillion: number }[]): number {
  return median(runs.map((run) => run.cpuPerMillion));
}

function msText({ p50, p99 }: { readonly p50: number; readonly p99: number }): string {
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
}
