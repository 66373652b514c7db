import { useEffect, useRef, useState } from 'react';
import type { Client } from '../api/client.ts';
import type { EntryLine } from '../api/shapes.ts';
import { describeEntry, type EntryView } from '../entries/describe.ts';

/** How many entries are shown. */
export const SHOWN = 14;
/** How many entries a second are worth being followed one by one; of more, only the newest are asked for now and then. */
export const FOLLOWED_MAX = 300;

const AGAIN_MS = 1_000;
/** How often the list changes: often enough to be live, seldom enough to be read. */
const CALM_MS = 250;

/** Where the list stands. */
export interface EntriesFacts {
  readonly durable: number;
  readonly beginning: number;
  /** Whether the server answers. */
  readonly live: boolean;
  /** Keeps the list as it is. */
  readonly held: boolean;
  /** Whether the ledger grows faster than anybody reads. */
  readonly fast: boolean;
}

/** The newest entries, the newest first: followed as they become durable, or, of very many, the newest now and then. */
export function useEntries(client: Client, { durable, beginning, live, held, fast }: EntriesFacts): readonly EntryView[] {
  const [entries, setEntries] = useState<readonly EntryView[]>([]);
  const newest = useRef({ durable, beginning });
  newest.current = { durable, beginning };

  useEffect(() => {
    if (held || fast || !live) return undefined;
    const stop = new AbortController();
    const { durable: size, beginning: first } = newest.current;
    void followCalmly(client, Math.max(first, size - SHOWN), setEntries, stop.signal);
    return () => stop.abort();
  }, [client, live, held, fast]);

  const asked = fast && live && !held ? durable : null;
  useEffect(() => {
    if (asked === null || asked === 0) return undefined;
    const stop = new AbortController();
    client.entries(Math.max(newest.current.beginning, asked - SHOWN), SHOWN, stop.signal).then(
      (lines) => {
        if (!stop.signal.aborted) setEntries(shown(lines));
      },
      // The connection is shown elsewhere; the list stays as it was.
      () => {},
    );
    return () => stop.abort();
  }, [client, asked]);
  return entries;
}

/** Follows the ledger and shows what came a few times a second; begins again behind the last entry when it is broken off. */
async function followCalmly(
  client: Client,
  from: number,
  show: (entries: readonly EntryView[]) => void,
  signal: AbortSignal,
): Promise<void> {
  let next = from;
  let kept: readonly EntryLine[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener('abort', () => clearTimeout(timer));
  const take = (lines: readonly EntryLine[]): void => {
    kept = [...kept, ...lines].slice(-SHOWN);
    next = (kept.at(-1)?.index ?? next - 1) + 1;
    timer ??= setTimeout(() => {
      timer = undefined;
      show(shown(kept));
    }, CALM_MS);
  };
  while (!signal.aborted) {
    await client.follow(next, take, signal).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function shown(lines: readonly EntryLine[]): readonly EntryView[] {
  return lines.map(describeEntry).toReversed();
}
