import type { Index } from '../contracts/units.ts';
import { record } from './recording.ts';
import { type Fault, flying, halt, set, type TargetChoice, type Work } from './state.ts';
import { endSide } from './streams.ts';

/** Takes the order to let go of what the ledger will not keep. What is in flight comes back first, because it may settle that by itself. */
export function beginDetach(work: Work, through: Index): void {
  const { detached } = work.state.account;
  if (detached?.held === true) return;
  set(work, { detaching: Math.max(work.state.detaching ?? through, through) as Index });
}

/** Lets go as soon as nothing is in flight and nobody is asked. */
export function finishDetach(work: Work): void {
  const { detaching, asking, account } = work.state;
  if (detaching === null || asking || flying(work.state) > 0) return;
  set(work, { detaching: null });
  if (account.side !== null) endSide(work, 'cancelled');
  const from = account.detached === null ? account.live.cursor : account.detached.through + 1;
  // What came back meanwhile may have moved the cursor past it.
  if (detaching >= from) letGo(work, detaching);
}

/** An operator lets a detached destination go on with what the ledger still has. */
export function attach(work: Work, beginning: Index): void {
  const { account, halted } = work.state;
  const last = (beginning - 1) as Index;
  // The ledger lost more than anybody had said: that is declared like every other gap.
  if (account.detached?.held !== true && halted?.code === 'LEDGER_PRUNED' && account.live.cursor < beginning) letGo(work, last);
  const { detached } = work.state.account;
  if (detached?.held !== true) return;
  const through = Math.max(detached.through, last) as Index;
  // More went while it was detached: what was cut there before can never be made again.
  withdrawThrough(work, through);
  record(work, { type: 'attached', through });
  set(work, { halted: null, fault: null });
}

function letGo(work: Work, through: Index): void {
  const { halted } = work.state;
  withdrawThrough(work, through);
  set(work, { failure: null, failures: 0, backOff: 0 });
  record(work, { type: 'detached', through });
  // Why it stood still is found out again by whoever lets it go on.
  set(work, { halted: halted?.code === 'TARGET_CHANGED' ? halted : null, fault: null, lacksFrom: null });
}

/** Gives up the open batches that begin at an index or before it. */
function withdrawThrough(work: Work, through: Index): void {
  const { live } = work.state;
  // A batch that may be there and reaches beyond what is gone is cut anew behind it, and then its end may be there twice.
  const ends = live.filter((batch) => batch.from <= through && batch.phase !== 'taken');
  if (work.state.rules.dedupe !== 'position') {
    for (const { from, doubt, through: last } of ends) {
      if (work.state.account.live.open.some((intent) => intent.from === from))
        record(work, { type: 'withdrawn', lane: 'live', from, doubt: doubt && last > through });
    }
  }
  set(work, { live: live.filter((batch) => !ends.includes(batch)), barren: null });
}

/**
 * Compares where the destination is to write with where it wrote. Another target takes over what was sent to the old one only by a word of
 * the configuration, and a word acts once: to act again it must have been away in between.
 */
export function settleTarget(work: Work, { text, changed, start }: TargetChoice): void {
  const known = work.state.account.target;
  if (known === null) return void record(work, { type: 'target', target: text, used: null, cursor: null });
  // Without the word in the file the next one is a new word, also while the destination stands before a change.
  if (changed === null && known.used !== null) record(work, { type: 'target', target: known.text, used: null, cursor: null });
  if (known.text === text) return;
  if (changed === null || changed === known.used) return halt(work, targetChanged(known.text, text, changed));
  if (work.state.account.side !== null) endSide(work, 'cancelled');
  const cursor = changed === 'restart' ? start : null;
  record(work, { type: 'target', target: text, used: changed, cursor });
  if (cursor !== null) set(work, { live: [] });
}

function targetChanged(before: string, now: string, changed: string | null): Fault {
  const word = changed === null ? '' : `; target_changed: ${changed} has acted once already, so take it out, reload, and put it back`;
  const message = `it wrote to ${before}, and is now to write to ${now}${word}`;
  return { code: 'TARGET_CHANGED', message, remedy: 'halt', unknown: false };
}
