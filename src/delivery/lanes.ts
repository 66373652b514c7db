import { BrokenInvariant } from '../contracts/assert.ts';
import type { Index } from '../contracts/units.ts';
import { type Account, next, type Stream } from './account.ts';
import type { Lane } from './records.ts';
import { batchesOf, type OpenBatch, type State } from './state.ts';

/** The stream of a lane; the side lane must be open. */
export function streamOf(account: Account, lane: Lane): Stream {
  if (lane === 'live') return account.live;
  if (account.side === null) throw new BrokenInvariant('no stream of old entries is open');
  return account.side;
}

/** True while new attempts may begin at all. */
export function mayBegin(state: State): boolean {
  return state.open && state.known && !state.account.paused && !isStopped(state) && state.durable >= state.opened;
}

/** True while nothing may be done with the sink at all, not even a question: a pause stops only what is sent. */
export function isStopped(state: State): boolean {
  const { halted, draining, failure, backOff, detaching, account } = state;
  const stands = halted !== null || draining || detaching !== null || account.detached?.held === true;
  return stands || failure !== null || backOff !== 0;
}

/** The stream whose turn it is. Old entries go once they are declared and no live batch is unresolved; the live stream waits then. */
export function activeLane(state: State): Lane {
  const { side } = state.account;
  if (side === null || !side.declared) return 'live';
  const asks = state.rules.dedupe === 'position';
  return state.live.some((batch) => batch.phase === 'flying' || (batch.doubt && !asks)) ? 'live' : 'side';
}

/** True while the live stream may only go as far as the last batch in doubt, because old entries are to go first. */
export function liveWaits(state: State): boolean {
  return state.account.side?.declared === true;
}

/**
 * True while a refused batch is being narrowed down or a later entry has to prove that a refused one is at fault: one batch at a time
 * then.
 */
export function isNarrow(account: Account, lane: Lane): boolean {
  return streamOf(account, lane).fences.length > 0 || (lane === 'live' && account.aside.length > 0);
}

/**
 * How many batches of a lane may be in flight now. Old entries go one batch at a time, so that what is left out of them is easy to
 * account for.
 */
export function width(state: State, lane: Lane): number {
  return lane === 'side' || isNarrow(state.account, lane) ? 1 : state.rules.inFlight;
}

/**
 * The first stretch of a lane that no open batch covers and that may have something to send; without a limit it goes as far as the
 * ledger.
 */
export function firstHole(state: State, lane: Lane): { readonly from: Index; readonly limit: Index | null } {
  let from = streamOf(state.account, lane).cursor;
  for (const batch of batchesOf(state, lane)) {
    if (batch.from > from && !isBarren(state, from)) return { from, limit: (batch.from - 1) as Index };
    from = next(batch.through);
  }
  return { from, limit: null };
}

/** True for a stretch that has nothing to send but entries waiting to be set aside. */
export function isBarren(state: State, from: Index): boolean {
  return state.barren !== null && from <= state.barren;
}

/** The open batch that begins at `from`. */
export function batchAt(state: State, lane: Lane, from: Index): OpenBatch | undefined {
  return batchesOf(state, lane).find((batch) => batch.from === from);
}
