import { crc32c } from '@node-rs/crc32';
import type { Disk } from '../../contracts/ports.ts';
import { asSize, type Size } from '../../contracts/units.ts';
import { SEED_BYTES } from './fingerprint.ts';

/** The name of the file that says which runs count. */
export const MANIFEST = 'manifest';

/** Where a manifest is written before it takes the place of the last one. */
export const MANIFEST_NEW = 'manifest.new';

/** What the name of a run file looks like. */
export const RUN_NAME = /^[0-9a-f]{16}\.run$/;

/** Which runs count, and up to where they are complete. Its layout is in docs/formats/identities-v1.md. */
export interface Manifest {
  /** The secret of the fingerprints. */
  readonly seed: Uint8Array;
  /** The identities of all entries below it are in the runs. */
  readonly watermark: Size;
  /** CRC-32C of the entry below the watermark, so that another ledger is not taken for this one; `null` at 0 or where it was pruned. */
  readonly anchor: number | null;
  readonly runs: readonly string[];
}

/** Reads the manifest of a directory: `missing` when there is none, `damaged` when it cannot be used. */
export async function readManifest(disk: Disk, directory: string): Promise<Manifest | 'missing' | 'damaged'> {
  const path = `${directory}/${MANIFEST}`;
  const length = await disk.length(path);
  if (length === null) return 'missing';
  const file = await disk.open(path, 'read');
  try {
    return parseManifest(await file.read(0, length)) ?? 'damaged';
  } catch (error) {
    if (error instanceof SyntaxError) return 'damaged';
    throw error;
  } finally {
    await file.close();
  }
}

/**
 * Replaces the manifest. After a failure either the old one or the new one is there;
 * the files of both have to stay until a later call succeeds.
 */
export async function writeManifest(disk: Disk, directory: string, manifest: Manifest): Promise<void> {
  const temporary = `${directory}/${MANIFEST_NEW}`;
  const file = await disk.open(temporary, 'create');
  try {
    await file.truncate(0);
    await file.write(formatManifest(manifest), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  // The names of new runs have to be durable before a manifest that counts on them can be.
  await disk.syncDirectory(directory);
  await disk.rename(temporary, `${directory}/${MANIFEST}`);
  await disk.syncDirectory(directory);
}

function formatManifest({ seed, watermark, anchor, runs }: Manifest): Uint8Array {
  const line = JSON.stringify({ v: 1, seed: Buffer.from(seed).toString('hex'), watermark, anchor, runs });
  return Buffer.from(`${line}\n${checkOf(line)}\n`);
}

function parseManifest(bytes: Uint8Array): Manifest | null {
  const [line, check, end, ...rest] = Buffer.from(bytes).toString('utf8').split('\n');
  if (line === undefined || check !== checkOf(line) || end !== '' || rest.length > 0) return null;
  // What passed the check was written by some version of this program, so only the version has to be looked at.
  const value = JSON.parse(line) as { v: number; seed: string; watermark: number; anchor: number | null; runs: string[] };
  if (value.v !== 1) return null;
  const seed = Uint8Array.from(Buffer.from(value.seed, 'hex'));
  if (seed.length !== SEED_BYTES || !value.runs.every((name) => RUN_NAME.test(name))) return null;
  return { seed, watermark: asSize(value.watermark), anchor: value.anchor, runs: value.runs };
}

function checkOf(line: string): string {
  return crc32c(line).toString(16).padStart(8, '0');
}
