import { WaybillError } from '../contracts/errors.ts';

/**
 * Waits for work that cannot be called back until the signal ends: then it rejects with `SINK_ANSWER_LOST` and `message`, and the work goes
 * on.
 */
export async function untilGivenUp<Out>(work: Promise<Out>, signal: AbortSignal, message: string): Promise<Out> {
  const given = Promise.withResolvers<never>();
  const stop = (): void => given.reject(new WaybillError('SINK_ANSWER_LOST', message, { cause: signal.reason }));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, given.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
