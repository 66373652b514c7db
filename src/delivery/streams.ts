import { record } from './recording.ts';
import { flying, set, type Work } from './state.ts';

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
  refused?: { readonly index: number; readonly code: string },
): void {
  const index = (refused?.index ?? null) as never;
  record(work, { type: 'ended', how, index, code: refused?.code ?? null });
  set(work, { side: [], cancelling: false, known: work.state.rules.dedupe !== 'position' });
}
