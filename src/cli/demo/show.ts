import { durationText } from '../../contracts/quantities.ts';
import { type OpenPorts, openPorts } from '../../runtime/ports.ts';
import { listenToSignals } from '../../runtime/signals.ts';
import { EXIT } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { playDemo } from './play.ts';
import { showPage } from './show-page.ts';
import { openStage } from './stage.ts';
import type { Finding } from './verdict.ts';

/** What the demo is asked for. */
export interface DemoOptions {
  /** Print the flow and end, or show the page until it is interrupted. */
  readonly headless: boolean;
  /** How long the load of a headless demo lasts, or the guided minute of the page; in milliseconds. */
  readonly for: number;
  readonly keep: boolean;
  readonly json: boolean;
}

/** Shows the demo; gives the exit code. Everything that it started is gone afterwards. */
export async function runDemo(options: DemoOptions, terminal: Terminal): Promise<number> {
  const ending = new AbortController();
  const signals = listenToSignals({ stop: (signal) => ending.abort(new Error(`ended by ${signal}`)), reload: () => {} });
  const ports = await openPorts({ logLevel: 'error' });
  try {
    const good = options.headless
      ? await playHeadless(options, ports, terminal, ending.signal)
      : await showPage({ ports, terminal, lastsMs: options.for, keep: options.keep, ended: ending.signal });
    return good ? EXIT.ok : EXIT.failed;
  } finally {
    await ports.close();
    signals.close();
  }
}

async function playHeadless(options: DemoOptions, ports: OpenPorts, terminal: Terminal, ended: AbortSignal): Promise<boolean> {
  const say = (line: string): void => (options.json ? terminal.err(line) : terminal.out(line));
  say('waybill demo: three applications send audit events to one ledger; a file, a webhook receiver and an object store get them');
  say(`for ${durationText(options.for)}; see it in a browser with \`waybill demo --no-headless\``);
  say('');
  let good = false;
  const stage = await openStage(ports.clock, () => Buffer.from(ports.random.bytes(24)).toString('hex'), null);
  try {
    const findings = await playDemo(stage, ports, options.for, say, ended);
    good = findings.every((finding) => finding.good);
    report(findings, good, options.json, terminal);
  } catch (error) {
    terminal.err(`the demo failed: ${error instanceof Error ? error.message : String(error)}\n${stage.logTail()}`);
  } finally {
    const kept = options.keep || (!good && !ended.aborted);
    await stage.close(kept);
    if (kept) terminal.err(`everything is kept in ${stage.directory}`);
  }
  return good;
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
