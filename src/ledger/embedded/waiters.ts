import type { Size } from '../../contracts/units.ts';
import { asSize } from '../../contracts/units.ts';

interface Waiter {
  readonly size: number;
  resolve(size: Size): void;
}

/** Those who wait until the ledger is longer than some size. */
export class SizeWaiters {
  readonly #waiters = new Set<Waiter>();

  /** Resolves with the size once it is greater than `size`, or rejects with the signal's reason. */
  wait(size: number, signal: AbortSignal): Promise<Size> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const stop = (): void => {
        this.#waiters.delete(waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        size,
        resolve: (reached) => {
          signal.removeEventListener('abort', stop);
          resolve(reached);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  /** Wakes those for whom the ledger is long enough now. */
  wake(size: number): void {
    for (const waiter of this.#waiters) {
      if (size <= waiter.size) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(asSize(size));
    }
  }
}
