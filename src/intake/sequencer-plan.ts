import type { Fault } from '../contracts/entry.ts';
import type { Identities } from '../contracts/ledger.ts';
import type { Index } from '../contracts/units.ts';
import type { SourceNames } from './names.ts';
import { producerKey, seqClaim } from './producers.ts';
import type { PlaceTable } from './sequencer-places.ts';
import type { StoredVerdicts } from './sequencer-stored.ts';
import type { Duplicate, Rejection } from './sequencer-submission.ts';
import type { Work } from './sequencer-work.ts';
import { fault } from './sequencer-work.ts';

/** What would become of every event of a submission if it were appended at this moment. */
export interface Plan {
  /** The places of the events that become entries, ascending; the first `count` are meant. */
  readonly places: Uint32Array;
  count: number;
  /** Events that are an entry already. */
  readonly duplicates: Duplicate[];
  /** Events that repeat an event of the same submission, which becomes the entry `order` of the run. */
  readonly repeats: { readonly at: number; readonly order: number }[];
  readonly rejected: Rejection[];
  /** True while nothing but conflicts was rejected. */
  conflictsOnly: boolean;
  /** Entries that have to be compared before anything can be said. While there is one, the rest of the plan is worth nothing. */
  readonly unresolved: { readonly at: number; readonly index: Index }[];
  /** The producer's numbers that the new entries take. */
  readonly seqs: Set<string>;
}

/** What a plan is made with. */
export interface LookUps {
  readonly identities: Pick<Identities, 'find'>;
  readonly names: Pick<SourceNames, 'first' | 'earlier'>;
  readonly table: PlaceTable;
  readonly stored: StoredVerdicts;
  /** Whether a number of a producer belongs to another entry already, durable or on its way; `claim` is both as one word. */
  seqTaken(producer: string, seq: number, claim: string): boolean;
}

/** Makes the plan. It waits for nothing, so that what it says holds until the caller lets go of the thread. */
export function planRun(work: Work, look: LookUps): Plan {
  const plan: Plan = {
    places: new Uint32Array(work.count),
    count: 0,
    duplicates: [],
    repeats: [],
    rejected: [],
    conflictsOnly: true,
    unresolved: [],
    seqs: new Set(),
  };
  const { idStarts, idEnds } = work.columns;
  look.table.clear(work.count);
  for (let at = 0; at < work.count; at++) {
    const faults = work.refused.size === 0 ? undefined : work.refused.get(at);
    if (faults !== undefined) reject(plan, at, faults, false);
    else if (idEnds[at] === idStarts[at]) planNew(plan, work, look, at);
    else planIdentified(plan, work, look, at);
  }
  return plan;
}

function planIdentified(plan: Plan, work: Work, look: LookUps, at: number): void {
  const { ids, idStarts, idEnds } = work.columns;
  const start = idStarts[at] as number;
  const end = idEnds[at] as number;
  const candidates = candidatesOf(work.source, look, ids, start, end);
  if (candidates.length > 0 && planStored(plan, look, at, candidates)) return;
  const order = look.table.find(ids, start, end);
  if (order === -1) {
    if (planNew(plan, work, look, at)) look.table.add(plan.count - 1);
  } else if (sameEvent(work, at, plan.places[order] as number)) plan.repeats.push({ at, order });
  else conflict(plan, at, `place ${plan.places[order]} of this request has the same identity and other bytes`);
}

/** Entries that may have this identity, whatever the source was called when they were written. */
function candidatesOf(source: string, { identities, names }: LookUps, ids: Buffer, start: number, end: number): readonly Index[] {
  const candidates = identities.find(source, ids, start, end);
  const earlier = names.earlier(source);
  return earlier.length === 0 ? candidates : [...candidates, ...earlier.flatMap((old) => identities.find(old, ids, start, end))];
}

/** Judges an event by the entries that may have its identity. False when none of them has it. */
function planStored(plan: Plan, look: LookUps, at: number, candidates: readonly Index[]): boolean {
  let unresolved = false;
  for (const index of candidates) {
    const verdict = look.stored.get(at, index);
    if (verdict === undefined) {
      plan.unresolved.push({ at, index });
      unresolved = true;
    } else if (verdict === 'same') {
      plan.duplicates.push({ at, index });
      return true;
    } else if (verdict === 'other-event') {
      conflict(plan, at, `entry ${index} has the same identity and other bytes`);
      return true;
    } else if (verdict === 'pruned') {
      const message = `entry ${index} may have this identity and is no longer retained`;
      reject(plan, at, [fault('IDENTITY_PRUNED', message)], true);
      return true;
    }
  }
  return unresolved;
}

function planNew(plan: Plan, work: Work, look: LookUps, at: number): boolean {
  const producer = work.producers.size === 0 || work.columns.keptTails.has(at) ? undefined : work.producers.get(at);
  if (producer !== undefined) {
    const key = producerKey(look.names.first(work.source), producer.id, producer.epoch);
    const claim = seqClaim(key, producer.seq);
    if (look.seqTaken(key, producer.seq, claim) || plan.seqs.has(claim)) {
      const message = `seq ${producer.seq} of this producer and epoch belongs to an event with another identity`;
      reject(plan, at, [fault('PRODUCER_SEQ_CONFLICT', message)], true);
      return false;
    }
    plan.seqs.add(claim);
  }
  plan.places[plan.count++] = at;
  return true;
}

function sameEvent({ columns: { bytes, starts, ends } }: Work, at: number, other: number): boolean {
  return bytes.compare(bytes, starts[other], ends[other], starts[at], ends[at]) === 0;
}

function conflict(plan: Plan, at: number, message: string): void {
  reject(plan, at, [fault('IDENTITY_CONFLICT', message)], true);
}

function reject(plan: Plan, at: number, faults: readonly Fault[], isConflict: boolean): void {
  for (const { path, code, message } of faults) plan.rejected.push({ at, path, code, message });
  if (!isConflict) plan.conflictsOnly = false;
}
