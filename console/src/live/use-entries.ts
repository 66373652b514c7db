import { useEffect, useState } from 'react';
import type { Client } from '../api/client.ts';
import { describeEntry, type EntryView } from '../entries/describe.ts';

/** How many entries are shown. */
export const SHOWN = 14;

/**
 * The newest entries, the newest first. They are asked for whenever the ledger has grown; of a ledger that grows faster than anybody reads,
 * what lies between is left out. `held` keeps them as they are.
 */
export function useEntries(client: Client, durable: number, beginning: number, held: boolean): readonly EntryView[] {
  const [entries, setEntries] = useState<readonly EntryView[]>([]);
  useEffect(() => {
    if (held || durable === 0) return undefined;
    const stop = new AbortController();
    const from = Math.max(beginning, durable - SHOWN);
    client.entries(from, SHOWN, stop.signal).then(
      (lines) => {
        if (!stop.signal.aborted) setEntries(lines.map(describeEntry).toReversed());
      },
      // The connection is shown elsewhere; the list stays as it was.
      () => {},
    );
    return () => stop.abort();
  }, [client, durable, beginning, held]);
  return entries;
}
