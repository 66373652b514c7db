import type { Index } from '../contracts/units.ts';
import { streamOf } from './lanes.ts';
import { record } from './recording.ts';
import type { Lane } from './records.ts';
import { batchesOf, flying, set, setBatches, type Work } from './state.ts';

/** Lets go of the batches that the cursor has passed. */
export function sweep(work: Work, lane: Lane): void {
  const { cursor } = streamOf(work.state.account, lane);
  setBatches(
    work,
    lane,
    batchesOf(work.state, lane).filter((batch) => batch.through >= cursor),
  );
}

/** Ends the stream of old entries once everything in it is accounted for, or once it is cancelled and nothing of it is in flight. */
export function finishSide(work: Work): void {
  const { side } = work.state.account;
  if (side === null) return;
  if (side.cursor > side.through) return endSide(work, 'done');
  if (work.state.cancelling && flying(work.state) === 0) endSide(work, 'cancelled');
}

/** Ends the stream of old entries; `refused` names the entry that the destination did not take. */
export function endSide(
  work: Work,
  how: 'done' | 'refused' | 'cancelled',
  refused?: { readonly index: Index; readonly code: string },
): void {
  record(work, { type: 'ended', how, index: refused?.index ?? null, code: refused?.code ?? null });
  set(work, { side: [], cancelling: false, known: work.state.rules.dedupe !== 'position' });
}
