import type { Command } from 'commander';
import { openDisk } from '../runtime/disk.ts';
import { EXIT } from './exit.ts';
import { type VerifierKeys, verifierKeys } from './key-files.ts';
import { loadConfig } from './load-config.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import type { Terminal } from './terminal.ts';

/** `waybill key`: the keys of the log. */
export function addKey(program: Command, terminal: Terminal, done: (code: number) => void): void {
  const key = program
    .command('key')
    .description('the keys that sign the heads of the log')
    .addHelpText('after', '\nExamples:\n  $ waybill key show');
  withCommonOptions(key.command('show').description('show the verifier keys, which whoever checks the log needs'), [
    'waybill key show',
    'waybill key show --json',
  ]).action(async (options: CommonOptions) => {
    const { ledger } = loadConfig(options.config);
    const disk = openDisk();
    try {
      const keys = await verifierKeys(ledger, disk);
      if (options.json) terminal.out(JSON.stringify({ origin: ledger.origin, ...keys }));
      else for (const line of keyLines(keys)) terminal.out(line);
    } finally {
      await disk.close();
    }
    done(EXIT.ok);
  });
}

/** The verifier keys for people. */
export function keyLines({ log, freshness }: VerifierKeys): string[] {
  return [`verifier key:  ${log}`, `freshness key: ${freshness}`];
}
