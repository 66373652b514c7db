import { Command, CommanderError } from 'commander';
import { isWaybillError } from '../contracts/errors.ts';
import { addBench } from './bench.ts';
import { addCheck } from './check.ts';
import { addControl } from './control.ts';
import { addDemo } from './demo.ts';
import { EXIT, reportError } from './exit.ts';
import { addInit } from './init.ts';
import { addRun } from './run.ts';
import { addSchema } from './schema.ts';
import { addStatus } from './status.ts';
import { addTap } from './tap.ts';
import { openTerminal } from './terminal.ts';
import { version } from './version.ts';

const terminal = openTerminal();
const args = process.argv.slice(2);
process.exitCode = await command(args);

async function command(words: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok;
  const done = (code: number): void => {
    exit = code;
  };
  const program = new Command('waybill')
    .description('Audit log delivery: every event durable, in order, once, to every destination, and provable.')
    .version(version())
    .exitOverride()
    .showSuggestionAfterError();
  for (const add of [addDemo, addInit, addCheck, addRun, addStatus, addTap, addControl, addSchema, addBench]) add(program, terminal, done);
  try {
    await program.parseAsync(words, { from: 'user' });
    return exit;
  } catch (error) {
    // Commander has said what is wrong with the words; asking for help is no mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (isWaybillError(error)) return reportError(error, words.includes('--json'), terminal);
    throw error;
  }
}
