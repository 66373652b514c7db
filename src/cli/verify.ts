import type { Command } from 'commander';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { openExportCopy } from '../verify/export-copy.ts';
import { VERIFY_JOBS } from '../verify/job-module.ts';
import { type OpenedCopy, openLedgerCopy } from '../verify/ledger-copy.ts';
import type { Counted, Verification } from '../verify/verification.ts';
import { unreadable, verifyCopy } from '../verify/verify-copy.ts';
import { verifyProof } from '../verify/verify-proof.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { absolutePath, readBytes, readText } from './machine.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import type { Terminal } from './terminal.ts';
import { configuredKeys, type TrustedKeys, type TrustWords, trustedKeys, withHeadOption, withTrustOptions } from './verify-keys.ts';
import { countedText, verificationLines } from './verify-lines.ts';

interface CopyWords extends CommonOptions, TrustWords {
  readonly identities: boolean;
}

interface ProofWords extends CommonOptions, TrustWords {
  readonly entry?: string;
}

type Done = (code: number) => void;

/** `waybill verify`: whether a ledger, an export or one entry is what was signed, offline and without changing anything. */
export function addVerify(program: Command, terminal: Terminal, done: Done): void {
  const verify = program
    .command('verify')
    .description('prove that nothing was changed, removed, inserted, reordered or cut off')
    .addHelpText('after', '\nExamples:\n  $ waybill verify ledger\n  $ waybill verify export ./export --key ./acme.vkey');
  addVerifyLedger(verify, terminal, done);
  addVerifyExport(verify, terminal, done);
  addVerifyProof(verify, terminal, done);
}

function addVerifyLedger(verify: Command, terminal: Terminal, done: Done): void {
  const command = verify
    .command('ledger')
    .description('every entry, number and hash of a ledger against its signed heads, also while it runs');
  withCopyOptions(command, [
    'waybill verify ledger',
    'waybill verify ledger ./data --key acme.example/audit+8c2f5d31+AZ…=',
    'waybill verify ledger --head ./kept/checkpoint --identities',
  ])
    .argument('[directory]', 'directory of the ledger; absent: ledger.path of the configuration')
    .action(async (directory: string | undefined, words: CopyWords) => {
      await withPorts(async (ports) => {
        const { path, trusted } = await ledgerPlace(directory, words, ports);
        report(await verifyOpened(await openLedgerCopy(path, ports), 'ledger', trusted, words, ports, terminal), words, terminal, done);
      });
    });
}

function addVerifyExport(verify: Command, terminal: Terminal, done: Done): void {
  const command = verify.command('export').description('an export, or any directory in the form of C2SP tlog-tiles');
  withCopyOptions(command, [
    'waybill verify export ./export --key ./acme.vkey',
    'waybill verify export ./export --policy ./acme.policy --json',
  ])
    .argument('<directory>', 'the directory with the file `checkpoint`')
    .action(async (directory: string, words: CopyWords) => {
      await withPorts(async (ports) => {
        const path = absolutePath(directory);
        const trusted = trustedKeys(words, [`${path}/log.vkey`]);
        report(
          await verifyOpened(await openExportCopy(path, ports.files), 'export', trusted, words, ports, terminal),
          words,
          terminal,
          done,
        );
      });
    });
}

function addVerifyProof(verify: Command, terminal: Terminal, done: Done): void {
  const command: Command = verify.command('proof').description('that one entry is in a log, by a .tlog-proof file');
  withTrustOptions(
    withCommonOptions(command, [
      'waybill verify proof 18231.tlog-proof --key ./acme.vkey',
      'waybill verify proof p.tlog-proof --entry e.json',
    ]),
  )
    .argument('<file>', 'the proof')
    .option('--entry <file>', 'the bytes of the entry; absent: the file beside the proof with .json instead of .tlog-proof')
    .action((file: string, words: ProofWords) => {
      const path = absolutePath(file);
      const entryFile = words.entry ?? file.replace(/\.tlog-proof$/, '.json');
      const proof = readText(path);
      const entry = entryFile === file ? null : readBytes(absolutePath(entryFile));
      if (proof === null || entry === null)
        command.error(`error: there is no file ${proof === null ? file : entryFile}`, { exitCode: EXIT.usage });
      const { policy = null } = words;
      report(verifyProof({ proof, proofFile: file, entry, entryFile }, { ...proofKeys(command, words), policy }), words, terminal, done);
    });
}

function withCopyOptions(command: Command, examples: readonly string[]): Command {
  return withHeadOption(withTrustOptions(withCommonOptions(command, examples))).option(
    '--identities',
    'also look for identities that come twice: up to 50 bytes of memory for an entry',
    false,
  );
}

/** Where the ledger is and whose signature it has to have. A directory that is named is not looked up in a configuration. */
async function ledgerPlace(
  directory: string | undefined,
  words: CopyWords,
  ports: OpenPorts,
): Promise<{ readonly path: string; readonly trusted: TrustedKeys }> {
  if (directory !== undefined) return { path: absolutePath(directory), trusted: trustedKeys(words, []) };
  const config = loadConfig(words.config);
  const { beside, own } = await configuredKeys(config, ports.disk);
  const found = trustedKeys(words, beside);
  const trusted = found.keys.length > 0 ? found : { ...trustedKeys({ ...words, key: own }, []), keyFrom: config.file };
  return { path: config.ledger.path, trusted };
}

/** A proof has no key beside it: the one of the configuration here is taken, or one has to be given. */
function proofKeys(command: Command, words: ProofWords): TrustedKeys {
  const given = trustedKeys(words, []);
  if (given.keys.length > 0) return given;
  if (readText(absolutePath(words.config)) === null)
    command.error('error: give the verifier key of the log with --key', { exitCode: EXIT.usage });
  const { keys } = loadConfig(words.config).ledger;
  return trustedKeys(words, keys.from === 'directory' ? [`${keys.path}/log.vkey`] : []);
}

async function verifyOpened(
  opened: OpenedCopy,
  what: 'ledger' | 'export',
  trusted: TrustedKeys,
  words: CopyWords,
  ports: OpenPorts,
  terminal: Terminal,
): Promise<Verification> {
  if (!opened.ok) return unreadable(what, opened.finding, trusted.keyFrom);
  const options = {
    ...trusted,
    policy: words.policy ?? null,
    heads: words.head ?? [],
    identities: words.identities,
    onProgress: progress(ports, terminal),
  };
  try {
    return await verifyCopy(opened.copy, options, ports.background);
  } finally {
    await opened.copy.close();
  }
}

async function withPorts(work: (ports: OpenPorts) => Promise<void>): Promise<void> {
  const ports = await openPorts({ logLevel: 'warn', jobs: VERIFY_JOBS });
  try {
    await work(ports);
  } finally {
    await ports.close();
  }
}

/** How often the person who waits is told how far it is. */
const PROGRESS_MS = 2_000;

function progress({ clock }: OpenPorts, terminal: Terminal): (counted: Readonly<Counted>) => void {
  let said = clock.monotonic();
  return (counted) => {
    if (clock.monotonic() - said < PROGRESS_MS) return;
    said = clock.monotonic();
    terminal.err(countedText(counted));
  };
}

function report(result: Verification, words: CommonOptions, terminal: Terminal, done: Done): void {
  if (words.json) terminal.out(JSON.stringify(result));
  else for (const line of verificationLines(result)) terminal.out(line);
  done(result.ok ? EXIT.ok : EXIT.unverified);
}
