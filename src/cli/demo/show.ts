import { durationText } from '../../contracts/quantities.ts';
import { openPorts } from '../../runtime/ports.ts';
import { listenToSignals } from '../../runtime/signals.ts';
import { EXIT } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { playDemo } from './play.ts';
import { openStage } from './stage.ts';
import type { Finding } from './verdict.ts';

/** What the demo is asked for. */
export interface DemoOptions {
  /** How long the load lasts, in milliseconds. */
  readonly for: number;
  readonly json: boolean;
}

/** Plays the demo and prints its verdict; gives the exit code. Everything that it started is gone afterwards. */
export async function runDemo(options: DemoOptions, terminal: Terminal): Promise<number> {
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
