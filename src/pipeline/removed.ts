import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Index } from '../contracts/units.ts';
import { type Account, newAccount } from '../delivery/account.ts';
import type { DestinationStatus } from '../delivery/destination.ts';
import { fold } from '../delivery/fold.ts';
import { journalKey } from '../delivery/records.ts';
import { statusOf } from '../delivery/status.ts';
import { openState } from '../delivery/step.ts';
import type { Intake } from '../intake/sequencer.ts';

/** Destinations that are not in the configuration any more: what is known about them is kept until somebody says otherwise. */
export interface RemovedDestinations {
  /** What each has, by name. */
  list(): ReadonlyMap<string, DestinationStatus>;
  /**
   * Forgets one for good, after the control entry that says so. Rejects with `COMMAND_REFUSED` for one that is configured, and with
   * `DESTINATION_UNKNOWN` for one that was never there.
   */
  forget(name: string): Promise<void>;
  /** Has to be called when the configuration changed: what comes back may go on, and be removed again later. */
  changed(): void;
}

const PREFIX = journalKey('');

/** Finds removed destinations in the journal. `configured` says whether there is a destination of this name now. */
export function openRemoved(
  ledger: Pick<Ledger, 'journal' | 'size' | 'beginning'>,
  intake: Pick<Intake, 'control'>,
  configured: (name: string) => boolean,
): RemovedDestinations {
  const { journal } = ledger;
  // Nobody writes to a removed one, so it is folded once.
  const folded = new Map<string, Account | null>();

  function names(): string[] {
    const all = journal.keys().filter((key) => key.startsWith(PREFIX));
    const removed = all.map((key) => key.slice(PREFIX.length)).filter((name) => !configured(name));
    for (const name of folded.keys()) if (!removed.includes(name)) folded.delete(name);
    return removed;
  }

  function accountOf(name: string): Account | null {
    const known = folded.get(name);
    if (known !== undefined) return known;
    const account = readable(journal.load(journalKey(name)));
    folded.set(name, account);
    return account;
  }

  return {
    changed: () => folded.clear(),
    list: () => new Map(names().map((name) => [name, statusOfRemoved(accountOf(name), ledger)])),
    async forget(name) {
      if (configured(name)) {
        throw new WaybillError(
          'COMMAND_REFUSED',
          `${name} is in the configuration: take it out, run \`waybill reload\`, and forget it then`,
        );
      }
      if (!names().includes(name)) throw new WaybillError('DESTINATION_UNKNOWN', `there is no destination ${name}, and none was removed`);
      const account = accountOf(name);
      const key = `${account?.bornAs ?? name}:${account?.born ?? 0}`;
      // What it had to declare is declared first: nothing is left out in silence, not even now.
      for (const { type, facts, record } of account?.outbox ?? []) {
        await intake.control(type, { destination: name, ...facts }, `${key}:${record}`);
      }
      const held = account === null ? {} : { cursor: account.live.cursor, quarantined: quarantinedIn(account) };
      await intake.control('destination.forgotten', { destination: name, ...held }, `${key}:forgotten`);
      if (configured(name)) throw new WaybillError('COMMAND_REFUSED', `${name} came back into the configuration`);
      await journal.forget(journalKey(name));
      folded.delete(name);
    },
  };
}

/** A journal that does not add up can only be forgotten. */
function readable({ state, records }: { readonly state: string | null; readonly records: readonly string[] }): Account | null {
  try {
    return fold(state, records);
  } catch (error) {
    if (isWaybillError(error) && error.code === 'JOURNAL_INVALID') return null;
    throw error;
  }
}

function statusOfRemoved(account: Account | null, ledger: Pick<Ledger, 'size' | 'beginning'>): DestinationStatus {
  const known = account ?? newAccount(0 as Index, 0);
  const facts = { size: ledger.size(), beginning: ledger.beginning(), attempts: 0, retryAt: null };
  return { ...statusOf(openState(known, known.records), null, facts), state: 'removed', head: null };
}

function quarantinedIn({ quarantine }: Account): number {
  return quarantine.reduce((sum, { from, through }) => sum + through - from + 1, 0);
}
