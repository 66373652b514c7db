import type { Ledger } from '../contracts/ledger.ts';
import type { Index } from '../contracts/units.ts';
import { neededFrom } from '../delivery/account.ts';
import { fold } from '../delivery/fold.ts';
import { journalKey } from '../delivery/records.ts';

/** Who still needs entries, and from which one on. */
export interface Holder {
  /** `removed`: a destination that is no longer in the configuration and was not forgotten. */
  readonly kind: 'destination' | 'removed' | 'identities' | 'tree';
  /** The name of a destination; empty for the others. */
  readonly name: string;
  readonly index: Index;
}

const KEY_PREFIX = journalKey('');

/**
 * What every destination that ever had a cursor needs next, by the records that the journal was handed: whoever writes to the journal
 * afterwards can rely on them. Not those that are detached: what they need is gone anyway.
 */
export function destinationHolders(journal: Ledger['journal'], configured: ReadonlySet<string>, beginning: Index): readonly Holder[] {
  const holders: Holder[] = [];
  for (const key of journal.keys()) {
    if (!key.startsWith(KEY_PREFIX)) continue;
    const name = key.slice(KEY_PREFIX.length);
    const { state, records } = journal.load(key);
    const account = fold(state, records);
    const index = account === null ? null : neededFrom(account);
    // What lies below the beginning is gone; the destination says so itself.
    if (index !== null && index >= beginning) holders.push({ kind: configured.has(name) ? 'destination' : 'removed', name, index });
  }
  return holders;
}

/** The one that needs the oldest entry; `null` when nobody needs anything below `to`. */
export function holderBelow(holders: readonly Holder[], to: number): Holder | null {
  let oldest: Holder | null = null;
  for (const holder of holders) if (holder.index < to && (oldest === null || holder.index < oldest.index)) oldest = holder;
  return oldest;
}
