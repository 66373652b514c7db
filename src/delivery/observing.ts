import { isWaybillError } from '../contracts/errors.ts';
import type { Attempted } from '../contracts/observer.ts';
import type { Cut } from './cut.ts';
import type { DestinationOptions } from './destination.ts';
import type { Lane } from './records.ts';
import type { OpenBatch } from './state.ts';

/** Begins to measure an attempt. What it answers is called with what the attempt ended by, `null` when the batch was taken. */
export function observeAttempt(options: DestinationOptions, lane: Lane, batch: OpenBatch, cut: Cut): (error: unknown) => void {
  const { name, observer, ports } = options;
  if (observer?.attempted === undefined) return ignore;
  const { clock } = ports;
  const beganAt = clock.now();
  const began = clock.monotonic();
  return (error) => {
    const { from, through, count, receivedAt, body } = cut;
    const fact: Attempted = {
      destination: name,
      from,
      through,
      count,
      bytes: body.length,
      attempt: batch.tries,
      replay: lane === 'side',
      code: error === null ? null : isWaybillError(error) ? error.code : 'SINK_FAILED',
      beganAt,
      ms: clock.monotonic() - began,
      ageMs: receivedAt === null ? null : Math.max(0, clock.now() - receivedAt),
    };
    observer.attempted?.(fact);
  };
}

function ignore(): void {}
