import { WaybillError } from '../contracts/errors.ts';
import type { LogKey } from '../contracts/heads.ts';
import type { Disk } from '../contracts/ports.ts';
import { asIndex, type Index } from '../contracts/units.ts';
import { readBundle } from '../tlog/bundle.ts';
import { TlogError } from '../tlog/error.ts';
import { encodeHash } from '../tlog/hash.ts';
import { TILE_WIDTH, tilePath } from '../tlog/tile.ts';
import { ExportFolder, NAMES } from './folder.ts';
import { openCheckpoint, rangedKeys } from './head.ts';

/** An entry of an export. */
export interface ExportedEntry {
  readonly index: Index;
  readonly bytes: Uint8Array;
}

/** An export that is read back. */
export interface OpenExport {
  readonly origin: string;
  /** How many entries its checkpoint covers. */
  readonly size: number;
  /** Their root in base64. */
  readonly root: string;
  /** The first entry that it holds. */
  readonly begin: number;
  /** The signed head, the whole note. */
  readonly checkpoint: string;
  /** The keys of the log as the export names them, the oldest first. */
  readonly keys: readonly LogKey[];
  /** The entries from `begin` on, in their order, as the bundles have them: whoever takes them checks them against `root`. */
  entries(): AsyncIterable<ExportedEntry>;
}

/** Whether a directory is an export. */
export async function isExport(disk: Disk, path: string): Promise<boolean> {
  return (await disk.length(`${path}/${NAMES.about}`)) !== null;
}

/**
 * Opens an export for reading. Its checkpoint has to be signed by one of `keys`, or, where none are given, by one of those that the export
 * names itself. Rejects with `EXPORT_DAMAGED`, and with `EXPORT_FOREIGN` where the directory is none.
 */
export async function openExport(disk: Disk, path: string, keys: readonly LogKey[] | null): Promise<OpenExport> {
  const folder = new ExportFolder(path, disk);
  const about = await folder.about();
  if (about === null) throw new WaybillError('EXPORT_FOREIGN', `${path} is not an export: it has no ${NAMES.about}`);
  const { origin, begin } = about;
  const note = await folder.read(NAMES.checkpoint);
  if (note === null) throw new WaybillError('EXPORT_DAMAGED', `${path} has no checkpoint: its export was never finished`);
  const named = await folder.keys();
  const trusted = keys ?? named;
  const head = worded(`${path}/${NAMES.checkpoint}`, () => openCheckpoint(note, origin, rangedKeys(trusted)));
  const checkpoint = Buffer.from(note).toString('utf8');
  const root = encodeHash(head.root);
  return { origin, begin, size: head.size, root, checkpoint, keys: named, entries: () => entriesOf(folder, begin, head.size) };
}

async function* entriesOf(folder: ExportFolder, begin: number, size: number): AsyncGenerator<ExportedEntry> {
  for (let first = begin; first < size; first += TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - first);
    const tile = { level: 'entries', n: first / TILE_WIDTH, width } as const;
    const what = `${folder.path}/${tilePath(tile)}`;
    const bundle = await folder.readTile(tile);
    if (bundle === null) throw new WaybillError('EXPORT_DAMAGED', `${what} is missing`);
    const { starts, ends } = worded(what, () => readBundle(bundle, width));
    for (const [k, start] of starts.entries()) yield { index: asIndex(first + k), bytes: bundle.subarray(start, ends[k]) };
  }
}

function worded<Out>(what: string, read: () => Out): Out {
  try {
    return read();
  } catch (error) {
    if (error instanceof TlogError) throw new WaybillError('EXPORT_DAMAGED', `${what}: ${error.reason}`, { cause: error });
    throw error;
  }
}
