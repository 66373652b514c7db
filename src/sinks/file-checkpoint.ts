import { dirname } from 'node:path';
import type { Disk } from '../contracts/ports.ts';
import type { SinkCheckpoint } from '../contracts/sink.ts';
import { NOTE_BYTES_MAX, refuseConflict } from './checkpoint-head.ts';

/** The file beside that holds the newest checkpoint, which covers the lines of those that were set apart too. */
export function checkpointPath(path: string): string {
  return `${path}.checkpoint`;
}

/**
 * Puts a checkpoint beside the file. Whoever looks finds the old one whole or the new one whole, also after a power cut. Rejects like
 * `refuseConflict`, and like a disk.
 */
export async function putCheckpoint(disk: Disk, path: string, checkpoint: SinkCheckpoint): Promise<void> {
  const place = checkpointPath(path);
  const there = await read(disk, place);
  if (there !== null) refuseConflict(place, there, checkpoint);
  const beside = `${place}.new`;
  const file = await disk.open(beside, 'create');
  try {
    await file.truncate(0);
    await file.commit(Buffer.from(checkpoint.note), 0);
  } finally {
    await file.close();
  }
  await disk.rename(beside, place);
  await disk.syncDirectory(dirname(path));
}

async function read(disk: Disk, path: string): Promise<string | null> {
  if ((await disk.length(path)) === null) return null;
  const file = await disk.open(path, 'read');
  try {
    return Buffer.from(await file.read(0, NOTE_BYTES_MAX)).toString('utf8');
  } finally {
    await file.close();
  }
}
