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

/** How many snapshots are kept: the second is for the case that the newest does not hold. */
export const SNAPSHOTS_KEPT = 2;

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

/** A snapshot that is on the disk, and the oldest entry that a recovery from it needs. */
export interface KeptSnapshot {
  readonly frame: number;
  readonly needs: number;
}

/** What of a snapshot retention has to know. */
export function keptSnapshot({ frame, segment, journal }: Snapshot): KeptSnapshot {
  return { frame, needs: Math.min(segment, ...journal.map(([, { needs = segment }]) => needs)) };
}

/**
 * Writes a snapshot so that it is there wholly or not at all, then removes all others but those to be kept. Returns the bytes that the
 * rest takes.
 */
export async function writeSnapshot(disk: Disk, directory: string, stored: Buffer, frames: readonly number[]): Promise<number> {
  const [frame = 0] = frames;
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
  const kept = new Set(frames.map(snapshotName));
  let bytes = 0;
  for (const name of await snapshotNames(disk, directory)) {
    if (kept.has(name)) bytes += (await disk.length(`${directory}/${name}`)) ?? 0;
    else await disk.remove(`${directory}/${name}`);
  }
  return bytes;
}

/**
 * The snapshots that hold, newest first and at most so many as are kept. Damaged ones are named in the log: the frames that they would
 * have saved are read instead.
 */
export async function readSnapshots(disk: Disk, directory: string, salt: number, log: Log): Promise<readonly Snapshot[]> {
  const found: Snapshot[] = [];
  for (const name of await snapshotNames(disk, directory)) {
    if (found.length === SNAPSHOTS_KEPT) break;
    const snapshot = await readSnapshot(disk, `${directory}/${name}`, salt);
    if (snapshot !== null && snapshotName(snapshot.frame) === name) found.push(snapshot);
    else log.warn('a snapshot of the ledger is damaged and was passed over', { file: `${directory}/${name}` });
  }
  return found;
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
