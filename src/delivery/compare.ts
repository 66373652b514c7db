import { assert } from '../contracts/assert.ts';
import type { Index, Size } from '../contracts/units.ts';
import { streamOf } from './lanes.ts';
import { record } from './recording.ts';
import type { Lane } from './records.ts';
import { batchesOf, type Fault, flying, halt, type State, set, setBatches, type Work } from './state.ts';
import { finishSide } from './streams.ts';

/**
 * Compares what the destination says it needs next with the cursor. Ahead of it, it is believed, because it alone knows what a lost answer
 * meant. Behind it, it lost what it had acknowledged; ahead of the ledger, the ledger did. Only a person can resolve those two.
 */
export function compare(work: Work, next: Index, size: Size): void {
  assert(work.state.asking && flying(work.state) === 0, 'the destination was asked while it was written to');
  set(work, { asking: false });
  const lane = comparedLane(work.state);
  const { cursor } = streamOf(work.state.account, lane);
  if (next > size) {
    const message = `the destination needs index ${next} next, but the ledger has ${size} entries`;
    return halt(work, { code: 'LEDGER_REWOUND', message, remedy: 'halt', unknown: false });
  }
  if (next < cursor) {
    set(work, { lacksFrom: next });
    return halt(work, behind(work.state, next, cursor));
  }
  set(work, { known: true, lacksFrom: null });
  if (next === cursor) return forgetDoubt(work, lane);
  adopt(work, lane, cursor, (next - 1) as Index);
}

function behind(state: State, next: Index, cursor: Index): Fault {
  const lost = state.account.acknowledged;
  const message = lost
    ? `the destination needs index ${next} next, but had acknowledged everything below ${cursor}`
    : `the destination needs index ${next} next, but was told to begin at ${cursor}`;
  return { code: lost ? 'DESTINATION_LOST_DATA' : 'DESTINATION_BEHIND', message, remedy: 'halt', unknown: false };
}

function adopt(work: Work, lane: Lane, from: Index, last: Index): void {
  const { side } = work.state.account;
  const through = lane === 'side' && side !== null ? (Math.min(last, side.through) as Index) : last;
  setBatches(work, lane, []);
  record(work, { type: 'adopted', lane, from, through });
  set(work, { barren: null, failures: 0 });
  finishSide(work);
}

/** Nothing of what was sent has arrived, so it goes again as it is. */
function forgetDoubt(work: Work, lane: Lane): void {
  setBatches(
    work,
    lane,
    batchesOf(work.state, lane).map((batch) => ({ ...batch, phase: 'waiting', doubt: false, receipt: null })),
  );
}

/** While a loss is being filled, the destination stands inside that range and not at the live cursor. */
function comparedLane(state: State): Lane {
  const { side } = state.account;
  return side !== null && side.kind === 'recover' && side.declared ? 'side' : 'live';
}
