import type { Command } from 'commander';
import { openDisk } from '../runtime/disk.ts';
import { openRandom } from '../runtime/random.ts';
import { EXIT } from './exit.ts';
import { type MadeNext, makeNextKey, type VerifierKeys, verifierKeys } from './key-files.ts';
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
  addRotate(key, terminal, done);
}

function addRotate(key: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(key.command('rotate').description('make the key that takes over at the next start of the process'), [
    'waybill key rotate',
    'waybill key rotate --lost',
  ])
    .option('--lost', 'the old private key is gone: the new one takes its place without being signed by it', false)
    .action((options: CommonOptions & { readonly lost: boolean }) => {
      const { ledger } = loadConfig(options.config);
      const made = makeNextKey(ledger, openRandom(), options.lost);
      if (options.json) terminal.out(JSON.stringify({ origin: ledger.origin, ...made }));
      else for (const line of rotateLines(made, options.lost)) terminal.out(line);
      done(EXIT.ok);
    });
}

function rotateLines({ old, next, made }: MadeNext, lost: boolean): string[] {
  return [
    made ? 'made the key that takes over' : 'the key that takes over was made already, and is left as it is',
    ...(old === null || old === next ? [] : [`  old: ${old}`]),
    `  new: ${next}`,
    '',
    'Next:',
    '  give the new verifier key to your witnesses and to whoever checks this log; a witness must know both',
    '  restart the process: an entry `key.rotated` names both keys, and the log goes over to the new one',
    lost
      ? '  nobody can follow from the old key to this one inside the log: say so yourself to whoever checks it'
      : '  the head over that entry is signed by both, then the old private key is destroyed; destroy its copies too',
  ];
}

/** The verifier keys for people. */
export function keyLines({ log, freshness }: VerifierKeys): string[] {
  return [`verifier key:  ${log}`, `freshness key: ${freshness}`];
}
