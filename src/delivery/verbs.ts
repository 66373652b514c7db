import { WaybillError } from '../contracts/errors.ts';
import type { Index, Size } from '../contracts/units.ts';
import type { Account } from './account.ts';
import { attach, beginDetach } from './detaching.ts';
import { record } from './recording.ts';
import type { Lane } from './records.ts';
import { flying, type OpenBatch, type State, set, setBatches, type VerbEvent, type Work } from './state.ts';
import { finishSide } from './streams.ts';

/** Does what an operator asks for. Whoever passes the verb on has asked `refuseVerb` first. */
export function onVerb(work: Work, event: VerbEvent): void {
  const { paused } = work.state.account;
  switch (event.type) {
    case 'pause':
      if (!paused) record(work, { type: 'paused' });
      return;
    case 'resume':
      if (paused) record(work, { type: 'resumed' });
      return attach(work, event.beginning);
    case 'detach':
      return beginDetach(work, event.through);
    case 'retry':
      return retry(work);
    case 'cancel':
      set(work, { cancelling: true });
      return finishSide(work);
    case 'drain':
      return set(work, { draining: true });
    case 'side':
      return beginSide(work, event);
    case 'waive':
      record(work, { type: 'waived', from: event.from, through: event.through });
      return;
  }
}

/** Why a verb cannot be done now, or `null`. Sending old entries needs them to be below the cursor and still in the ledger. */
export function refuseVerb(state: State, event: VerbEvent, beginning: Index, size: Size): WaybillError | null {
  const { account } = state;
  switch (event.type) {
    case 'cancel':
      return account.side === null ? refused('no old entries are being sent again') : null;
    case 'waive':
      if (account.side?.kind === 'redeliver') return refused(`${account.side.name} has not ended: wait for it, or cancel it`);
      return outside(account, event.from, event.through) ? nothingAside(event.from, event.through) : null;
    case 'side':
      return refuseSide(state, event, beginning, size);
    case 'resume': {
      const pruned = state.halted?.code === 'LEDGER_PRUNED' && flying(state) > 0;
      return pruned ? refused('a batch is in flight: give the command again once it has come back') : null;
    }
    case 'retry':
      if (state.halted?.code === 'TARGET_CHANGED') return refused(`${state.halted.message}: target_changed in the configuration decides`);
      return account.detached?.held === true ? refused(DETACHED) : null;
    default:
      return null;
  }
}

function refuseSide(
  { account, rules, open, detaching }: State,
  { kind, from, through, gone }: Extract<VerbEvent, { type: 'side' }>,
  beginning: Index,
  size: Size,
): WaybillError | null {
  if (account.detached?.held === true || detaching !== null) return refused(DETACHED);
  if (!open) return refused('the destination could not be opened yet');
  if (account.side !== null) return refused(`${account.side.name} has not ended: wait for it, or cancel it`);
  if (account.live.cursor === 0) return refused('the destination has not had any entry yet');
  if (from > through) return refused(`the range begins at ${from} and ends at ${through}`);
  // A recovery may begin with what is known to be gone, because it says so.
  if (Math.max(from, (gone ?? -1) + 1) < beginning) {
    return refused(
      `the oldest index that the ledger still has is ${beginning}, and ${from} was asked for; what is older cannot be had from here`,
    );
  }
  const end = Math.min(account.live.cursor, size);
  if (through >= end) return refused(`the destination has not had index ${through} yet: its cursor is ${account.live.cursor}`);
  if (kind === 'recover') return null;
  if (rules.dedupe === 'position') {
    const way =
      kind === 'replay' ? '; what it lost is filled by `waybill recover`' : '; `waybill quarantine waive` declares them as given up';
    return refused(`this destination takes each index once, so that a ${kind} would change nothing there${way}`);
  }
  return kind === 'redeliver' && outside(account, from, through) ? nothingAside(from, through) : null;
}

const DETACHED = 'the destination is detached: `waybill resume` lets it go on with what the ledger still has';

function retry(work: Work): void {
  const { account, halted } = work.state;
  if (halted?.code === 'QUARANTINE_LIMIT' && account.asideTimes.length > 0) record(work, { type: 'retried' });
  withdrawUnmade(work, 'live', work.state.live);
  withdrawUnmade(work, 'side', work.state.side);
  set(work, { halted: null, failures: 0, backOff: 0 });
}

/** The operator goes on although a batch cannot be made again: its entries go as a new batch, which the destination may then have twice. */
function withdrawUnmade(work: Work, lane: Lane, batches: readonly OpenBatch[]): void {
  const unmade = batches.filter((batch) => batch.unmade);
  if (unmade.length === 0) return;
  for (const { from, doubt } of unmade) record(work, { type: 'withdrawn', lane, from, doubt });
  setBatches(
    work,
    lane,
    batches.filter((batch) => !batch.unmade),
  );
}

function beginSide(work: Work, event: Extract<VerbEvent, { type: 'side' }>): void {
  const { account, halted } = work.state;
  const { kind, from, through, gone } = event;
  record(work, { type: 'side', kind, name: `${kind}-${account.sides + 1}`, from, through, gone });
  // Filling what is missing is the way out.
  const missing = halted?.code === 'DESTINATION_LOST_DATA' || halted?.code === 'DESTINATION_BEHIND';
  if (kind === 'recover' && missing) set(work, { halted: null, fault: null, lacksFrom: null });
}

function outside(account: Account, from: Index, through: Index): boolean {
  return !account.quarantine.some((kept) => kept.from <= through && kept.through >= from);
}

function nothingAside(from: Index, through: Index): WaybillError {
  return refused(`nothing is set aside in [${from}, ${through}]`);
}

function refused(message: string): WaybillError {
  return new WaybillError('COMMAND_REFUSED', message);
}
