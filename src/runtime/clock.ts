import type { Clock } from '../contracts/ports.ts';

/** The longest delay that a timer takes; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The real clock. */
export function openClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    async sleep(ms, signal) {
      const end = performance.now() + ms;
      for (let left = ms; left > 0 || left === ms; left = end - performance.now()) {
        await delay(Math.min(left, TIMER_MS_MAX), signal);
      }
    },
  };
}

/** One timer. It leaves neither a timer nor a listener behind, whichever way it ends. */
function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
