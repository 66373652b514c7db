import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { faultText } from '../config/faults.ts';
import { sinkHop, sourceHop, weakest } from '../config/guarantee.ts';
import { assert } from '../contracts/assert.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import { type Connection, connectAll } from './connect.ts';
import { EXIT, shownError } from './exit.ts';
import { keyLines } from './key.ts';
import { checkKeys, type VerifierKeys } from './key-files.ts';
import { adapters, readConfigFile } from './load-config.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import type { Terminal } from './terminal.ts';
import { tlsErrors, warningsOf } from './warnings.ts';

/** One way through: a source, a destination, and the weaker of the two hops. */
interface PathGuarantee {
  readonly source: string;
  readonly destination: string;
  readonly weakest: string;
  readonly why: string;
}

/** `waybill check`: looks at the configuration, and says what each path through it guarantees. */
export function addCheck(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(program.command('check').description('look for mistakes in the configuration, and say what each path guarantees'), [
    'waybill check',
    'waybill check -c /etc/waybill/waybill.yaml --connect',
    'waybill check --connect --send-test',
    'waybill check --json',
  ])
    .option('--connect', 'also connect to every destination; nothing is written there', false)
    .option('--send-test', 'with that, also send what is marked as a test and is no entry', false)
    .action(async (options: CommonOptions & { readonly connect: boolean; readonly sendTest: boolean }) => {
      const reading = readConfigFile(options.config);
      if (!reading.ok) {
        if (options.json) terminal.out(JSON.stringify({ ok: false, faults: reading.faults }));
        else for (const fault of reading.faults) terminal.err(faultText(fault));
        return done(EXIT.configuration);
      }
      const { connect, sendTest } = options;
      const keys = await checkKeys(reading.config);
      const warnings = [...warningsOf(reading.config), ...keys.warnings];
      const errors = [...(await tlsErrors(reading.config)), ...keys.errors].map(shownError);
      if (errors.length > 0 && !options.json) {
        for (const { code, message, action } of errors) terminal.err(`${message}\n${code}: ${action}`);
        return done(EXIT.configuration);
      }
      const connections = connect || sendTest ? await connectAll(reading.config, sendTest) : [];
      const ok = errors.length === 0 && connections.every(({ error }) => error === null);
      if (options.json)
        terminal.out(
          JSON.stringify({ ok, faults: [], errors, warnings, verifier_keys: keys.verifiers, paths: pathsOf(reading.config), connections }),
        );
      else
        for (const line of [...checkLines(reading.config, warnings, keys.verifiers), ...connectionLines(connections)]) terminal.out(line);
      done(ok ? EXIT.ok : EXIT.failed);
    });
}

function checkLines(config: Config, warnings: readonly string[], verifiers: VerifierKeys | null): string[] {
  const { sources, destinations } = config;
  return [
    `${config.file} has no mistakes`,
    ...warnings.map((warning) => `warning: ${warning}`),
    ...(verifiers === null ? [] : keyLines(verifiers)),
    '',
    ...sources.map((source) => `source ${source.name} (${source.type}): ${sourceHopOf(source).words}`),
    ...destinations.map((destination) => `destination ${destination.name} (${destination.type}): ${sinkHopOf(destination).words}`),
    ...(sources.length === 0 ? ['no source: nothing comes in'] : []),
    ...(destinations.length === 0 ? ['no destination: entries stay in the ledger, and one that is added later gets them'] : []),
    ...pathsOf(config).flatMap(({ source, destination, weakest: hop, why }) => [
      '',
      `${source} -> ${destination}: weakest hop ${hop}`,
      `  ${why}`,
    ]),
  ];
}

function connectionLines(connections: readonly Connection[]): string[] {
  return connections.flatMap(({ destination, found, error }) => [
    '',
    `${destination}:`,
    ...found.map((line) => `  ${line}`),
    ...(error === null ? [] : [`  ${error.code}: ${error.message}`, `  ${error.action}`]),
  ]);
}

function pathsOf({ sources, destinations }: Config): PathGuarantee[] {
  return sources.flatMap((source) =>
    destinations.map((destination) => {
      const hops = [
        { name: `${source.name} -> ledger`, hop: sourceHopOf(source) },
        { name: `ledger -> ${destination.name}`, hop: sinkHopOf(destination) },
      ];
      const found = weakest(hops);
      assert(found !== null, 'a path has two hops');
      return { source: source.name, destination: destination.name, weakest: found.name, why: found.hop.words };
    }),
  );
}

function sourceHopOf(source: Config['sources'][number]) {
  const definition = adapters.sources[source.type];
  assert(definition !== undefined, `the source ${source.type} was looked up when the file was read`);
  return sourceHop(source, definition.traits, definition.caveats?.(source.settings));
}

function sinkHopOf({ type, settings }: Config['destinations'][number]) {
  const definition: SinkDefinition | undefined = adapters.sinks[type];
  assert(definition !== undefined, `the sink ${type} was looked up when the file was read`);
  return sinkHop(definition.traits(settings));
}
