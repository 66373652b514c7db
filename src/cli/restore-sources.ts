import type { Config, DestinationConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { LogKey } from '../contracts/heads.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { isExport, openExport } from '../export/read.ts';
import { entriesOfLedger } from '../pipeline/old-ledger.ts';
import type { KeptEntry, KnownHead, RestoreOptions } from '../pipeline/restore.ts';
import type { OpenPorts } from '../runtime/ports.ts';
import { type VerifierKeys, verifierKeys } from './key-files.ts';
import { adapters } from './load-config.ts';
import { absolutePath } from './machine.ts';
import { linesOf } from './restore-lines.ts';

/** One thing that entries are taken from. */
export interface RestoreSource {
  readonly entries: AsyncIterable<KeptEntry>;
  /** The head that it has itself, signed; `null` where it has none. */
  readonly head: KnownHead | null;
  /** The head and the keys to go on with, where they are those of this log's own key. */
  readonly signed: RestoreOptions['signed'];
  /** The destination that it is; `null`: none. */
  readonly destination: string | null;
  /** What the person who restores has to know of it; `null`: nothing. */
  readonly remark: string | null;
}

/** What a source is looked for with. */
export interface SourceOptions {
  readonly config: Config;
  /** The name of the log that the entries are of. */
  readonly origin: string;
  /** Keys that were given to check exports; empty: none. */
  readonly keys: readonly string[];
  readonly ports: OpenPorts;
}

/**
 * What `--from` names: a destination of the configuration, an export, the directory of a ledger, or a file of lines. Rejects with
 * `RESTORE_INCOMPLETE` where it is none of these.
 */
export async function sourceOf(from: string, options: SourceOptions): Promise<RestoreSource> {
  const { config, origin, ports } = options;
  const destination = config.destinations.find(({ name }) => name === from);
  if (destination !== undefined)
    return { entries: entriesOf(destination, origin, ports), head: null, signed: null, destination: destination.name, remark: null };
  const path = absolutePath(from);
  if (await isExport(ports.disk, path)) return exportSource(path, options);
  const plain = { head: null, signed: null, destination: null, remark: null };
  if ((await ports.disk.length(`${path}/ledger.json`)) !== null) return { entries: entriesOfLedger(path, origin, ports), ...plain };
  if ((await ports.disk.length(path)) !== null && (await ports.disk.list(path)).length === 0)
    return { entries: linesOf(ports.disk, path), ...plain };
  const what = `${from} is neither a destination of ${config.file} nor an export, the directory of a ledger or a file of lines`;
  throw new WaybillError('RESTORE_INCOMPLETE', what);
}

/** The entries of one source after those of another, as far as they go on. */
export async function* oneAfterAnother(sources: readonly RestoreSource[]): AsyncGenerator<KeptEntry> {
  let next = 0;
  for (const { entries } of sources) {
    const first = next;
    for await (const entry of entries) {
      // What an earlier source has is not taken again; the order within a source is looked at by whoever takes the entries.
      if (entry.index < first) continue;
      yield entry;
      next = entry.index + 1;
    }
  }
}

async function exportSource(path: string, { config, origin, keys, ports }: SourceOptions): Promise<RestoreSource> {
  const own = await ownKeys(config, origin, ports);
  const trusted = keys.length > 0 || own === null ? keys : [own.log];
  const given: readonly LogKey[] = trusted.map((verifierKey) => ({ verifierKey, from: asSize(0), through: null }));
  const kept = await openExport(ports.disk, path, given.length === 0 ? null : given);
  if (kept.origin !== origin) throw new WaybillError('EXPORT_FOREIGN', `${path} is an export of ${kept.origin} and not of ${origin}`);
  const remark =
    given.length > 0
      ? null
      : `the key that the checkpoint was checked with came from ${path} itself: compare it with one that you were given`;
  const { size, root, checkpoint } = kept;
  const head = { size, root, checkpoint, complete: true, published: null };
  const freshness = own === null ? [] : [{ verifierKey: own.freshness, from: asSize(0), through: null }];
  // Only whoever has the newest key can go on with it; another one has to be refused at the start, as for any ledger.
  const signed = own === null || kept.keys.at(-1)?.verifierKey !== own.log ? null : { head, keys: { log: kept.keys, freshness } };
  return { entries: kept.entries(), head: { size, root }, signed, destination: null, remark };
}

/** The keys that the configuration names, where they are there and of this log. */
async function ownKeys({ ledger }: Config, origin: string, { disk }: OpenPorts): Promise<VerifierKeys | null> {
  if (ledger.origin !== origin) return null;
  try {
    return await verifierKeys(ledger, disk);
  } catch (error) {
    if (isWaybillError(error) && error.code === 'KEYS_MISSING') return null;
    throw error;
  }
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
