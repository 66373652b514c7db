import { assert } from '../contracts/assert.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Index } from '../contracts/units.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { readEntry } from './envelope-read.ts';
import type { SourceNames } from './names.ts';
import type { Work } from './sequencer-work.ts';
import { asBuffer } from './sequencer-work.ts';

/** What an entry that may have an event's identity turned out to be. `pruned`: nobody can tell any more. */
export type StoredVerdict = 'same' | 'other-event' | 'other-identity' | 'pruned';

/** The entries that were compared for one submission. Entries never change, so a verdict stays true. */
export interface StoredVerdicts {
  get(at: number, index: Index): StoredVerdict | undefined;
}

/** Verdicts that can be added to. */
export interface StoredComparison extends StoredVerdicts {
  /**
   * Waits until these entries are durable and compares each with the event at its place.
   * Only then may anybody be told that an event is a duplicate: an entry in flight can still be lost.
   */
  compare(wanted: readonly { readonly at: number; readonly index: Index }[], signal: AbortSignal): Promise<void>;
}

type StoredLedger = Pick<Ledger, 'size' | 'beginning' | 'waitBeyond' | 'read'>;

const READ_BYTES = 1 << 20;
/** Entries that nobody asked for but that are read along, because one longer read is cheaper than two. */
const READ_ALONG = 16;

/** Begins a comparison for one submission. */
export function createComparison(work: Work, ledger: StoredLedger, names: Pick<SourceNames, 'all'>): StoredComparison {
  const verdicts = new Map<number, Map<Index, StoredVerdict>>();

  function note(at: number, index: Index, verdict: StoredVerdict): void {
    const known = verdicts.get(at) ?? new Map<Index, StoredVerdict>();
    known.set(index, verdict);
    verdicts.set(at, known);
  }

  return {
    get: (at, index) => verdicts.get(at)?.get(index),
    async compare(wanted, signal) {
      const sorted = wanted.toSorted((a, b) => a.index - b.index);
      const last = sorted.at(-1);
      if (last !== undefined && last.index >= ledger.size()) await ledger.waitBeyond(asSize(last.index), signal);
      let next = 0;
      while (next < sorted.length) {
        signal.throwIfAborted();
        const { at, index } = sorted[next] as (typeof sorted)[number];
        if (index < ledger.beginning()) {
          note(at, index, 'pruned');
          next += 1;
          continue;
        }
        const batch = await readStored(ledger, index, runLength(sorted, next));
        if (batch === null) continue;
        assert(batch.count > 0, `entry ${index} is durable and can be read`);
        const bytes = asBuffer(batch.bytes);
        for (; next < sorted.length; next++) {
          const item = sorted[next] as (typeof sorted)[number];
          const k = item.index - batch.first;
          if (k >= batch.count) break;
          note(item.at, item.index, judge(work, names, item.at, bytes, batch.starts[k] as number, batch.ends[k] as number));
        }
      }
    },
  };
}

/** `null` when the entry was pruned between the look at the beginning and the read. */
async function readStored(ledger: StoredLedger, index: Index, entries: number) {
  try {
    return await ledger.read(asIndex(index), { entries, bytes: READ_BYTES });
  } catch (error) {
    if (isWaybillError(error) && error.code === 'LEDGER_PRUNED') return null;
    throw error;
  }
}

function runLength(sorted: readonly { readonly index: Index }[], from: number): number {
  const first = (sorted[from] as { readonly index: Index }).index;
  let through = first;
  for (let k = from + 1; k < sorted.length; k++) {
    const { index } = sorted[k] as { readonly index: Index };
    if (index > through + READ_ALONG) break;
    through = index;
  }
  return through - first + 1;
}

function judge(work: Work, names: Pick<SourceNames, 'all'>, at: number, entry: Buffer, start: number, end: number): StoredVerdict {
  const { ids, idStarts, idEnds, bytes, starts, ends } = work.columns;
  const parts = readEntry(entry, start, end);
  if (parts.source !== work.source && !names.all(work.source).includes(parts.source)) return 'other-identity';
  if (ids.compare(entry, parts.idStart, parts.idEnd, idStarts[at], idEnds[at]) !== 0) return 'other-identity';
  return bytes.compare(entry, parts.eventStart, parts.eventEnd, starts[at], ends[at]) === 0 ? 'same' : 'other-event';
}
