import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Config, DestinationConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import { asIndex } from '../contracts/units.ts';
import { type KeptEntry, type KnownHead, type Restored, restoreLedger } from '../pipeline/restore.ts';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { EXIT } from './exit.ts';
import { adapters, loadConfig } from './load-config.ts';
import { absolutePath } from './machine.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import { linesOf } from './restore-lines.ts';
import { countText, type Terminal } from './terminal.ts';

interface RestoreWords extends CommonOptions {
  readonly from: string;
  readonly into?: string;
  readonly head?: KnownHead;
}

/** `waybill restore`: a lost ledger, from a destination that can be read back or a file of lines. */
export function addRestore(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(program.command('restore').description('rebuild a lost ledger from a destination or a file of its lines'), [
    'waybill restore --from archive',
    'waybill restore --from ./copies/audit.ndjson --into ./data',
    'waybill restore --from archive --head 18231:q7Jx…=',
  ])
    .requiredOption('--from <dest|file>', 'a destination of the configuration that can be read back, or a file of lines')
    .option('--into <path>', 'directory of the ledger; absent: ledger.path')
    .option('--head <size:root>', 'the newest head that you know (`waybill status` shows it): entries are checked against it', headOf)
    .action(async (words: RestoreWords) => {
      const config = loadConfig(words.config);
      const ports = await openPorts({ logLevel: 'warn' });
      try {
        const restored = await restore(config, words, ports, (entries) => terminal.err(`${countText(entries)} entries`));
        if (words.json) terminal.out(JSON.stringify(restored));
        else for (const line of restoredLines(restored, config, words)) terminal.out(line);
      } finally {
        await ports.close();
      }
      done(EXIT.ok);
    });
}

async function restore(
  config: Config,
  { from, into, head }: RestoreWords,
  ports: OpenPorts,
  onProgress: (entries: number) => void,
): Promise<Restored> {
  const destination = config.destinations.find(({ name }) => name === from);
  const place = into === undefined ? config.ledger.path : absolutePath(into);
  const { origin, segmentBytes, reservedBytes } = config.ledger;
  const common = { origin, into: place, segmentBytes, reservedBytes, head: head ?? null, onProgress };
  if (destination === undefined) {
    const path = absolutePath(from);
    if ((await ports.disk.length(path)) === null)
      throw new WaybillError('RESTORE_INCOMPLETE', `${from} is neither a destination of ${config.file} nor a file`);
    return restoreLedger({ ...common, entries: linesOf(ports.disk, path), destination: null }, ports);
  }
  // Nothing of the destination is touched for a ledger that cannot be made.
  if ((await ports.disk.list(place)).length > 0) throw new WaybillError('LEDGER_EXISTS', `${place} is not empty`);
  return restoreLedger({ ...common, entries: entriesOf(destination, origin, ports), destination: destination.name }, ports);
}

/** Everything that a destination holds. */
async function* entriesOf({ name, type, settings }: DestinationConfig, origin: string, ports: OpenPorts): AsyncGenerator<KeptEntry> {
  const definition: SinkDefinition | undefined = adapters.sinks[type];
  assert(definition !== undefined, `${name} was checked when the file was read`);
  await definition.claim?.(settings, { name, origin, ports });
  // A cursor behind everything: nothing that is there is taken for the rest of a write.
  const context = { name, origin, ports, cursor: asIndex(Number.MAX_SAFE_INTEGER), receipt: null };
  const sink = await definition.open(settings, context);
  try {
    if (sink.readBack === undefined)
      throw new WaybillError('RESTORE_INCOMPLETE', `${name} cannot be read back: a ${type} destination does not give back its entries`);
    yield* sink.readBack(new AbortController().signal);
  } finally {
    await sink.close();
  }
}

function headOf(text: string): KnownHead {
  const [, size, root] = /^(\d{1,15}):([A-Za-z0-9+/]{43}=)$/.exec(text) ?? [];
  if (size === undefined || root === undefined)
    throw new InvalidArgumentError('expected SIZE:ROOT, as `waybill status --json` has them in ledger.head.');
  return { size: Number(size), root };
}

function restoredLines({ size, root }: Restored, config: Config, { from, config: given }: RestoreWords): string[] {
  const option = given === 'waybill.yaml' ? '' : ` -c ${given}`;
  const others = config.destinations.filter(({ name }) => name !== from);
  return [
    `restored ${countText(size)} entries of ${config.ledger.origin}; their root is ${root}`,
    '',
    'What is not in the entries is not restored: where destinations are, what they had set aside, and positions of sources',
    'beyond the last entry.',
    ...(config.destinations.length === others.length ? [] : [`  ${from}: goes on at ${size}`]),
    ...others.map((destination) => `  ${destination.name}: ${othersText(destination)}`),
    '',
    'Next:',
    `  waybill check${option}   what each path guarantees`,
    `  waybill run${option}     builds the tree and the index of identities first, and says so in its log`,
  ];
}

function othersText({ name, type, settings, start }: DestinationConfig): string {
  const definition: SinkDefinition | undefined = adapters.sinks[type];
  const begins = `begins by \`start: ${start.at === 'index' ? start.index : start.at === 'time' ? 'TIME' : start.at}\``;
  if (definition?.traits(settings).dedupe === 'position')
    return `knows itself what it has; where it does not (DESTINATION_FOREIGN), give it a new place, or restore from it instead`;
  return `${begins}; to go on without repeating anything, set \`start\` to the index after the last one that ${name} has, before you run`;
}
