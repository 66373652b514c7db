import type { PublishedHead } from '../contracts/heads.ts';
import type { Size } from '../contracts/units.ts';

/** Where heads are published: everybody sees the newest one, and may wait for the next. */
export class HeadBoard {
  #head: PublishedHead | null = null;
  #next = Promise.withResolvers<void>();

  published(): PublishedHead | null {
    return this.#head;
  }

  publish(head: PublishedHead): void {
    this.#head = head;
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  waitCovering(size: Size, signal: AbortSignal): Promise<PublishedHead> {
    return this.#waitUntil((head) => head.size >= size, signal);
  }

  waitNewer(seen: PublishedHead | null, signal: AbortSignal): Promise<PublishedHead> {
    return this.#waitUntil((head) => head.checkpoint !== seen?.checkpoint, signal);
  }

  async #waitUntil(fits: (head: PublishedHead) => boolean, signal: AbortSignal): Promise<PublishedHead> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#head !== null && fits(this.#head)) return this.#head;
      await orAborted(this.#next.promise, signal);
    }
  }
}

/** Waits for one or the other. Nothing stays behind at the signal. */
function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
  });
}
