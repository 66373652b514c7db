import type { Start } from '../config/config.ts';
import type { Ledger } from '../contracts/ledger.ts';
import { asIndex, type Index } from '../contracts/units.ts';
import { readEntry, receivedAtOf } from '../intake/envelope-read.ts';

/**
 * Where a destination without a cursor begins. A time means the first entry that was received then or later; what comes next when there
 * is none.
 */
export async function startIndex(start: Start, ledger: Pick<Ledger, 'read' | 'size' | 'beginning'>): Promise<'beginning' | 'now' | Index> {
  if (start.at === 'index') return asIndex(start.index);
  return start.at === 'time' ? firstReceivedFrom(start.timeMs, ledger) : start.at;
}

/**
 * The first index that was received at a time (milliseconds since 1970) or later; the size of the ledger when there is none. Entries are
 * ordered by `received_at`, so some twenty reads find the place among a million.
 */
export async function firstReceivedFrom(timeMs: number, ledger: Pick<Ledger, 'read' | 'size' | 'beginning'>): Promise<Index> {
  let low: number = ledger.beginning();
  let high: number = ledger.size();
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await receivedAt(asIndex(middle), ledger)) < timeMs) low = middle + 1;
    else high = middle;
  }
  return asIndex(low);
}

/** When the entry at an index was received, in milliseconds since 1970. */
export async function receivedAt(index: Index, ledger: Pick<Ledger, 'read'>): Promise<number> {
  const { bytes, starts, ends } = await ledger.read(index, { entries: 1, bytes: 1 });
  const entry = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return receivedAtOf(entry, readEntry(entry, starts[0] ?? 0, ends[0] ?? 0));
}
