import type { Command } from 'commander';
import { EXIT } from './exit.ts';
import type { Terminal } from './terminal.ts';
import { initWitness, loadWitnessConfig } from './witness-files.ts';

const EXAMPLES = '\nExamples:\n  $ waybill witness init --name witness.acme.example\n  $ waybill witness run';

interface WitnessOptions {
  readonly config: string;
  readonly json: boolean;
}

/** `waybill witness`: a witness of C2SP tlog-witness, which a company runs on another host than its logs. */
export function addWitness(program: Command, terminal: Terminal, done: (code: number) => void): void {
  const witness = program
    .command('witness')
    .description('a witness for logs of other hosts: it signs only heads that continue what it signed')
    .addHelpText('after', EXAMPLES);
  withOptions(witness.command('init').description('write a starter witness.yaml where none is, and make the key and the empty state'), [
    'waybill witness init --name witness.acme.example',
    'waybill witness init -c /etc/waybill/witness.yaml',
  ])
    .option('--name <name>', 'name of the witness in a new configuration: a URL without a scheme', 'witness.my-company.example')
    .action(async (options: WitnessOptions & { readonly name: string }) => {
      const { config, verifierKey, made } = await initWitness(options.config, options.name);
      if (options.json) terminal.out(JSON.stringify({ config: config.file, name: config.name, verifier_key: verifierKey, made }));
      else for (const line of initLines(config.file, options.config, verifierKey, made)) terminal.out(line);
      done(EXIT.ok);
    });
  withOptions(witness.command('run').description('sign heads of the configured logs until SIGTERM'), [
    'waybill witness run',
    'waybill witness run -c /etc/waybill/witness.yaml',
  ]).action(async (options: WitnessOptions) => {
    const config = loadWitnessConfig(options.config);
    const { runWitness } = await import('./witness-serve.ts');
    done(await runWitness(config));
  });
}

function withOptions(command: Command, examples: readonly string[]): Command {
  return command
    .option('-c, --config <file>', 'the configuration', 'witness.yaml')
    .option('--json', 'answer in JSON, for programs', false)
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
}

function initLines(file: string, given: string, verifierKey: string, made: readonly string[]): string[] {
  const option = given === 'witness.yaml' ? '' : ` -c ${given}`;
  return [
    ...(made.length === 0 ? [`everything is there already, and nothing was changed: ${file}`] : made.map((path) => `created ${path}`)),
    '',
    'Logs that ask this witness, and whoever checks them, need its verifier key:',
    `  ${verifierKey}`,
    'Keep a copy of its private key, and none of its state: an old one would have forgotten what was signed.',
    '',
    'Next:',
    `  put the verifier keys of the logs under \`logs\` in ${file}`,
    `  waybill witness run${option}`,
  ];
}
