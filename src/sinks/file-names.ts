import { basename, dirname, join } from 'node:path';
import type { Disk } from '../contracts/ports.ts';
import type { SinkContext } from '../contracts/sink.ts';
import { asIndex, type Index } from '../contracts/units.ts';

/** So many digits that the names of files that were set apart sort in the order of their entries. */
const NAME_DIGITS = 12;

/** A file that was set apart, and the index of its first line. */
export interface ApartFile {
  readonly path: string;
  readonly first: Index;
}

/** The name under which a full file is set apart: its own name and the index of its first line. */
export function apartPath(path: string, first: Index): string {
  return `${path}.${String(first).padStart(NAME_DIGITS, '0')}`;
}

/** The files that were set apart, in the order of their entries. */
export async function apartFiles(disk: Disk, path: string): Promise<readonly ApartFile[]> {
  const prefix = `${basename(path)}.`;
  const directory = dirname(path);
  const names = (await disk.list(directory)).filter((name) => name.startsWith(prefix));
  const numbered = names.filter((name) => /^\d{12,16}$/.test(name.slice(prefix.length)));
  const files = numbered.map((name) => ({ path: join(directory, name), first: asIndex(Number(name.slice(prefix.length))) }));
  return files.sort((a, b) => a.first - b.first);
}

/**
 * The file that says, before the first line is written, whose it will be. Without it a crash in the first write would look like
 * foreign data.
 */
export function markPath(path: string): string {
  return `${path}.begun`;
}

/** What the mark says: the same for the same destination of the same ledger. */
export function markText(context: Pick<SinkContext, 'name' | 'origin'>): string {
  return `${JSON.stringify({ ledger: context.origin, destination: context.name })}\n`;
}

/** The lock lies beside the file: a lock on the file itself would be lost when the file is set apart. */
export function lockPath(path: string): string {
  return `${path}.lock`;
}
