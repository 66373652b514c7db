import { WaybillError } from '../contracts/errors.ts';
import type { Journal } from '../contracts/ledger.ts';
import { fold } from './fold.ts';
import { journalKey, recordsText } from './records.ts';

/**
 * Gives everything that is known about the destination `from` to the one that is called `to` from now on, once: what was given already is
 * not asked for again, and a process that dies in between finishes at its next start. Both must be closed. Rejects with `RENAME_REFUSED`
 * where there is nothing to give, or where `to` has a place of its own.
 */
export async function rename(journal: Pick<Journal, 'load' | 'append' | 'forget'>, from: string, to: string): Promise<void> {
  const old = accountOf(journal, from);
  const known = accountOf(journal, to);
  if (known !== null) {
    if (old === null) return;
    // The same life under both names: it was given, and the old name was not forgotten yet.
    if (known.renamedFrom === from && known.born === old.born) return journal.forget(journalKey(from));
    throw new WaybillError(
      'RENAME_REFUSED',
      `${to} has a cursor of its own, at ${known.live.cursor}, and so has ${from}, at ${old.live.cursor}`,
    );
  }
  if (old === null) throw new WaybillError('RENAME_REFUSED', `there is no cursor of ${from} that ${to} could take over`);
  await journal.append(journalKey(to), recordsText(old.records + 1, [{ type: 'renamed', from, account: old }]));
  await journal.forget(journalKey(from));
}

function accountOf(journal: Pick<Journal, 'load'>, name: string) {
  const { state, records } = journal.load(journalKey(name));
  return fold(state, records);
}
