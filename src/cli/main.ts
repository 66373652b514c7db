import { CommanderError } from 'commander';
import { isWaybillError } from '../contracts/errors.ts';
import { EXIT, reportError } from './exit.ts';
import { buildProgram } from './program.ts';
import { openTerminal } from './terminal.ts';

// The entry of the command line.
const terminal = openTerminal();
process.exitCode = await run(process.argv.slice(2));

async function run(words: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok;
  const program = buildProgram(terminal, (code) => {
    exit = code;
  });
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
