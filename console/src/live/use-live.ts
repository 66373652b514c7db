import { useEffect, useState } from 'react';
import { ApiError, type Client } from '../api/client.ts';
import type { Demo } from '../api/shapes.ts';
import { type History, withSample } from './samples.ts';

/** Whether the server answers. `refused`: it wants another token. */
export type Connection = 'opening' | 'live' | 'gone' | 'refused';

/** What is known of the server now. */
export interface Live {
  readonly connection: Connection;
  /** Since when the server has not answered, in milliseconds since 1970. */
  readonly goneSince: number | null;
  readonly history: History;
  readonly demo: Demo | null;
}

const EVERY_MS = 500;
/** A page that nobody looks at asks rarely. */
const HIDDEN_MS = 5_000;

const NOTHING: Live = { connection: 'opening', goneSince: null, history: [], demo: null };

/** Asks the server again and again for how it stands. */
export function useLive(client: Client, withDemo: boolean): Live {
  const [live, setLive] = useState<Live>(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    setLive(NOTHING);
    void follow(client, withDemo, setLive, stop.signal);
    return () => stop.abort();
  }, [client, withDemo]);
  return live;
}

async function follow(
  client: Client,
  withDemo: boolean,
  setLive: (change: (live: Live) => Live) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const [status, demo] = await Promise.all([client.status(signal), withDemo ? client.demo(signal) : null]);
      if (signal.aborted) return;
      const sample = { at: performance.now(), status };
      setLive(({ history }) => ({ connection: 'live', goneSince: null, history: withSample(history, sample), demo }));
    } catch (error) {
      if (signal.aborted) return;
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      setLive((live) => ({
        ...live,
        connection: refused ? 'refused' : 'gone',
        goneSince: refused ? null : (live.goneSince ?? Date.now()),
      }));
      // Asking again with the same token would be refused again.
      if (refused) return;
    }
    await pause(document.hidden ? HIDDEN_MS : EVERY_MS, signal);
  }
}

/** Waits, but not longer than until somebody looks at the page again. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const shown = (): void => {
      if (!document.hidden) done();
    };
    const timer = setTimeout(done, ms);
    document.addEventListener('visibilitychange', shown);
    signal.addEventListener('abort', done);
  });
}
