import { BrokenInvariant } from '../contracts/assert.ts';
import { isWaybillError } from '../contracts/errors.ts';
import { type Cut, recordIndex } from './cut.ts';
import type { Failure, Fault } from './state.ts';

/** Who failed when what was thrown has no code of its own. */
export type Culprit = 'SINK_FAILED' | 'BATCH_FAILED' | 'LEDGER_FAILED';

const WORDS = { SINK_FAILED: 'the sink', BATCH_FAILED: 'making the batch', LEDGER_FAILED: 'the ledger' } as const satisfies Record<
  Culprit,
  string
>;

/** Puts what was thrown into the words of the error table. A broken invariant is thrown on: nobody may act after one. */
export function faultOf(error: unknown, culprit: Culprit): Fault {
  if (error instanceof BrokenInvariant) throw error;
  if (isWaybillError(error)) {
    const { code, message, remedy, unknown } = error;
    return { code, message, remedy, unknown };
  }
  // Only the kind of a foreign error is told: its message may hold what must not be shown.
  const kind = error instanceof Error ? error.name : typeof error;
  return { code: culprit, message: `${WORDS[culprit]} failed with ${kind}`, remedy: 'halt', unknown: culprit === 'SINK_FAILED' };
}

/** How long the other side asked us to wait, in milliseconds; at most an hour, so that a strange answer does not stop delivery for good. */
export function retryAfterOf(error: unknown): number {
  const asked = isWaybillError(error) ? (error.details.retryAfterMs ?? 0) : 0;
  return Number.isFinite(asked) ? Math.min(Math.max(asked, 0), RETRY_AFTER_MAX_MS) : 0;
}

const RETRY_AFTER_MAX_MS = 3_600_000;

/** Where in a batch the fault of a failed attempt lies, as far as it is known. */
export function blame(error: unknown, cut: Cut | null): Pick<Failure, 'retryAfterMs' | 'refused' | 'middle' | 'control'> {
  const retryAfterMs = retryAfterOf(error);
  if (cut === null || cut.count === 0) return { retryAfterMs, refused: [], middle: null, control: false };
  const named = isWaybillError(error) ? (error.details.refused ?? []) : [];
  // A destination may name places that the batch does not have.
  const places = named.filter((place) => Number.isSafeInteger(place) && place >= 0 && place < cut.count).toSorted((a, b) => a - b);
  const middle = recordIndex(cut, Math.max(0, Math.floor(cut.count / 2) - 1));
  return { retryAfterMs, refused: places.map((place) => recordIndex(cut, place)), middle, control: cut.loneControl };
}
