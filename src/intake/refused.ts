import { hash } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { Disk } from '../contracts/ports.ts';

/** The bytes of events that nobody could be refused: one file for each, named by its SHA-256. */
export interface RefusedEvents {
  /**
   * Keeps the bytes and resolves with their SHA-256 once they survive a loss of power. Bytes that are kept already cost nothing.
   * Rejects with `REFUSED_FULL` when there is no room for them.
   */
  keep(bytes: Uint8Array): Promise<string>;
  /** How many bytes of the directory are used, each file rounded up to whole blocks. */
  bytes(): number;
}

/** How many bytes are kept of refused events before the source halts. */
export const REFUSED_BYTES_MAX = 64 << 20;

const BLOCK = 4_096;
const NAME = /^[0-9a-f]{64}$/;

/** Opens the directory, which is made when the first event is kept, and clears what a crash left half-written. */
export async function openRefused(path: string, disk: Disk, bytesMax = REFUSED_BYTES_MAX): Promise<RefusedEvents> {
  const kept = new Set<string>();
  let used = 0;
  for (const name of await disk.list(path)) {
    if (name.endsWith('.tmp')) await disk.remove(`${path}/${name}`);
    if (!NAME.test(name)) continue;
    kept.add(name);
    used += blocks((await disk.length(`${path}/${name}`)) ?? 0);
  }
  const writing = new Map<string, Promise<void>>();

  async function write(name: string, bytes: Uint8Array): Promise<void> {
    await disk.makeDirectory(path);
    const half = `${path}/${name}.tmp`;
    const file = await disk.open(half, 'create');
    try {
      await file.truncate(0);
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(half, `${path}/${name}`);
    await disk.syncDirectory(path);
    kept.add(name);
  }

  return {
    bytes: () => used,
    async keep(bytes) {
      const name = hash('sha256', bytes, 'hex');
      if (kept.has(name)) return name;
      const underWay = writing.get(name);
      if (underWay !== undefined) {
        await underWay;
        return name;
      }
      const size = blocks(bytes.length);
      if (used + size > bytesMax) throw new WaybillError('REFUSED_FULL', `${path} holds ${used} bytes, of ${bytesMax}`);
      used += size;
      const written = write(name, bytes).finally(() => writing.delete(name));
      writing.set(name, written);
      try {
        await written;
      } catch (error) {
        used -= size;
        throw error;
      }
      return name;
    },
  };
}

function blocks(bytes: number): number {
  return Math.max(BLOCK, Math.ceil(bytes / BLOCK) * BLOCK);
}
