import type { Clock } from '../contracts/ports.ts';

/** A wall clock that moved by more than it may. Times are in milliseconds since 1970. */
export interface ClockStep {
  readonly cause: 'step' | 'start';
  readonly wall: number;
  /** What the wall clock should have said: by the monotonic clock, or at least the time of the last entry. */
  readonly expected: number;
}

/** The times that entries are stamped with. */
export interface ReceivedAt {
  /** The time for the next run: the later of the last one and the wall clock. */
  next(): string;
  /** What `next` returned last, in milliseconds since 1970. */
  last(): number;
  /** What `next` would return now, in milliseconds since 1970. */
  peek(): number;
  /** How far the wall clock has stepped since this was last asked, if that is more than 5 s. Each step is told once. */
  step(): ClockStep | null;
}

/** The largest step of the wall clock against the monotonic one that is not told. */
export const CLOCK_STEP_MAX_MS = 5_000;

/** The last moment that RFC 3339 can write. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Begins after the time of the last entry in the ledger; `null` when it has none. */
export function openReceivedAt(clock: Pick<Clock, 'now' | 'monotonic'>, lastMs: number | null): ReceivedAt {
  let last = lastMs ?? 0;
  let text = new Date(last).toISOString();
  let wall = clock.now();
  let monotonic = clock.monotonic();
  let early: ClockStep | null = lastMs !== null && wall < lastMs ? { cause: 'start', wall, expected: lastMs } : null;

  function peek(): number {
    return Math.max(last, Math.min(LATEST, Math.floor(clock.now())));
  }

  return {
    peek,
    last: () => last,
    next() {
      const now = peek();
      if (now > last) {
        last = now;
        text = new Date(now).toISOString();
      }
      return text;
    },
    step() {
      const told = early;
      early = null;
      if (told !== null) return told;
      const nowWall = clock.now();
      const nowMonotonic = clock.monotonic();
      const expected = wall + (nowMonotonic - monotonic);
      // Both are taken anew each time, so that a clock that is slewed all day never adds up to a step.
      wall = nowWall;
      monotonic = nowMonotonic;
      return Math.abs(nowWall - expected) > CLOCK_STEP_MAX_MS ? { cause: 'step', wall: nowWall, expected } : null;
    },
  };
}
