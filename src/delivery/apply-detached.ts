import { assert } from '../contracts/assert.ts';
import type { Index } from '../contracts/units.ts';
import { type Account, next } from './account.ts';
import { declare } from './quarantine.ts';
import type { TargetRecord } from './records.ts';

/** What is needed next, through an index, goes from the ledger: one gap entry tells what the destination will never get from here. */
export function detach(account: Account, through: Index): Account {
  const { live, detached } = account;
  const from = detached === null ? live.cursor : next(detached.through);
  assert(account.side === null, 'old entries are not sent again while the destination is detached');
  assert(through >= from, `detached through ${through}, where everything below ${from} is accounted for`);
  assert(
    live.open.every((intent) => intent.done || intent.from > through),
    `a batch below ${through} is open`,
  );
  const aside = account.aside.filter(({ index }) => index > through);
  const fences = live.fences.filter((fence) => fence > through);
  return lose({ ...account, aside, live: { ...live, fences }, detached: { through, held: true } }, from, through);
}

/** An operator lets the destination go on behind what is gone; that may have grown meanwhile. */
export function attach(account: Account, through: Index): Account {
  const { detached } = account;
  assert(detached?.held === true && through >= detached.through, 'only what is detached goes on, behind what is gone');
  const after = { ...account, detached: { through, held: false } };
  return through === detached.through ? after : lose(after, next(detached.through), through);
}

/** What is known of the old target is not true of a new one; what was begun there is not begun here. */
export function applyTarget(account: Account, { target, used, cursor }: TargetRecord): Account {
  const before = account.target;
  const named = { ...account, target: { text: target, used } };
  if (before === null || before.text === target) return named;
  assert(account.side === null && used !== null, 'a target changes by a word of the configuration, while no old entries are sent again');
  const facts = { change: used, cursor: account.live.cursor, before: before.text, target };
  const left = { ...named, acknowledged: false, receipt: null, stands: null };
  if (cursor === null) return declare(left, 'destination.target_changed', facts);
  const empty = { live: { cursor, open: [], fences: [] }, aside: [], quarantine: [], asideTimes: [], detached: null };
  return declare({ ...left, ...empty }, 'destination.target_changed', { ...facts, from: cursor });
}

/** Calls for the gap entry over [from, through]. What was taken there, while something before it was not, is not lost. */
function lose(account: Account, from: Index, through: Index): Account {
  const had = account.live.open.filter(({ done }) => done);
  const kept = had.reduce((sum, intent) => sum + Math.max(0, Math.min(intent.through, through) - Math.max(intent.from, from) + 1), 0);
  return declare(account, 'destination.detached', { from, through, count: through - from + 1 - kept });
}
