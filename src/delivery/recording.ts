import { applyRecord } from './apply.ts';
import type { JournalRecord } from './records.ts';
import { set, type Work } from './state.ts';

/** Folds a record into the account and has it journalled. Returns its number. */
export function record(work: Work, fact: JournalRecord): number {
  const account = applyRecord(work.state.account, fact);
  set(work, { account });
  work.commands.push({ type: 'journal', record: fact, number: account.records });
  return account.records;
}
