import { assert } from '../contracts/assert.ts';
import { isNarrow, streamOf } from './lanes.ts';
import type { Lane } from './records.ts';
import { batchesOf, flying, type OpenBatch, type State } from './state.ts';

/** What must hold after every step, whatever happened. It is always on: a state that nobody planned must not be acted on. */
export function checkState(before: State, after: State): void {
  const moved = before.account.target?.text !== after.account.target?.text;
  assert(moved || after.account.live.cursor >= before.account.live.cursor, 'the cursor went back');
  assert(after.durable <= after.account.records, 'more is durable than was recorded');
  assert(flying(after) <= after.rules.inFlight, 'more is in flight than may be');
  assert(after.account.detached?.held !== true || flying(after) === 0, 'something is in flight to a detached destination');
  assert(!after.live.some(isFlying) || !after.side.some(isFlying), 'two streams are in flight at once');
  checkLane(after, 'live');
  if (after.account.side !== null) checkLane(after, 'side');
  else assert(after.side.length === 0, 'batches of a stream that ended are open');
}

function checkLane(state: State, lane: Lane): void {
  const stream = streamOf(state.account, lane);
  const batches = batchesOf(state, lane);
  let from = stream.cursor;
  for (const batch of batches) {
    assert(batch.from >= from && batch.through >= batch.from, `the ${lane} batch at ${batch.from} overlaps what lies before ${from}`);
    from = (batch.through + 1) as typeof from;
  }
  assert(!isNarrow(state.account, lane) || batches.filter(isFlying).length <= 1, 'a refused batch is narrowed down one batch at a time');
  const early = batches.find((batch) => isFlying(batch) && batch.needs > state.durable);
  assert(early === undefined, `the batch at ${early?.from} set out before what it needs was durable`);
  if (state.rules.dedupe === 'position') {
    assert(stream.open.length === 0, 'a destination that knows its place has no intents');
    return;
  }
  assert(stream.open.length === batches.length, `${stream.open.length} intents are open, but ${batches.length} batches`);
  for (const [place, batch] of batches.entries()) {
    const intent = stream.open[place];
    assert(intent?.from === batch.from && intent.through === batch.through, `the batch at ${batch.from} is not the one intended`);
  }
}

function isFlying(batch: OpenBatch): boolean {
  return batch.phase === 'flying';
}
