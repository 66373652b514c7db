import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Identities, Ledger, Room } from '../contracts/ledger.ts';
import type { Clock } from '../contracts/ports.ts';
import type { Index, Size } from '../contracts/units.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import type { EnvelopeWriter } from './envelope.ts';
import { unknownSource } from './names.ts';
import type { ReceivedAt } from './received-at.ts';
import type { IntakeFold, Observed } from './sequencer-fold.ts';
import type { PlaceTable } from './sequencer-places.ts';
import type { LookUps, Plan } from './sequencer-plan.ts';
import { planRun } from './sequencer-plan.ts';
import { createComparison } from './sequencer-stored.ts';
import type { Duplicate, Sequenced, SourceRules, Submission, Submitted } from './sequencer-submission.ts';
import type { Work } from './sequencer-work.ts';
import { prepareWork } from './sequencer-work.ts';

/** Gives events their place in the order: the only caller of `ledger.append` beside the control entries. */
export interface Sequencer {
  /**
   * Resolves once the submission has its place, or is refused. Submissions of one caller that wait for each other's `sequence`
   * lie in the ledger in that order. Rejects when nothing was numbered and nothing will be.
   */
  sequence(submission: Submission, signal: AbortSignal): Promise<Sequenced>;
}

/** The identities, which may ask to wait. */
export type IntakeIdentities = Identities & {
  /** When more identities can be taken; `null`: now. */
  ready?(): Promise<void> | null;
};

/** What a sequencer is made of. */
export interface SequencerParts {
  readonly ledger: Ledger;
  readonly identities: IntakeIdentities;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly sources: ReadonlyMap<string, SourceRules>;
  readonly writer: EnvelopeWriter;
  readonly receivedAt: ReceivedAt;
  readonly table: PlaceTable;
  readonly fold: IntakeFold;
  /** Declares a step of the clock before entries are stamped with it; `null`: there is none. */
  noteClock(): Promise<void> | null;
  /** Told of every answer. */
  count(source: string, submitted: Submitted): void;
}

/** How long a submission waits for the identities before its sender is pushed back. */
const READY_WAIT_MS = 5_000;

/** Makes a sequencer. */
export function createSequencer(parts: SequencerParts): Sequencer {
  const { ledger, identities, fold, table } = parts;
  /** Numbers of producers that entries in flight take. The fold has those of durable entries. */
  const claims = new Set<string>();
  /** Why nothing more is taken: an append that fails is fatal for the ledger, also when another writer fenced it. */
  let failure: unknown = null;
  const seqTaken = (key: string, seq: number, claim: string) => claims.has(claim) || fold.producers.taken(key, seq);

  async function sequence(submission: Submission, signal: AbortSignal): Promise<Sequenced> {
    if (failure !== null) throw failure;
    const rules = parts.sources.get(submission.source);
    if (rules === undefined) throw unknownSource(submission.source, fold.names);
    assert(submission.checked.unreadable === undefined, 'a body that cannot be read is refused before it is submitted');
    const work = prepareWork(submission, rules, fold.names);
    await identitiesReady(identities, parts.clock, signal);
    await parts.noteClock();
    const room = await ledger.reserve(work.count, work.bytesMax);
    try {
      return await place(submission, work, room, signal);
    } catch (error) {
      room.release();
      throw error;
    }
  }

  /**
   * Plans until nothing is open, then appends at once. Between the last plan and the append nothing may wait: what was looked up
   * holds only as long as nobody else runs.
   */
  async function place(submission: Submission, work: Work, room: Room, signal: AbortSignal): Promise<Sequenced> {
    const stored = createComparison(work, ledger, fold.names);
    const look: LookUps = { identities, names: fold.names, table, stored, seqTaken };
    const declared = new Set<number>();
    for (;;) {
      signal.throwIfAborted();
      const plan = planRun(work, look);
      const undeclared = submission.declare === undefined ? [] : plan.rejected.filter(({ at }) => !declared.has(at));
      if (plan.unresolved.length > 0) {
        await stored.compare(plan.unresolved, signal);
      } else if (undeclared.length > 0) {
        await submission.declare?.(undeclared);
        for (const { at } of undeclared) declared.add(at);
      } else {
        const refused = plan.rejected.length > 0 && !submission.partial;
        if (!refused && (plan.count > 0 || (submission.position ?? null) !== null)) return append(submission, work, plan, room);
        room.release();
        const submitted = answer(plan, null, refused, ledger.size());
        parts.count(work.source, submitted);
        return { durable: Promise.resolve(submitted) };
      }
    }
  }

  function append({ source, position = null, closesPartition = false }: Submission, work: Work, plan: Plan, room: Room): Sequenced {
    const { count } = plan;
    const first = asIndex(ledger.assigned());
    const picked = { places: plan.places, count, n: ledger.sequence(source) };
    const written = parts.writer.write(work.envelope, work.columns, picked, parts.receivedAt.next(), work.bytesMax);
    const { bytes, offsets } = written;
    const { partition } = work.envelope;
    const appended = ledger.append({ source, partition, position, closesPartition, bytes, offsets, count }, asSize(first), room);
    for (let k = 0; k < count; k++) {
      identities.add(source, bytes, written.idStarts[k] as number, written.idEnds[k] as number, asIndex(first + k));
    }
    for (const claim of plan.seqs) claims.add(claim);
    const noteDurable = fold.numbered(first, count, observedOf(work, plan, parts.receivedAt.last()));
    const durable = appended.then((at) => {
      assert(at === first, `the run lies at ${at}, where it was numbered ${first}`);
      noteDurable();
      for (const claim of plan.seqs) claims.delete(claim);
      const submitted = answer(plan, first, false, ledger.size());
      parts.count(source, submitted);
      return submitted;
    });
    // What was remembered of this run is not in the ledger then, so nobody else may build on it.
    durable.catch((error: unknown) => (failure ??= error));
    return { durable };
  }

  return { sequence };
}

function answer(plan: Plan, first: Index | null, refused: boolean, size: Size): Submitted {
  const accepted = refused ? 0 : plan.count;
  return {
    outcome: refused ? (plan.conflictsOnly ? 'conflict' : 'invalid') : 'accepted',
    accepted,
    firstIndex: accepted === 0 ? null : first,
    size,
    duplicates: refused ? [] : duplicatesOf(plan, first),
    rejected: plan.rejected,
  };
}

async function identitiesReady(identities: IntakeIdentities, clock: Pick<Clock, 'sleep'>, signal: AbortSignal): Promise<void> {
  const ready = identities.ready?.() ?? null;
  if (ready === null) return;
  const waited = new AbortController();
  const late = clock.sleep(READY_WAIT_MS, AbortSignal.any([waited.signal, signal])).then(() => 'late' as const);
  try {
    if ((await Promise.race([ready, late])) === 'late')
      throw new WaybillError('OVERLOADED', 'the index of identities cannot take more at this moment');
  } finally {
    waited.abort();
    late.catch(() => undefined);
  }
}

function observedOf(work: Work, plan: Plan, receivedAtMs: number): Observed[] {
  if (plan.seqs.size === 0) return [];
  const observed: Observed[] = [];
  for (let k = 0; k < plan.count; k++) {
    const at = plan.places[k] as number;
    const mark = work.columns.keptTails.has(at) ? undefined : work.producers.get(at);
    if (mark !== undefined) observed.push({ kind: 'seq', source: work.source, mark, receivedAtMs });
  }
  return observed;
}

function duplicatesOf({ duplicates, repeats }: Plan, first: Index | null): readonly Duplicate[] {
  if (repeats.length === 0) return duplicates;
  assert(first !== null, 'a repeated event repeats an entry of the same run');
  const all = [...duplicates, ...repeats.map(({ at, order }) => ({ at, index: asIndex(first + order) }))];
  return all.toSorted((a, b) => a.at - b.at);
}
