import { assert, BrokenInvariant } from '../contracts/assert.ts';
import { type Account, newAccount } from './account.ts';
import { applyRecord } from './apply.ts';
import { type JournalRecord, journalInvalid, parseJournal, parseRecords, type RenamedRecord } from './records.ts';

/**
 * Rebuilds an account from the last folded state (or `null`) and the journal entries since; `null` when there is neither.
 * Records that the state already holds are passed over, so it does not matter which of the two was written first.
 * Throws `JOURNAL_INVALID` when the journal does not add up.
 */
export function fold(stateText: string | null, entries: readonly string[]): Account | null {
  let account = stateText === null ? null : parseAccount(stateText);
  for (const entry of entries) {
    const { first, records } = parseRecords(entry);
    for (const [place, record] of records.entries()) account = foldRecord(account, first + place, record);
  }
  return account;
}

/** Writes an account as the folded state that `fold` reads. */
export function accountText(account: Account): string {
  return JSON.stringify(account);
}

/** What a state and the entries since it add up to, as text. The key has one of the two at least. */
export function foldText({ state, records }: { readonly state: string | null; readonly records: readonly string[] }): string {
  const account = fold(state, records);
  assert(account !== null, 'a key that is folded has something to fold');
  return accountText(account);
}

function foldRecord(account: Account | null, number: number, record: JournalRecord): Account {
  if (account !== null && number <= account.records) return account;
  if (account === null && record.type === 'renamed') return renamedAccount(number, record);
  const expected = account === null ? 1 : account.records + 1;
  if (number !== expected) throw journalInvalid(`delivery record ${number} was found where ${expected} is next`);
  if (account !== null) return applyChecked(account, record);
  if (record.type !== 'began') throw journalInvalid(`a delivery journal begins with ${record.type}`);
  if (record.v !== 1) throw journalInvalid(`the delivery journal has version ${String(record.v)}, and this program reads version 1`);
  return newAccount(record.cursor, record.at);
}

/** In a running process a record that does not fit is a mistake of this program; in a journal it is damage, or another version's. */
function applyChecked(account: Account, record: JournalRecord): Account {
  try {
    return applyRecord(account, record);
  } catch (error) {
    if (!(error instanceof BrokenInvariant)) throw error;
    throw journalInvalid(`delivery record ${account.records + 1} (${record.type}) does not fit: ${error.message}`, error);
  }
}

function parseAccount(text: string): Account {
  const parsed = parseJournal(text);
  if (typeof parsed !== 'object' || parsed === null || !('v' in parsed) || parsed.v !== 1) {
    throw journalInvalid('the delivery state is not one of version 1');
  }
  return parsed as Account;
}

/** What was known under the old name goes on under the new one. */
function renamedAccount(number: number, { from, account }: RenamedRecord): Account {
  const known = parseAccount(JSON.stringify(account));
  if (number !== known.records + 1) throw journalInvalid(`delivery record ${number} renames what has ${known.records} records`);
  return { ...known, records: number, bornAs: known.bornAs ?? from, renamedFrom: from };
}
