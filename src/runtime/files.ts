import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import type { FileFacts, Files, ForeignFile } from '../contracts/ports.ts';
import { diskError, isMissing } from './disk-error.ts';

/** The files of other programs on this machine. */
export const foreignFiles: Files = {
  async list(directory) {
    const names = await attempt('list', directory, () => readdir(directory));
    return names === null ? null : names.sort();
  },
  async stat(path) {
    const stats = await attempt('look at', path, () => stat(path, { bigint: true }));
    return stats === null ? null : factsOf(stats);
  },
  async open(path) {
    // Without O_NONBLOCK a named pipe that nobody writes to would hold the thread for ever.
    const handle = await attempt('open', path, () => open(path, constants.O_RDONLY | constants.O_NONBLOCK));
    return handle === null ? null : openFile(handle, path);
  },
};

function openFile(handle: FileHandle, path: string): ForeignFile {
  return {
    stat: () => named('look at', path, async () => factsOf(await handle.stat({ bigint: true }))),
    read: (at, length) =>
      named('read', path, async () => {
        const bytes = Buffer.allocUnsafeSlow(length);
        let filled = 0;
        while (filled < length) {
          const { bytesRead } = await handle.read(bytes, filled, length - filled, at + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      }),
    close: () => named('close', path, () => handle.close()),
  };
}

function factsOf(stats: BigIntStats): FileFacts {
  return {
    device: String(stats.dev),
    inode: String(stats.ino),
    bytes: Number(stats.size),
    // Fractions tell two changes within a millisecond apart.
    modifiedMs: Number(stats.mtimeNs) / 1e6,
    regular: stats.isFile(),
  };
}

/** Runs an operation; `null` when there is nothing at the path. */
async function attempt<Out>(verb: string, path: string, operation: () => Promise<Out>): Promise<Out | null> {
  try {
    return await operation();
  } catch (error) {
    if (isMissing(error)) return null;
    throw diskError(verb, path, error);
  }
}

async function named<Out>(verb: string, path: string, operation: () => Promise<Out>): Promise<Out> {
  try {
    return await operation();
  } catch (error) {
    throw diskError(verb, path, error);
  }
}
