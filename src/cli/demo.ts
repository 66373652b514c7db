import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../contracts/quantities.ts';
import { isTerminal } from './machine.ts';
import type { Terminal } from './terminal.ts';

interface Words {
  readonly headless?: boolean;
  readonly for?: number;
  readonly keep: boolean;
  readonly json: boolean;
}

const HEADLESS_MS = 10_000;
const MINUTE_MS = 45_000;

/** `waybill demo`: the real thing in a minute, in a directory of its own, with a kill in the middle and a verdict at the end. */
export function addDemo(program: Command, terminal: Terminal, done: (code: number) => void): void {
  program
    .command('demo')
    .description('run three applications, a ledger and three destinations on this machine, and see them in a browser')
    .option('--headless', 'print the flow line by line, kill the process in the middle, compare everything, and end')
    .option('--no-headless', 'serve the page until ctrl-c; without either of the two: on a terminal the page, else headless')
    .option('--for <duration>', 'how long the load of a headless demo or the guided minute of the page lasts, from 4s to 10m', demoDuration)
    .option('--keep', 'keep the directory of the demo', false)
    .option('--json', 'answer in JSON, for programs, which is headless; the flow goes to standard error', false)
    .addHelpText('after', '\nExamples:\n  $ waybill demo\n  $ waybill demo --headless --for 30s')
    .action(async (words: Words) => {
      const { runDemo } = await import('./demo/show.ts');
      const headless = words.json || (words.headless ?? !isTerminal());
      done(await runDemo({ ...words, headless, for: words.for ?? (headless ? HEADLESS_MS : MINUTE_MS) }, terminal));
    });
}

function demoDuration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms < 4_000 || ms > 600_000) throw new InvalidArgumentError('Expected a duration from 4s to 10m.');
  return ms;
}
