import { next } from './account.ts';
import { planCut } from './cutting.ts';
import { activeLane, isBarren, isStopped, liveWaits, mayBegin, streamOf, width } from './lanes.ts';
import { batchesOf, flying, type OpenBatch, type State, set, setBatches, type Work } from './state.ts';

/** So many taken batches may be waiting for the journal where a repeat changes nothing. */
export const UNWRITTEN_MAX = 16;

/** Says what may be done in this state, and notes that it was begun. */
export function plan(work: Work): void {
  planOpening(work);
  planDeclaration(work);
  planQuestion(work);
  planSending(work);
  planCut(work);
}

/** A sink hears the cursor when it is opened, so that must not be one that a crash takes back. */
function planOpening(work: Work): void {
  const { open, opening, durable, opened } = work.state;
  if (open || opening || durable < opened || isStopped(work.state)) return;
  set(work, { opening: true });
  work.commands.push({ type: 'open' });
}

/** Control entries are appended one by one, each only after the fact that it tells of is durable. */
function planDeclaration(work: Work): void {
  const { account, declaring, durable } = work.state;
  const [first] = account.outbox;
  if (declaring !== 0 || first === undefined || first.record > durable) return;
  set(work, { declaring: first.record });
  work.commands.push({ type: 'declare', record: first.record });
}

/** A destination that knows its place is asked at the start and after each failure, before anything is written. */
function planQuestion(work: Work): void {
  const { state } = work;
  const { side } = state.account;
  // Before the filling of a loss has begun, the answer would be that loss again.
  const early = side !== null && side.kind === 'recover' && !side.declared;
  if (!state.open || state.known || state.asking || isStopped(state) || early || flying(state) > 0) return;
  set(work, { asking: true });
  work.commands.push({ type: 'ask' });
}

function planSending(work: Work): void {
  if (!mayBegin(work.state)) return;
  const lane = activeLane(work.state);
  let expected = streamOf(work.state.account, lane).cursor;
  for (const [place, batch] of batchesOf(work.state, lane).entries()) {
    // What is left of a refused batch goes first, unless only a later entry can show what to do with it.
    if (batch.from !== expected && !isBarren(work.state, expected)) return;
    expected = next(batch.through);
    if (batch.phase !== 'waiting') continue;
    if (lane === 'live' && liveWaits(work.state) && !work.state.live.slice(place).some(({ doubt }) => doubt)) return;
    if (flying(work.state) >= width(work.state, lane) || !maySetOut(work.state, batch)) return;
    const sent: OpenBatch = { ...batch, phase: 'flying', tries: batch.tries + 1, again: batch.again + (batch.doubt ? 1 : 0) };
    setBatches(
      work,
      lane,
      batchesOf(work.state, lane).map((open) => (open === batch ? sent : open)),
    );
    work.commands.push({ type: 'send', lane, batch: sent });
  }
}

/**
 * A batch sets out once its intent is durable and, with it, no more than `inFlight` batches are not known for good. So after a crash
 * exactly the first `inFlight` open intents are in doubt, and nothing else is ever repeated. A repeat that changes nothing needs no such
 * care.
 */
function maySetOut(state: State, batch: OpenBatch): boolean {
  if (batch.needs > state.durable) return false;
  const asks = state.rules.dedupe === 'position';
  return asks ? state.unwritten.length < UNWRITTEN_MAX : flying(state) + state.unwritten.length < state.rules.inFlight;
}
