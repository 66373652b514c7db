/** Does one piece of work after another, in the order in which they were asked for. */
export interface Turns {
  /** Resolves or rejects as the work does. Work that fails holds up nobody. */
  take<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** A queue that nobody waits in yet. */
export function openTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return {
    take(work) {
      const mine = last.then(work);
      last = mine.catch(() => {});
      return mine;
    },
  };
}
