import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../contracts/quantities.ts';
import type { DemoOptions } from './demo/show.ts';
import type { Terminal } from './terminal.ts';

/** `waybill demo`: the real thing in a minute, in a directory of its own, with a kill in the middle and a verdict at the end. */
export function addDemo(program: Command, terminal: Terminal, done: (code: number) => void): void {
  program
    .command('demo')
    .description('run an application, a ledger and two destinations for a moment, kill it in the middle, and compare everything')
    .option('--headless', 'print the flow line by line and end by itself (this is what it always does without a console)', false)
    .option('--for <duration>', 'how long the load lasts, from 4s to 10m', demoDuration, 10_000)
    .option('--json', 'answer in JSON, for programs; the flow goes to standard error', false)
    .addHelpText('after', '\nExamples:\n  $ waybill demo\n  $ waybill demo --headless --for 30s')
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import('./demo/show.ts');
      done(await runDemo(options, terminal));
    });
}

function demoDuration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms < 4_000 || ms > 600_000) throw new InvalidArgumentError('Expected a duration from 4s to 10m.');
  return ms;
}
