/** Notices when a part of the process cannot go on. */
export interface Watchdog {
  /** Resolves with the first reason. It never rejects. */
  readonly failed: Promise<Error>;
  /** Watches a part: its promise resolves, or rejects, with the reason once it has failed. */
  watch(part: Promise<unknown>): void;
}

/** A watchdog that watches nothing yet. Parts may come and go while it watches. */
export function openWatchdog(): Watchdog {
  const failed = Promise.withResolvers<Error>();
  const fail = (reason: unknown): void => failed.resolve(reason instanceof Error ? reason : new Error(String(reason)));
  return {
    failed: failed.promise,
    watch(part) {
      part.then(fail, fail);
    },
  };
}
