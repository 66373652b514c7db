import { hash } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import type { Role } from '../config/config.ts';
import { NAME_PATTERN } from '../contracts/units.ts';
import { openRandom } from '../runtime/random.ts';
import { EXIT } from './exit.ts';
import type { Terminal } from './terminal.ts';

const TOKEN_BYTES = 24;
const ROLES: readonly Role[] = ['producer', 'viewer', 'auditor', 'operator'];

/** A token, and what the configuration keeps of it. */
export interface MadeToken {
  readonly token: string;
  readonly sha256: string;
}

/** Makes a token of 192 unpredictable bits. */
export function makeToken(): MadeToken {
  const token = Buffer.from(openRandom().bytes(TOKEN_BYTES)).toString('hex');
  return { token, sha256: hash('sha256', token) };
}

/** `waybill token`: makes a token, and the line for the configuration that lets it in. */
export function addToken(program: Command, terminal: Terminal, done: (code: number) => void): void {
  program
    .command('token')
    .description('make a token, and the line for the configuration, which holds only its hash')
    .option('--name <name>', 'who gets it', callerName, 'billing')
    .option('--role <role>', `what it may do: ${ROLES.join(', ')}`, role, 'producer')
    .option('--json', 'answer in JSON, for programs', false)
    .addHelpText('after', '\nExamples:\n  $ waybill token --name billing\n  $ waybill token --name ops --role operator --json')
    .action(({ name, role: may, json }: { readonly name: string; readonly role: Role; readonly json: boolean }) => {
      const { token, sha256 } = makeToken();
      const line = `- { name: ${name}, role: ${may}, token_sha256: ${sha256} }`;
      if (json) terminal.out(JSON.stringify({ name, role: may, token, token_sha256: sha256 }));
      else {
        terminal.out(token);
        terminal.err(`This is shown once. Put it where ${name} finds it, and this line under api.tokens:\n  ${line}`);
      }
      done(EXIT.ok);
    });
}

function callerName(text: string): string {
  if (!NAME_PATTERN.test(text)) throw new InvalidArgumentError('Expected lower-case letters, digits, _ and -, beginning with a letter.');
  return text;
}

function role(text: string): Role {
  const found = ROLES.find((candidate) => candidate === text);
  if (found === undefined) throw new InvalidArgumentError(`Expected one of ${ROLES.join(', ')}.`);
  return found;
}
