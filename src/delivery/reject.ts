import { assert } from '../contracts/assert.ts';
import type { Index } from '../contracts/units.ts';
import type { Account } from './account.ts';
import { batchAt } from './lanes.ts';
import { record } from './recording.ts';
import { batchesOf, type Failure, type Fault, halt, type OpenBatch, set, setBatches, type Work } from './state.ts';
import { endSide } from './streams.ts';

/** So many entries refused alone, one after the other, mean that the destination is at fault and not the entries. */
export const REFUSED_IN_A_ROW = 3;

/** So many entries may be set aside at a time in all: the account that lists them stays small. */
export const QUARANTINE_TOTAL_MAX = 10_000;

/** So much of an answer is kept beside an entry that is set aside, in characters. */
const MESSAGE_MAX = 240;

const HOUR_MS = 3_600_000;

/** Goes on after the destination said that it will never take something in this batch: narrow it down, then stop or set aside. */
export function refuse(work: Work, failure: Failure): void {
  const { lane, from, fault } = failure;
  const batch = batchAt(work.state, lane, from);
  assert(batch !== undefined, `the refused batch at ${from} is not open`);
  if (batch.count > 1) return narrow(work, failure, batch);
  // A batch without records was refused: there is no entry to blame.
  if (failure.middle === null) return halt(work, fault);
  if (lane === 'side') return endSide(work, 'refused', { index: failure.middle, code: fault.code });
  if (work.state.rules.onReject === 'halt') return halt(work, fault);
  setAside(work, failure, batch, failure.middle);
}

/** Splits a batch in halves, or around the entry that the destination named. Its identity ends; the parts get their own. */
function narrow(work: Work, failure: Failure, batch: OpenBatch): void {
  const { middle } = failure;
  assert(middle !== null && middle >= batch.from && middle < batch.through, `no middle of [${batch.from}, ${batch.through}]`);
  const [named] = failure.refused;
  const around = named === undefined ? [middle] : [named - 1, named];
  close(work, failure, batch, [...around, batch.through].filter((fence) => fence >= batch.from) as Index[]);
}

function setAside(work: Work, failure: Failure, batch: OpenBatch, index: Index): void {
  const { account, rules } = work.state;
  if (account.aside.length + 1 >= REFUSED_IN_A_ROW) {
    const first = account.aside[0]?.index ?? index;
    close(work, failure, batch, []);
    record(work, { type: 'restored' });
    return halt(work, limit(`${REFUSED_IN_A_ROW} entries in a row were refused, from index ${first} on: ${failure.fault.message}`));
  }
  if (setAsideLately(account, failure.at) >= rules.quarantineMax) {
    return halt(work, limit(`${rules.quarantineMax} entries were set aside within an hour, and now index ${index} was refused`));
  }
  const total = account.quarantine.reduce((sum, kept) => sum + kept.through - kept.from + 1, account.aside.length);
  if (total >= QUARANTINE_TOTAL_MAX) {
    return halt(work, limit(`${QUARANTINE_TOTAL_MAX} entries are set aside, and now index ${index} was refused`));
  }
  close(work, failure, batch, []);
  const { code, message } = failure.fault;
  record(work, { type: 'aside', index, code, message: message.slice(0, MESSAGE_MAX), control: failure.control, at: failure.at });
}

function setAsideLately(account: Account, at: number): number {
  return account.asideTimes.filter((time) => time > at - HOUR_MS).length + account.aside.length;
}

/** Ends a refused batch. Batches after it that were never sent are cut again, so that what is set aside can ride on the next one. */
function close(work: Work, failure: Failure, batch: OpenBatch, fences: readonly Index[]): void {
  const { lane, fault } = failure;
  record(work, { type: 'rejected', lane, from: batch.from, code: fault.code, fences });
  const asks = work.state.rules.dedupe === 'position';
  const kept = batchesOf(work.state, lane).filter((open) => {
    if (open.from === batch.from) return false;
    const unsent = open.tries === 0 && !open.doubt && open.phase === 'waiting';
    if (unsent && !asks) record(work, { type: 'withdrawn', lane, from: open.from, doubt: false });
    return !unsent && !asks;
  });
  setBatches(work, lane, kept);
  set(work, { barren: null });
}

function limit(message: string): Fault {
  return { code: 'QUARANTINE_LIMIT', message, remedy: 'halt', unknown: false };
}
