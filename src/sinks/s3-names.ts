import type { SinkBatch } from '../contracts/sink.ts';
import { asIndex, type Index, type Size } from '../contracts/units.ts';
import type { Compression } from './compress.ts';

/** Every index has at most so many digits, so names sort in the order of their entries. */
const DIGITS = 16;

/** What the name of an object ends with. */
export const ENDINGS: Readonly<Record<Compression, string>> = { none: '.ndjson', gzip: '.ndjson.gz', zstd: '.ndjson.zst' };

/** What an object is, for whoever opens it. */
export const CONTENT_TYPES: Readonly<Record<Compression, string>> = {
  none: 'application/x-ndjson',
  gzip: 'application/gzip',
  zstd: 'application/zstd',
};

/** An object by its name. */
export interface NamedObject {
  readonly key: string;
  readonly from: Index;
  readonly through: Index;
  readonly compression: Compression;
}

/**
 * The key of a batch: `PREFIX` FROM `-` THROUGH and what it is. The same batch has the same key, and keys sort as their entries do. What is
 * sent again on purpose lies apart, below the name of its replay.
 */
export function keyOf(prefix: string, { from, through, replay }: SinkBatch, compression: Compression): string {
  const apart = replay === undefined ? '' : `${replay}/`;
  return `${prefix}${apart}${digits(from)}-${digits(through)}${ENDINGS[compression]}`;
}

/** The key of the object that says whose the prefix is. */
export function ownerKey(prefix: string): string {
  return `${prefix}waybill.json`;
}

/** The key of the object on which it is tried whether the store keeps conditions, where that of the owner may not be read. */
export function probeKey(prefix: string): string {
  return `${prefix}waybill-probe.json`;
}

/** The key of a checkpoint: they sort by how many entries they cover. */
export function checkpointKey(prefix: string, size: Size): string {
  return `${prefix}checkpoints/${digits(size)}`;
}

/** The key of the newest checkpoint, the only one whose object is written more than once. */
export function newestCheckpointKey(prefix: string): string {
  return `${prefix}checkpoint`;
}

/** Reads a key, or gives `null` when it is not that of a batch directly below the prefix. */
export function readKey(prefix: string, key: string): NamedObject | null {
  if (!key.startsWith(prefix)) return null;
  const [, from, through, ending] = /^(\d{16})-(\d{16})(\.ndjson(?:\.gz|\.zst)?)$/.exec(key.slice(prefix.length)) ?? [];
  const compression = (['none', 'gzip', 'zstd'] as const).find((one) => ENDINGS[one] === ending);
  if (compression === undefined) return null;
  const named = { key, from: asIndex(Number(from)), through: asIndex(Number(through)), compression };
  return named.through >= named.from && Number.isSafeInteger(named.through) ? named : null;
}

function digits(place: Index | Size): string {
  return String(place).padStart(DIGITS, '0');
}
