import type { Observer, Observers } from '../contracts/observer.ts';

/** Makes the place where observers are added. Without one a fact costs a call. */
export function createObservers(): Observers {
  let all: readonly Observer[] = [];
  return {
    add(observer) {
      all = [...all, observer];
      return () => {
        all = all.filter((other) => other !== observer);
      };
    },
    accepted(fact) {
      for (const observer of all) observer.accepted?.(fact);
    },
    attempted(fact) {
      for (const observer of all) observer.attempted?.(fact);
    },
    halted(fact) {
      for (const observer of all) observer.halted?.(fact);
    },
    published(fact) {
      for (const observer of all) observer.published?.(fact);
    },
  };
}
