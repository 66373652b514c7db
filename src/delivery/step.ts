import { assert } from '../contracts/assert.ts';
import type { Account } from './account.ts';
import { compare } from './compare.ts';
import { onCut } from './cutting.ts';
import { finishDetach, settleTarget } from './detaching.ts';
import { checkState } from './invariants.ts';
import { onFailed, onLost, onTaken, onUnmade } from './outcome.ts';
import { plan } from './plan.ts';
import { record } from './recording.ts';
import { type Command, type DeliveryEvent, type OpenBatch, type Rules, type State, set, type Work } from './state.ts';
import { endSide, finishSide } from './streams.ts';
import { onVerb } from './verbs.ts';

const UNKNOWN_RULES: Rules = { dedupe: 'none', inFlight: 1, carriesEmpty: false, onReject: 'halt', quarantineMax: 0 };

/**
 * The state of a destination whose account was folded and whose sink is not open yet. `durable` records of the account are in the
 * journal.
 */
export function openState(account: Account, durable: number): State {
  return {
    account,
    rules: UNKNOWN_RULES,
    open: false,
    opening: false,
    // While old entries are sent again the live stream waits, so that nothing of it can be on its way.
    live: resumed(account.live.open, sideBegan(account.side) ? 0 : account.inFlight),
    side: resumed(account.side?.open ?? [], account.inFlight),
    durable,
    opened: account.records,
    unwritten: [],
    order: null,
    orders: 0,
    known: false,
    asking: false,
    failure: null,
    failures: 0,
    backOff: 0,
    backOffs: 0,
    halted: null,
    fault: null,
    barren: null,
    cancelling: false,
    draining: false,
    detaching: null,
    lacksFrom: null,
    declaring: 0,
  };
}

/**
 * Delivery of one destination as one pure function: what happened changes the state, and the state says what has to be done next.
 * The same events give the same commands, in a simulation, in a test and for real.
 */
export function step(state: State, event: DeliveryEvent): { readonly state: State; readonly commands: readonly Command[] } {
  const work: Work = { state, commands: [] };
  react(work, event);
  finishDetach(work);
  plan(work);
  checkState(state, work.state);
  return work;
}

function react(work: Work, event: DeliveryEvent): void {
  switch (event.type) {
    case 'begin':
      return onBegin(work, event);
    case 'opened':
      return onOpened(work, event);
    case 'cut':
      return onCut(work, event);
    case 'journalled':
      return onJournalled(work, event.through);
    case 'taken':
      return onTaken(work, event);
    case 'failed':
      return onFailed(work, event);
    case 'unmade':
      return onUnmade(work, event);
    case 'next':
      return compare(work, event.next, event.size);
    case 'lost':
      return onLost(work, event);
    case 'due':
      return onDue(work, event.number);
    case 'declared':
      return onDeclared(work, event.record);
    default:
      return onVerb(work, event);
  }
}

/** Nothing is opened before the journal knows where the destination writes. */
function onBegin(work: Work, { target }: Extract<DeliveryEvent, { type: 'begin' }>): void {
  if (target === undefined) return;
  settleTarget(work, target);
  set(work, { opened: work.state.account.records });
}

/** A new configuration holds from the next cut on. What was cut before ends under the old one. */
function onOpened(work: Work, event: Extract<DeliveryEvent, { type: 'opened' }>): void {
  const { account } = work.state;
  const { rules } = event;
  set(work, { open: true, opening: false, rules, known: rules.dedupe !== 'position' });
  if (rules.dedupe === 'position') withdrawIntents(work);
  // The bound that finds what is in doubt after a crash must not shrink while more than that is in doubt now.
  const doubts = Math.max(...[work.state.live, work.state.side].map((batches) => batches.filter(({ doubt }) => doubt).length));
  if (account.inFlight !== rules.inFlight && doubts <= rules.inFlight) record(work, { type: 'width', inFlight: rules.inFlight });
  const last = account.epochs.at(-1);
  const { format, control, name } = event;
  if (last?.format !== format || last.control !== control || last.name !== name) {
    record(work, { type: 'epoch', epoch: account.epochs.length, format, control, name });
  }
  set(work, { opened: work.state.account.records });
  // The process may have died between the last batch of old entries and the record that ends them.
  finishSide(work);
}

/** A sink that knows its place needs no intents; those of a configuration that had none before are settled by what it answers. */
function withdrawIntents(work: Work): void {
  const { live, side } = work.state;
  for (const batch of live) record(work, { type: 'withdrawn', lane: 'live', from: batch.from, doubt: false });
  for (const batch of side) record(work, { type: 'withdrawn', lane: 'side', from: batch.from, doubt: false });
  set(work, { live: [], side: [] });
  const { side: old } = work.state.account;
  // It takes each index once: what was begun under another configuration would change nothing there.
  if (old !== null && old.kind !== 'recover') endSide(work, 'cancelled');
}

function onJournalled(work: Work, through: number): void {
  const { durable, unwritten, account } = work.state;
  assert(through >= durable && through <= account.records, `records through ${through} became durable after ${durable}`);
  set(work, { durable: through, unwritten: unwritten.filter((number) => number > through) });
}

function onDue(work: Work, number: number): void {
  // A back-off that was cut short by an operator still ends once.
  if (work.state.backOff === number) set(work, { backOff: 0 });
}

function onDeclared(work: Work, number: number): void {
  assert(work.state.declaring === number, `record ${number} was not being declared`);
  set(work, { declaring: 0 });
  record(work, { type: 'declared', record: number });
}

function sideBegan(side: Account['side']): boolean {
  return side !== null && (side.open.length > 0 || side.cursor > side.from);
}

/**
 * Intents without an outcome. Only the first `inFlight` of them can have been attempted, because a batch sets out only when all that is not
 * known for good, itself included, is that much. The rest was never sent.
 */
function resumed(open: Account['live']['open'], inFlight: number): readonly OpenBatch[] {
  let unknown = 0;
  return open.map((intent) => {
    const { from, through, count, epoch, sha256, omit, gone, checkpoint, done } = intent;
    if (!done) unknown += 1;
    const doubt = !done && unknown <= inFlight;
    return {
      from,
      through,
      count,
      epoch,
      sha256,
      omit,
      gone,
      checkpoint,
      phase: done ? 'taken' : 'waiting',
      doubt,
      unmade: false,
      tries: 0,
      again: 0,
      needs: 1,
      receipt: null,
    };
  });
}
