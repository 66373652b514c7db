import { WaybillError } from '../contracts/errors.ts';
import type { Clock } from '../contracts/ports.ts';

/** How long a sink may still take to give up once its time is over. */
const GRACE_MS = 5_000;

/** Why the waits of an attempt end once it has its answer: not an error, which would cost its stack for every batch. */
const SETTLED = 'the attempt has its answer';

/**
 * Calls a sink with a limit in time, and no longer than until `outer` ends. When it is over the call's signal ends; a sink that does not
 * give up even then is left behind, and nobody knows what it did: `SINK_ANSWER_LOST`.
 */
export async function attempt<Answer>(
  call: (signal: AbortSignal) => Promise<Answer>,
  timeoutMs: number,
  clock: Clock,
  outer: AbortSignal,
): Promise<Answer> {
  const late = (): WaybillError => new WaybillError('SINK_ANSWER_LOST', `no answer within ${timeoutMs} ms`);
  const limit = new AbortController();
  const settled = new AbortController();
  const stop = (): void => limit.abort(outer.reason);
  outer.addEventListener('abort', stop, { once: true });
  if (outer.aborted) stop();
  clock.sleep(timeoutMs, settled.signal).then(
    () => limit.abort(late()),
    () => {},
  );
  try {
    return await Promise.race([call(limit.signal), leaveBehind(limit.signal, clock, settled.signal, late)]);
  } finally {
    outer.removeEventListener('abort', stop);
    settled.abort(SETTLED);
  }
}

async function leaveBehind(limit: AbortSignal, clock: Clock, settled: AbortSignal, late: () => WaybillError): Promise<never> {
  if (!limit.aborted) {
    await new Promise<void>((resolve, reject) => {
      limit.addEventListener('abort', () => resolve(), { once: true });
      settled.addEventListener('abort', () => reject(SETTLED), { once: true });
    });
  }
  await clock.sleep(GRACE_MS, settled);
  throw late();
}
