import type { Ports } from '../contracts/ports.ts';

/** How much the file system of the ledger still takes, looked at now and then. */
export interface FreeSpace {
  /** In bytes; `null` while nobody could tell. */
  bytes(): number | null;
  close(): Promise<void>;
}

const EVERY_MS = 30_000;

/** Looks at once, and then every half minute. */
export async function watchFreeSpace(path: string, ports: Pick<Ports, 'clock' | 'disk' | 'log'>): Promise<FreeSpace> {
  const stop = new AbortController();
  let bytes: number | null = null;
  const look = async (): Promise<void> => {
    try {
      bytes = await ports.disk.available(path);
    } catch (error) {
      bytes = null;
      ports.log.warn('the free space of the ledger could not be looked at', { path, error: String(error) });
    }
  };
  const watch = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await ports.clock.sleep(EVERY_MS, stop.signal).catch(() => {});
      if (!stop.signal.aborted) await look();
    }
  };
  await look();
  const watching = watch();
  return {
    bytes: () => bytes,
    async close() {
      stop.abort();
      await watching;
    },
  };
}
