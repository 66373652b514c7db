import { hash } from 'node:crypto';
import { CONTROL_SOURCE } from '../../src/contracts/units.ts';
import type { Book } from './book.ts';
import type { ReadEntry } from './ledger-check.ts';
import { baseOf } from './naming.ts';
import { type Attempt, indexOf, type Receiver, recordsOf } from './receiver.ts';

/** The event of a control entry, as far as the checkers read it. */
interface ControlEvent {
  readonly type: string;
  readonly source?: string;
  readonly partition?: string | null;
  readonly position?: string | null;
  readonly sha256?: string;
  readonly reason?: string;
  readonly destination?: string;
  readonly from?: number;
  readonly through?: number;
  readonly count?: number;
}

/** Every event of a pull source that could not become an entry is declared once, at its place; nothing else is. */
export function checkRefusals(entries: readonly ReadEntry[], book: Book): string[] {
  const faults: string[] = [];
  const declared = new Map<string, number>();
  for (const { entry } of entries) {
    if (entry.source !== CONTROL_SOURCE) continue;
    const { type, source, partition, position, sha256, reason } = entry.event as ControlEvent;
    // What was read again after retention had removed its entry is declared too: nobody can say any more whether it has other bytes.
    if (type !== 'source.refused' || reason === 'IDENTITY_PRUNED') continue;
    const key = `${baseOf(source ?? '')}/${partition}/${position}/${sha256}`;
    declared.set(key, (declared.get(key) ?? 0) + 1);
  }
  for (const item of book.items) {
    if (item.kind !== 'bad' || item.place === null) continue;
    const key = `${item.source}/${item.place.partition}/${item.place.ordinal}/${hash('sha256', item.text, 'hex')}`;
    const times = declared.get(key) ?? 0;
    if (times !== 1) faults.push(`the bad event ${item.mark} at ${key} is declared ${times} times`);
    declared.delete(key);
  }
  for (const key of declared.keys()) faults.push(`${key} is declared as refused and was not bad`);
  return faults;
}

/** Every entry that a destination was not sent because it refused it is declared by one gap entry, unless it is a control entry itself. */
export function checkGaps(receiver: Receiver, start: number, line: readonly Attempt[], entries: readonly ReadEntry[]): string[] {
  const faults: string[] = [];
  const gone = declaredGone(receiver.name, entries);
  const aside = notSent(start, line, entries);
  const open = new Set(aside);
  for (const { index, entry } of entries) {
    if (entry.source !== CONTROL_SOURCE) continue;
    const { type, destination, from = -1, through = -1, count = -1 } = entry.event as ControlEvent;
    if (type !== 'destination.gap' || destination !== receiver.name) continue;
    const covered = [...aside].filter((one) => one >= from && one <= through);
    if (!aside.has(from) || !aside.has(through)) faults.push(`the gap entry ${index} begins or ends with an entry that is not set aside`);
    // What is gone may have been set aside before.
    const sure = covered.filter((one) => !gone.has(one)).length;
    if (count < sure || count > covered.length) faults.push(`the gap entry ${index} counts ${count} entries and covers ${covered.length}`);
    for (const one of covered)
      if (!open.delete(one) && !gone.has(one)) faults.push(`${receiver.name}: ${one} is declared twice, again by ${index}`);
  }
  for (const index of open) if (!gone.has(index)) faults.push(`${receiver.name}: ${index} is set aside and not declared`);
  return faults;
}

/** A destination goes to another place at most as often as somebody wrote the word for that. */
export function checkTargets(name: string, words: number, entries: readonly ReadEntry[]): string[] {
  const changes = entries.filter(({ entry }) => {
    const { type, destination } = entry.event as ControlEvent;
    return entry.source === CONTROL_SOURCE && type === 'destination.target_changed' && destination === name;
  });
  return changes.length <= words ? [] : [`${name} went to another place ${changes.length} times by ${words} words`];
}

/** Entries that were declared to have gone from the ledger before a destination got them. */
export function declaredGone(name: string, entries: readonly ReadEntry[]): ReadonlySet<number> {
  const gone = new Set<number>();
  for (const { entry } of entries) {
    if (entry.source !== CONTROL_SOURCE) continue;
    const { type, destination, from = 0, through = -1 } = entry.event as ControlEvent;
    if (type !== 'destination.detached' || destination !== name) continue;
    for (let index = from; index <= through; index++) gone.add(index);
  }
  return gone;
}

/** Entries of the application that a destination has taken others after, and has not got. */
function notSent(first: number, line: readonly Attempt[], entries: readonly ReadEntry[]): Set<number> {
  const sent = new Set(line.flatMap(({ body }) => recordsOf(body).map(indexOf)));
  const last = Math.max(-1, ...sent);
  return new Set(
    entries
      .filter(({ index, entry }) => index >= first && index < last && entry.source !== CONTROL_SOURCE && !sent.has(index))
      .map(({ index }) => index),
  );
}
