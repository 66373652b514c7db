import type { Command } from 'commander';

/** What every command takes. */
export interface CommonOptions {
  readonly config: string;
  readonly json: boolean;
}

/** Adds `-c FILE` and `--json` to a command, and examples at the end of its help. */
export function withCommonOptions(command: Command, examples: readonly string[]): Command {
  return command
    .option('-c, --config <file>', 'the configuration', 'waybill.yaml')
    .option('--json', 'answer in JSON, for programs', false)
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
}

/** What every command takes that steers something. */
export interface ControlOptions extends CommonOptions {
  /** Why it is done: it stands in the entry that the ledger keeps of it. */
  readonly reason?: string;
}

/** The same as `withCommonOptions`, and `--reason`. */
export function withControlOptions(command: Command, examples: readonly string[]): Command {
  return withCommonOptions(command, examples).option('--reason <text>', 'why, for the entry that the ledger keeps of this command');
}
