import { constants, fstatSync, open } from 'node:fs';
import { mkdir, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Disk } from '../contracts/ports.ts';
import { diskError, isMissing } from './disk-error.ts';
import { RealDiskFile } from './disk-file.ts';
import { takeLock } from './disk-lock.ts';
import { DiskPool } from './disk-pool.ts';
import { type DiskChanges, DiskWriter } from './disk-writer.ts';
import { syncPath } from './sync-path.ts';

const openDescriptor = promisify(open);

const OPEN_FLAGS = {
  create: constants.O_RDWR | constants.O_CREAT,
  existing: constants.O_RDWR,
  read: constants.O_RDONLY,
} as const;

/** Audit data is for its owner and its group, whatever the umask allows. */
const FILE_MODE = 0o640;
const DIRECTORY_MODE = 0o750;

/**
 * The disk of this machine. Its files are changed by one `thread` of its own, which starts with the first write and ends with `close`; or
 * through the thread `pool`, which costs nothing while there is nothing to do, for writers whose delay nobody notices.
 */
export function openDisk(changedBy: 'thread' | 'pool' = 'thread'): Disk & { close(): Promise<void> } {
  let writer: DiskChanges | null = null;
  const startedWriter = (): DiskChanges => (writer ??= changedBy === 'thread' ? new DiskWriter() : new DiskPool());
  return {
    async open(path, mode) {
      const descriptor = await attempt('open', path, () => openDescriptor(path, OPEN_FLAGS[mode], FILE_MODE));
      return new RealDiskFile(descriptor, path, fstatSync(descriptor).size, startedWriter);
    },
    list: (directory) => attempt('list', directory, async () => (await readdir(directory)).sort(), []),
    length: (path) => attempt('measure', path, async () => (await stat(path)).size, null),
    makeDirectory: (path) => attempt('create', path, () => makeDurableDirectory(path)),
    rename: (from, to) => attempt('rename', from, () => rename(from, to)),
    remove: (path) => attempt('remove', path, () => unlink(path), undefined),
    syncDirectory: (path) => attempt('flush', path, () => syncPath(path)),
    available: (path) =>
      attempt('measure the space of', path, async () => {
        const { bavail, bsize } = await statfs(path);
        return bavail * bsize;
      }),
    lock: async (path) => takeLock(path),
    async close() {
      await writer?.close();
      writer = null;
    },
  };
}

/** Runs a file operation and names it when it fails. With `missing`, that is the answer when there is nothing at the path. */
async function attempt<Out>(
  verb: string,
  path: string,
  operation: () => Promise<Out>,
  ...missing: readonly [] | readonly [Out]
): Promise<Out> {
  try {
    return await operation();
  } catch (error) {
    if (missing.length === 1 && isMissing(error)) return missing[0];
    throw diskError(verb, path, error);
  }
}

/**
 * Creates a directory and those above it, and flushes their names: also of those that are there already, because a process that was killed
 * between making and flushing one leaves it like that.
 */
async function makeDurableDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  const top = first === undefined ? null : dirname(resolve(first));
  let made = top !== null;
  for (let parent = dirname(resolve(path)); ; parent = dirname(parent)) {
    // Whoever may not read a directory has not made one in it.
    await syncPath(parent).catch((error: unknown) => {
      if (made || !isForbidden(error)) throw error;
    });
    if (parent === top) made = false;
    if (parent === dirname(parent)) return;
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && ['EACCES', 'EPERM', 'EROFS'].includes(error.code);
}
