import { hash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { isWaybillError } from '../contracts/errors.ts';
import { createEmbeddedLedger } from '../ledger/embedded/create.ts';
import { openPorts } from '../runtime/ports.ts';
import { EXIT } from './exit.ts';
import { keyLines } from './key.ts';
import { makeKeys, type VerifierKeys, verifierKeys } from './key-files.ts';
import { loadConfig } from './load-config.ts';
import { absolutePath, readText, writeNewFile } from './machine.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import { starterConfig } from './starter.ts';
import type { Terminal } from './terminal.ts';
import { makeToken } from './token.ts';

interface Created {
  readonly config: string;
  readonly ledger: string;
  /** Where the private keys are: a directory, or the configuration itself. */
  readonly keys: string;
  readonly verifier_keys: VerifierKeys;
  /** What was made by this call; what was there already stays as it is. */
  readonly made: readonly string[];
}

const TOKEN_FILE = 'waybill.token';

/** `waybill init`: a starter configuration where none is, and the keys and the empty ledger that the configuration names. */
export function addInit(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(
    program.command('init').description('write a starter configuration where none is, and create the keys and the ledger'),
    ['waybill init', 'waybill init --origin acme.example/audit', 'waybill init -c /etc/waybill/waybill.yaml'],
  )
    .option('--origin <name>', 'name of the log in a new configuration: a URL without a scheme', 'my-company.example/audit')
    .action(async (options: CommonOptions & { readonly origin: string }) => {
      const created = await init(options);
      if (options.json) terminal.out(JSON.stringify(created));
      else for (const line of createdLines(created, options.config)) terminal.out(line);
      done(EXIT.ok);
    });
}

async function init({ config: path, origin }: { readonly config: string; readonly origin: string }): Promise<Created> {
  const file = absolutePath(path);
  const made: string[] = [];
  const ports = await openPorts({ logLevel: 'error' });
  try {
    // The token first: a configuration that names a token which is not there would be of no use after a crash in between.
    // An existing file is somebody's own configuration, and gets no token from here.
    if ((await ports.disk.length(file)) === null) {
      const token = join(dirname(file), TOKEN_FILE);
      await ports.disk.makeDirectory(dirname(file));
      const { token: fresh } = makeToken();
      if (writeNewFile(token, `${fresh}\n`, 0o600)) made.push(token);
      // After a crash in between the token is there already, and the configuration is made for that one.
      const tokenSha256 = hash('sha256', (readText(token) ?? fresh).trim());
      if (writeNewFile(file, starterConfig({ origin, tokenFile: TOKEN_FILE, tokenSha256 }), 0o644)) made.push(file);
    }
    const config = loadConfig(file);
    const { ledger } = config;
    // A ledger without keys could not run, so they come first.
    made.push(...(await makeKeys(ledger, ports)));
    if (await createLedger(config, ports)) made.push(ledger.path);
    const keys = ledger.keys.from === 'directory' ? ledger.keys.path : file;
    return { config: file, ledger: ledger.path, keys, verifier_keys: await verifierKeys(ledger, ports.disk), made };
  } finally {
    await ports.close();
  }
}

async function createLedger({ ledger }: Config, ports: Awaited<ReturnType<typeof openPorts>>): Promise<boolean> {
  try {
    await createEmbeddedLedger(ledger, ports);
    return true;
  } catch (error) {
    // Running it twice is no mistake: a ledger that is there is kept.
    if (isWaybillError(error) && error.code === 'LEDGER_EXISTS') return false;
    throw error;
  }
}

function createdLines({ config, ledger, keys, verifier_keys: verifiers, made }: Created, given: string): string[] {
  const option = given === 'waybill.yaml' ? '' : ` -c ${given}`;
  return [
    ...(made.length === 0
      ? [`everything is there already, and nothing was changed: ${config}, ${keys}, ${ledger}`]
      : made.map((path) => `created ${path}`)),
    ...(made.length > 0 && !made.some((path) => path.endsWith('.key')) ? [`the keys in ${keys} were left as they are`] : []),
    '',
    'Whoever checks this log needs:',
    ...keyLines(verifiers).map((line) => `  ${line}`),
    `Keep a copy of ${keys} in another place than the ledger and its copies.`,
    '',
    'Next:',
    `  waybill check${option}    what each path guarantees`,
    `  waybill run${option}      take and deliver events`,
    `  waybill status${option}   where everything is`,
  ];
}
