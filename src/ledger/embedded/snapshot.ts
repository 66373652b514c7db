import { crc32c } from '@node-rs/crc32';
import { isWaybillError } from '../../contracts/errors.ts';
import type { Disk, Log } from '../../contracts/ports.ts';
import { windowOf } from './layout.ts';
import type { StateJson } from './state.ts';

/**
 * Folded state: what all frames below `frame` add up to, and where that frame begins.
 * A snapshot only saves reading: it is published after everything that it covers is durable, and one that does not hold is passed over.
 */
export interface Snapshot extends StateJson {
  /** The number of the first frame that is not covered. */
  readonly frame: number;
  /** The group of the last frame that is covered. */
  readonly group: number;
  /** The index of the next entry. */
  readonly size: number;
  /** The first index of the segment in which that frame begins, and the byte there. */
  readonly segment: number;
  readonly at: number;
  /** The oldest index that can be read. */
  readonly beginning: number;
}

const MAGIC = Buffer.from([0x57, 0x42, 0x53, 0x4e, 0x41, 0x50, 0x01, 0xff]);
const HEADER_BYTES = 24;
const KEPT = 2;

/** A snapshot as it is stored. */
export function encodeSnapshot(snapshot: Snapshot, salt: number): Buffer {
  const json = Buffer.from(JSON.stringify(snapshot));
  const { bytes, words } = windowOf(Buffer.alloc(HEADER_BYTES));
  MAGIC.copy(bytes);
  words[2] = salt;
  words[3] = json.length;
  words[4] = crc32c(json);
  words[5] = crc32c(bytes.subarray(0, 20));
  return Buffer.concat([bytes, json]);
}

/** Reads a stored snapshot, or answers `null` when it is not whole or belongs to another ledger. */
export function decodeSnapshot(stored: Uint8Array, salt: number): Snapshot | null {
  if (stored.length < HEADER_BYTES) return null;
  const { bytes, words } = windowOf(stored);
  const json = bytes.subarray(HEADER_BYTES);
  const holds = MAGIC.equals(bytes.subarray(0, 8)) && words[2] === salt && words[5] === crc32c(bytes.subarray(0, 20));
  if (!holds || words[3] !== json.length || words[4] !== crc32c(json)) return null;
  return JSON.parse(json.toString('utf8')) as Snapshot;
}

/**
 * Writes a snapshot so that it is there wholly or not at all, then removes those that are no longer needed. Returns the bytes that all of
 * them take.
 */
export async function writeSnapshot(disk: Disk, directory: string, stored: Buffer, frame: number): Promise<number> {
  const beside = `${directory}/new`;
  const file = await disk.open(beside, 'create');
  try {
    await file.truncate(0);
    await file.write(stored, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(beside, `${directory}/${snapshotName(frame)}`);
  await disk.syncDirectory(directory);
  const names = await snapshotNames(disk, directory);
  for (const name of names.slice(KEPT)) await disk.remove(`${directory}/${name}`);
  let bytes = 0;
  for (const name of names.slice(0, KEPT)) bytes += (await disk.length(`${directory}/${name}`)) ?? 0;
  return bytes;
}

/** The newest snapshot that holds, or `null`. Damaged ones are named in the log: the frames that they would have saved are read instead. */
export async function readNewestSnapshot(disk: Disk, directory: string, salt: number, log: Log): Promise<Snapshot | null> {
  for (const name of await snapshotNames(disk, directory)) {
    const snapshot = await readSnapshot(disk, `${directory}/${name}`, salt);
    if (snapshot !== null && snapshotName(snapshot.frame) === name) return snapshot;
    log.warn('a snapshot of the ledger is damaged and was passed over', { file: `${directory}/${name}` });
  }
  return null;
}

async function readSnapshot(disk: Disk, path: string, salt: number): Promise<Snapshot | null> {
  try {
    const file = await disk.open(path, 'read');
    try {
      return decodeSnapshot(await file.read(0, await file.length()), salt);
    } finally {
      await file.close();
    }
  } catch (error) {
    // A snapshot is only a short cut: where its file cannot be read, the frames can.
    if (isWaybillError(error)) return null;
    throw error;
  }
}

/** The names of all snapshots, newest first. */
async function snapshotNames(disk: Disk, directory: string): Promise<readonly string[]> {
  return (await disk.list(directory)).filter((name) => /^\d{20}\.snap$/.test(name)).toReversed();
}

function snapshotName(frame: number): string {
  return `${String(frame).padStart(20, '0')}.snap`;
}
