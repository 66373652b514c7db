import { assert } from '../contracts/assert.ts';
import type { Index } from '../contracts/units.ts';
import { type Account, goneThrough, type SideStream } from './account.ts';
import { activeLane, firstHole, isNarrow, liveWaits, mayBegin, streamOf, width } from './lanes.ts';
import { record } from './recording.ts';
import type { Lane } from './records.ts';
import { batchesOf, type CutEvent, type CutOrder, flying, type OpenBatch, type State, set, setBatches, type Work } from './state.ts';
import { finishSide, sweep } from './streams.ts';

/** Says which batch is wanted next, and changes the order that is out when it is another one. */
export function planCut(work: Work): void {
  const { order, orders } = work.state;
  const wanted = wantedOrder(work.state);
  if (wanted === null) {
    if (order === null) return;
    set(work, { order: null });
    work.commands.push({ type: 'cut', order: null });
    return;
  }
  const same = order !== null && sameCut(order, wanted);
  // An order that grew urgent keeps its number, so that a cut which is being made for it still counts.
  if (same && order.ahead === wanted.ahead) return;
  const next = { ...wanted, number: same ? order.number : orders + 1 };
  set(work, { order: next, orders: Math.max(orders, next.number) });
  work.commands.push({ type: 'cut', order: next });
}

/** Takes the batch that was cut. Its intent fixes it for good, except where the destination conditions its writes on their position. */
export function onCut(work: Work, event: CutEvent): void {
  const { order, account, rules } = work.state;
  if (order === null || order.number !== event.number) return;
  set(work, { order: null });
  const { lane, from } = order;
  const { through, count, epoch, sha256, omit, gone, checkpoint } = event;
  assert(through >= from && (order.limit === null || through <= order.limit), `the cut [${from}, ${through}] is not the one ordered`);
  if (count === 0 && lane === 'live' && account.aside.some(({ index }) => index <= through)) {
    assert(order.limit !== null, 'a batch without records cannot prove that an earlier entry is at fault');
    set(work, { barren: from });
    return;
  }
  const asks = rules.dedupe === 'position';
  // A destination that keeps its place has to hear of every range, or it would stand before it for ever. What others never heard of as a
  // batch is none now.
  const never = order.original && sha256 === '';
  if (count === 0 && !asks && (never || !rules.carriesEmpty)) {
    record(work, { type: 'omitted', lane, from, through });
    sweep(work, lane);
    finishSide(work);
    return;
  }
  // Even without an intent: once the destination has a later entry, nobody but the journal remembers what was left out.
  const without = omit.length > 0 ? account.records : 0;
  const needs = asks ? without : record(work, { type: 'intent', lane, from, through, count, epoch, sha256, omit, gone, checkpoint });
  const batch: OpenBatch = {
    from,
    through,
    count,
    epoch,
    sha256,
    omit,
    gone,
    checkpoint,
    needs,
    phase: 'waiting',
    doubt: false,
    unmade: false,
    tries: 0,
    again: 0,
    receipt: null,
  };
  setBatches(
    work,
    lane,
    [...batchesOf(work.state, lane), batch].sort((a, b) => a.from - b.from),
  );
}

function wantedOrder(state: State): Omit<CutOrder, 'number'> | null {
  if (!mayBegin(state)) return null;
  const lane = activeLane(state);
  const side = lane === 'side' ? state.account.side : null;
  const { from, limit } = firstHole(state, lane);
  if (lane === 'live' && liveWaits(state) && limit === null) return null;
  const turn = limit === null ? turnAtTheEnd(state, lane) : turnInside(state, lane, from);
  if (turn === null || (side !== null && from > side.through)) return null;
  const { account, rules } = state;
  return {
    lane,
    from,
    ahead: turn === 'ahead',
    epoch: account.epochs.length - 1,
    limit: limit ?? side?.through ?? null,
    fences: streamOf(account, lane).fences,
    omit: omitted(account, side, from, limit),
    gone: goneThrough(account, lane),
    only: side?.kind === 'redeliver' ? account.quarantine.map(({ from, through }) => ({ from, through })) : null,
    original: side?.kind === 'recover' && rules.dedupe !== 'position',
    empty: rules.carriesEmpty && (lane === 'side' || account.aside.length === 0),
  };
}

/** Once all that may be in flight is, one batch more is cut, so that it can set out as soon as there is room. */
function turnAtTheEnd(state: State, lane: Lane): 'now' | 'ahead' | null {
  const open = batchesOf(state, lane).filter((batch) => batch.phase !== 'taken').length;
  if (open < width(state, lane)) return 'now';
  // Where one batch has to show what comes next, the next one cannot be cut before.
  const free = lane === 'live' && !isNarrow(state.account, lane);
  return free && open === flying(state) && open === width(state, lane) ? 'ahead' : null;
}

/** A stretch before batches that are fixed: what is left of a refused one goes first, once nothing before it is open. */
function turnInside(state: State, lane: Lane, from: Index): 'now' | null {
  return batchesOf(state, lane).every((batch) => batch.from > from || batch.phase === 'taken') ? 'now' : null;
}

function omitted(account: Account, side: SideStream | null, from: Index, limit: Index | null): readonly Index[] {
  if (side?.kind === 'redeliver') return [];
  if (side === null && limit === null) return account.aside.map(({ index }) => index);
  const through = limit ?? side?.through ?? from;
  const omit: Index[] = [];
  for (const kept of account.quarantine) {
    for (let index = Math.max(kept.from, from); index <= Math.min(kept.through, through); index++) omit.push(index as Index);
  }
  if (side === null) omit.push(...account.aside.map(({ index }) => index));
  return omit.sort((a, b) => a - b);
}

function sameCut(a: Omit<CutOrder, 'ahead' | 'number'>, b: Omit<CutOrder, 'ahead' | 'number'>): boolean {
  const plain = a.lane === b.lane && a.from === b.from && a.limit === b.limit && a.epoch === b.epoch && a.gone === b.gone;
  return plain && a.original === b.original && a.empty === b.empty && sameIndexes(a.fences, b.fences) && sameIndexes(a.omit, b.omit);
}

function sameIndexes(a: readonly Index[], b: readonly Index[]): boolean {
  return a.length === b.length && a.every((index, place) => index === b[place]);
}
