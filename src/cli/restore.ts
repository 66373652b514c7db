import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Config, DestinationConfig } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import { type KnownHead, type Restored, restoreLedger } from '../pipeline/restore.ts';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { EXIT } from './exit.ts';
import { adapters, loadConfig } from './load-config.ts';
import { absolutePath } from './machine.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import { oneAfterAnother, type RestoreSource, sourceOf } from './restore-sources.ts';
import { countText, type Terminal } from './terminal.ts';

interface RestoreWords extends CommonOptions {
  readonly from: readonly string[];
  readonly into?: string;
  readonly head?: KnownHead;
  readonly key: readonly string[];
  readonly continueAsNew: boolean;
}

/** What was restored, and what has to be known about it. */
interface Outcome extends Restored {
  /** The log that this one goes on from under a name of its own; `null`: it is the same. */
  readonly continues: string | null;
  /** The destination that goes on where the entries end; `null`: none. */
  readonly destination: string | null;
  readonly remarks: readonly string[];
}

/** `waybill restore`: a lost ledger, from an export, from a destination that can be read back, or from a file of lines. */
export function addRestore(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(program.command('restore').description('rebuild a lost ledger from an export, a destination or a file of its lines'), [
    'waybill restore --from archive',
    'waybill restore --from ./export --from archive',
    'waybill restore --from ./copies/audit.ndjson --into ./data',
    'waybill restore --from archive --head 18231:q7Jx…=',
    'waybill restore --from ./data.old --continue-as-new --head 18231:q7Jx…=',
  ])
    .requiredOption(
      '--from <dest|path>',
      'a destination that can be read back, an export, the directory of a ledger or a file of lines; again: what goes on behind the first',
      gathered,
    )
    .option('--into <path>', 'directory of the ledger; absent: ledger.path')
    .option('--head <size:root>', 'the newest head that you know (`waybill status` shows it): entries are checked against it', headOf)
    .option('--key <vkey>', 'the verifier key that signed the checkpoint of an export; absent: that of the configuration', gathered, [])
    .option('--continue-as-new', 'the end is lost for good: go on as the log ORIGIN/2, which `ledger.origin` has to name', false)
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

function gathered(word: string, before: readonly string[] = []): readonly string[] {
  return [...before, word];
}

async function restore(
  config: Config,
  { from, into, head, key, continueAsNew }: RestoreWords,
  ports: OpenPorts,
  onProgress: (entries: number) => void,
): Promise<Outcome> {
  const place = into === undefined ? config.ledger.path : absolutePath(into);
  const { origin, segmentBytes, reservedBytes } = config.ledger;
  const continues = continueAsNew ? logBefore(origin) : null;
  // Nothing of a destination is touched for a ledger that cannot be made.
  if ((await ports.disk.list(place)).length > 0) throw new WaybillError('LEDGER_EXISTS', `${place} is not empty`);
  const sources: RestoreSource[] = [];
  for (const word of from) sources.push(await sourceOf(word, { config, origin: continues ?? origin, keys: key, ports }));
  const heads = [...sources.map((source) => source.head), head ?? null].filter((known) => known !== null);
  // A log of another name is new to every destination.
  const signed = continues === null ? (sources.findLast((source) => source.signed !== null)?.signed ?? null) : null;
  const destination = continues === null ? (sources.at(-1)?.destination ?? null) : null;
  const common = { origin, into: place, segmentBytes, reservedBytes, onProgress };
  const restored = await restoreLedger({ ...common, heads, continues, signed, destination, entries: oneAfterAnother(sources) }, ports);
  return { ...restored, continues, destination, remarks: sources.flatMap(({ remark }) => remark ?? []) };
}

/** The log that goes on under this name: `acme.example/audit` as `acme.example/audit/2`, that as `acme.example/audit/3`. */
function logBefore(origin: string): string {
  const [, base, number] = /^(.+)\/([1-9]\d{0,8})$/.exec(origin) ?? [];
  if (base === undefined || Number(number) < 2) {
    const what = `ledger.origin is ${origin}: to go on under a name of its own, set it to ${origin}/2 first, with keys of its own`;
    throw new WaybillError('CONFIG_INVALID', what);
  }
  return Number(number) === 2 ? base : `${base}/${Number(number) - 1}`;
}

function headOf(text: string): KnownHead {
  const [, size, root] = /^(\d{1,15}):([A-Za-z0-9+/]{43}=)$/.exec(text) ?? [];
  if (size === undefined || root === undefined)
    throw new InvalidArgumentError('expected SIZE:ROOT, as `waybill status --json` has them in ledger.head.');
  return { size: Number(size), root };
}

function restoredLines(restored: Outcome, config: Config, { config: given }: RestoreWords): string[] {
  const { size, root, continues, destination: own, remarks } = restored;
  const option = given === 'waybill.yaml' ? '' : ` -c ${given}`;
  const others = config.destinations.filter(({ name }) => name !== own);
  return [
    `restored ${countText(size)} entries of ${config.ledger.origin}; their root is ${root}`,
    ...(continues === null ? [] : [`it goes on from ${continues}: entry ${size - 1} says so, and what was lost`]),
    ...remarks,
    '',
    'What is not in the entries is not restored: where destinations are, what they had set aside, and positions of sources',
    'beyond the last entry.',
    ...(own === null ? [] : [`  ${own}: goes on at ${size}`]),
    ...others.map(
      (destination) => `  ${destination.name}: ${continues === null ? othersText(destination) : newLogText(destination, size)}`,
    ),
    '',
    'Next:',
    ...(continues === null
      ? []
      : [`  waybill init${option}    makes the keys of ${config.ledger.origin}; give their public halves to whoever checks it`]),
    `  waybill check${option}   what each path guarantees`,
    `  waybill run${option}     builds the tree and the index of identities first, and says so in its log`,
  ];
}

function newLogText({ name, type, settings }: DestinationConfig, size: number): string {
  const definition: SinkDefinition | undefined = adapters.sinks[type];
  if (definition?.traits(settings).dedupe === 'position')
    return `is of the other log, and stays as it is; give ${name} a new place before you run`;
  return `begins by its \`start\`; to send nothing again that it has, set \`start: ${size - 1}\` before you run`;
}

function othersText({ name, type, settings, start }: DestinationConfig): string {
  const definition: SinkDefinition | undefined = adapters.sinks[type];
  const begins = `begins by \`start: ${start.at === 'index' ? start.index : start.at === 'time' ? 'TIME' : start.at}\``;
  if (definition?.traits(settings).dedupe === 'position')
    return `knows itself what it has; where it does not (DESTINATION_FOREIGN), give it a new place, or restore from it instead`;
  return `${begins}; to go on without repeating anything, set \`start\` to the index after the last one that ${name} has, before you run`;
}
