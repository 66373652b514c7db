/**
 * The budgets of the design, measured: `npm run bench`, or `npm run bench -- --rows 1,2 --events 200000 --runs 1`.
 * It starts everything that it measures (this project, rsyslog, syslog-ng, generator, receiver) on this machine, in turns, and prints a
 * table with the budget beside the figure.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { printTable, type Row } from './report.ts';
import { ALL_ROWS, type BenchOptions, runRows } from './rows/rows.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: ALL_ROWS.join(',') },
    events: { type: 'string', default: '1000000' },
    backlog: { type: 'string', default: '10000000' },
    runs: { type: 'string', default: '3' },
    peers: { type: 'string', default: 'rsyslog,syslog-ng' },
    directory: { type: 'string', default: `${tmpdir()}/waybill-bench` },
    json: { type: 'boolean', default: false },
  },
});

const options: BenchOptions = {
  rows: values.rows.split(',').filter((name) => name !== ''),
  events: Number(values.events),
  backlog: Number(values.backlog),
  runs: Number(values.runs),
  peers: values.peers.split(',').filter((name) => name !== ''),
  directory: values.directory,
  say: (line) => process.stderr.write(`${line}\n`),
};

mkdirSync(options.directory, { recursive: true });
const rows: Row[] = await runRows(options);
rmSync(`${options.directory}/work`, { recursive: true, force: true });
if (values.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
else process.stdout.write(`${machine()}\n\n${printTable(rows)}\n`);

function machine(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const cpu = cpus();
  const hardware = `${cpu.length} × ${cpu[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `commit ${commit}, Node ${process.version}, ${hardware}, ${new Date().toISOString().slice(0, 10)}`;
}
