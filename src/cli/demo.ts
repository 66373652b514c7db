import { type Command, InvalidArgumentError } from 'commander';
import { durationText, parseDuration } from '../contracts/quantities.ts';
import { openPorts } from '../runtime/ports.ts';
import { listenToSignals } from '../runtime/signals.ts';
import { playDemo } from './demo/play.ts';
import { openStage } from './demo/stage.ts';
import type { Finding } from './demo/verdict.ts';
import { EXIT } from './exit.ts';
import type { Terminal } from './terminal.ts';

interface DemoOptions {
  readonly for: number;
  readonly json: boolean;
}

/** `waybill demo`: the real thing in a minute, in a directory of its own, with a kill in the middle and a verdict at the end. */
export function addDemo(program: Command, terminal: Terminal, done: (code: number) => void): void {
  program
    .command('demo')
    .description('run an application, a ledger and two destinations for a moment, kill it in the middle, and compare everything')
    .option('--headless', 'print the flow line by line and end by itself (this is what it always does without a console)', false)
    .option('--for <duration>', 'how long the load lasts, from 4s to 10m', demoDuration, 10_000)
    .option('--json', 'answer in JSON, for programs; the flow goes to standard error', false)
    .addHelpText('after', '\nExamples:\n  $ waybill demo\n  $ waybill demo --headless --for 30s')
    .action(async (options: DemoOptions) => done(await runDemo(options, terminal)));
}

async function runDemo(options: DemoOptions, terminal: Terminal): Promise<number> {
  const say = (line: string): void => (options.json ? terminal.err(line) : terminal.out(line));
  const ending = new AbortController();
  const signals = listenToSignals({ stop: (signal) => ending.abort(new Error(`ended by ${signal}`)), reload: () => {} });
  const ports = await openPorts({ logLevel: 'error' });
  say(`waybill demo: an application sends audit events to one ledger; a file and an HTTP receiver get them; ${durationText(options.for)}`);
  say('');
  let good = false;
  const stage = await openStage(ports.clock, () => Buffer.from(ports.random.bytes(24)).toString('hex'));
  try {
    const findings = await playDemo(stage, ports, options.for, say, ending.signal);
    good = findings.every((finding) => finding.good);
    report(findings, good, options.json, terminal);
  } catch (error) {
    terminal.err(`the demo failed: ${error instanceof Error ? error.message : String(error)}\n${stage.logTail()}`);
  } finally {
    await stage.close(!good && !ending.signal.aborted);
    await ports.close();
    signals.close();
  }
  if (!good && !ending.signal.aborted) terminal.err(`everything is kept in ${stage.directory}`);
  return good ? EXIT.ok : EXIT.failed;
}

function report(findings: readonly Finding[], good: boolean, json: boolean, terminal: Terminal): void {
  if (json) {
    terminal.out(JSON.stringify({ agree: good, findings }));
    return;
  }
  terminal.out('');
  const width = Math.max(...findings.map(({ what }) => what.length));
  for (const { what, found, good: fine } of findings) terminal.out(`  ${fine ? 'ok    ' : 'FAILED'}  ${what.padEnd(width)}  ${found}`);
  terminal.out('');
  terminal.out(
    good ? 'All agree: nothing acknowledged was lost, nothing is there twice, every destination is the ledger.' : 'They do not agree.',
  );
}

function demoDuration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms < 4_000 || ms > 600_000) throw new InvalidArgumentError('Expected a duration from 4s to 10m.');
  return ms;
}
