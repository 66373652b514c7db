import { BrokenInvariant } from '../contracts/assert.ts';
import { isWaybillError } from '../contracts/errors.ts';
import { type Cut, recordIndex } from './cut.ts';
import type { Failure, Fault } from './state.ts';

/** Puts what was thrown into the words of the error table. A broken invariant is thrown on: nobody may act after one. */
export function faultOf(error: unknown): Fault {
  if (error instanceof BrokenInvariant) throw error;
  if (isWaybillError(error)) {
    const { code, message, remedy, unknown } = error;
    return { code, message, remedy, unknown };
  }
  // Only the kind of a foreign error is told: its message may hold what must not be shown.
  const kind = error instanceof Error ? error.name : typeof error;
  return { code: 'SINK_FAILED', message: `the sink failed with ${kind}`, remedy: 'halt', unknown: true };
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
