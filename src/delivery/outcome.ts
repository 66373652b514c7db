import { assert } from '../contracts/assert.ts';
import { batchAt } from './lanes.ts';
import { record } from './recording.ts';
import type { Lane } from './records.ts';
import { refuse } from './reject.ts';
import { batchesOf, type DeliveryEvent, type Failure, flying, halt, type OpenBatch, set, setBatches, type Work } from './state.ts';
import { endSide, finishSide, sweep } from './streams.ts';

type Of<Type extends DeliveryEvent['type']> = Extract<DeliveryEvent, { type: Type }>;

/** The destination took a batch. */
export function onTaken(work: Work, event: Of<'taken'>): void {
  const { lane, receipt, bytes } = event;
  const batch: OpenBatch = { ...landed(work, event), phase: 'taken', doubt: false, receipt: { receipt, bytes } };
  replace(work, lane, batch);
  // With intents each outcome is written as it comes; without them only the order says what was taken.
  if (work.state.rules.dedupe === 'position') writeInOrder(work, lane);
  else writeTaken(work, lane, batch);
  sweep(work, lane);
  set(work, { failures: 0, barren: null, fault: work.state.failure === null ? null : work.state.fault });
  finishSide(work);
  resolveFailure(work);
}

/** An attempt failed. Nothing new begins; once all that is in flight has come back, the failure decides. */
export function onFailed(work: Work, event: Of<'failed'>): void {
  const { type: _, ...failure } = event;
  const { lane, fault } = failure;
  const batch = landed(work, failure);
  replace(work, lane, { ...batch, phase: 'waiting', doubt: batch.doubt || fault.unknown });
  const { failure: earlier } = work.state;
  const decides = earlier === null || (earlier.fault.remedy !== 'halt' && (fault.remedy === 'halt' || failure.from < earlier.from));
  if (decides) set(work, { failure, fault });
  resolveFailure(work);
}

/** A batch that cannot be made again byte for byte is never sent as something else: a person decides. */
export function onUnmade(work: Work, event: Of<'unmade'>): void {
  const batch = landed(work, event);
  const again = batch.doubt ? batch.again - 1 : batch.again;
  const { lane, from, fault } = event;
  replace(work, lane, { ...batch, phase: 'waiting', unmade: true, tries: batch.tries - 1, again });
  const failure: Failure = { lane, from, fault, retryAfterMs: 0, refused: [], middle: null, control: false, at: 0 };
  if (work.state.failure?.fault.remedy !== 'halt') set(work, { failure, fault });
  resolveFailure(work);
}

/** The sink could not be opened, the destination could not be asked, or the ledger could not be read. It is begun again once it is time. */
export function onLost(work: Work, event: Of<'lost'>): void {
  if (event.what === 'open') set(work, { opening: false });
  else if (event.what === 'next') set(work, { asking: false });
  else set(work, { order: null });
  set(work, { fault: event.fault });
  if (event.fault.remedy === 'halt') halt(work, event.fault);
  else backOff(work, event.retryAfterMs);
}

/** Goes on after a failure, as soon as nothing is in flight any more. */
export function resolveFailure(work: Work): void {
  const { failure, rules } = work.state;
  if (failure === null || flying(work.state) > 0) return;
  set(work, { failure: null });
  // What a failed write left behind is known to the destination alone.
  if (rules.dedupe === 'position') set(work, { known: false });
  if (work.state.cancelling) return endSide(work, 'cancelled');
  switch (failure.fault.remedy) {
    case 'retry':
      return backOff(work, failure.retryAfterMs);
    case 'reject':
      return refuse(work, failure);
    case 'halt':
      return halt(work, failure.fault);
  }
}

function backOff(work: Work, atLeastMs: number): void {
  const failures = work.state.failures + 1;
  const number = work.state.backOffs + 1;
  set(work, { failures, backOff: number, backOffs: number });
  work.commands.push({ type: 'backOff', number, failures, atLeastMs });
}

function writeInOrder(work: Work, lane: Lane): void {
  for (const batch of batchesOf(work.state, lane)) {
    if (batch.phase !== 'taken') return;
    writeTaken(work, lane, batch);
  }
}

function writeTaken(work: Work, lane: Lane, batch: OpenBatch): void {
  assert(batch.receipt !== null, 'a batch that was taken has a receipt');
  const { from, through, count, again } = batch;
  // Where a repeat changes nothing it is not worth a count.
  const repeated = work.state.rules.dedupe === 'none' ? again : 0;
  const number = record(work, { type: 'taken', lane, from, through, count, again: repeated, ...batch.receipt });
  set(work, { unwritten: [...work.state.unwritten, number] });
}

function landed(work: Work, event: { readonly lane: Lane; readonly from: OpenBatch['from'] }): OpenBatch {
  const batch = batchAt(work.state, event.lane, event.from);
  assert(batch?.phase === 'flying', `an answer came for the ${event.lane} batch at ${event.from}, which is not in flight`);
  return batch;
}

function replace(work: Work, lane: Lane, batch: OpenBatch): void {
  setBatches(
    work,
    lane,
    batchesOf(work.state, lane).map((open) => (open.from === batch.from ? batch : open)),
  );
}
