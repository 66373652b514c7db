import { assert } from '../contracts/assert.ts';
import type { Index } from '../contracts/units.ts';
import { type Account, type Aside, type Declaration, next, type Quarantined } from './account.ts';
import type { JournalRecord } from './records.ts';

const HOUR_MS = 3_600_000;

/** Notes that an entry was refused alone. It is set aside for good at once if the destination has taken a later entry already. */
export function addAside(account: Account, record: Extract<JournalRecord, { type: 'aside' }>): Account {
  const { index, code, message, control, at } = record;
  assert(index >= account.live.cursor && account.aside.every((aside) => aside.index < index), `${index} cannot be set aside here`);
  const fences = account.live.fences.filter((fence) => fence > index);
  const after = { ...account, aside: [...account.aside, { index, code, message, control, at }], live: { ...account.live, fences } };
  const later = account.live.open.findLast((intent) => intent.done && intent.count > 0);
  return later === undefined ? after : setAsideBelow(after, later.through);
}

/** Makes the setting aside of everything below `index` final, and calls for one gap entry that covers it. */
export function setAsideBelow(account: Account, index: Index): Account {
  const final = account.aside.filter((aside) => aside.index < index);
  if (final.length === 0) return account;
  let quarantine = account.quarantine;
  for (const aside of final) quarantine = addQuarantined(quarantine, aside);
  const newest = final.reduce((latest, aside) => Math.max(latest, aside.at), 0);
  const asideTimes = [...account.asideTimes, ...final.map((aside) => aside.at)].filter((at) => at > newest - HOUR_MS);
  const after = { ...account, aside: account.aside.filter((aside) => aside.index >= index), quarantine, asideTimes };
  const told = final.filter((aside) => !aside.control);
  const first = told[0];
  const last = told.at(-1);
  if (first === undefined || last === undefined) return after;
  return declare(after, 'destination.gap', { from: first.index, through: last.index, count: told.length, code: first.code });
}

/** Takes the entries of [from, through] out of the quarantine. */
export function withoutRange(quarantine: readonly Quarantined[], from: Index, through: Index): readonly Quarantined[] {
  return quarantine.flatMap((kept) => {
    if (kept.through < from || kept.from > through) return [kept];
    const rest: Quarantined[] = [];
    if (kept.from < from) rest.push({ ...kept, through: (from - 1) as Index });
    if (kept.through > through) rest.push({ ...kept, from: next(through) });
    return rest;
  });
}

/** Calls for a control entry on behalf of the record that is being folded in. */
export function declare(account: Account, type: string, facts: Declaration['facts']): Account {
  return { ...account, outbox: [...account.outbox, { record: account.records, type, facts }] };
}

/** Notes that the control entry that `record` called for is in the ledger. */
export function declared(account: Account, record: number): Account {
  const first = account.outbox[0];
  assert(first !== undefined && first.record === record, `${record} is not the oldest undeclared record`);
  const { side } = account;
  const begins = side !== null && first.type === `${side.kind}.started` && first.facts['name'] === side.name;
  return { ...account, outbox: account.outbox.slice(1), side: begins ? { ...side, declared: true } : side };
}

function addQuarantined(quarantine: readonly Quarantined[], aside: Aside): readonly Quarantined[] {
  const last = quarantine.at(-1);
  const { index, code, message, at } = aside;
  if (last !== undefined && next(last.through) === index && last.code === code) {
    return [...quarantine.slice(0, -1), { ...last, through: index }];
  }
  return [...quarantine, { from: index, through: index, code, message, at }].sort((a, b) => a.from - b.from);
}
