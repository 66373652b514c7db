import { WaybillError } from '../contracts/errors.ts';
import type { Clock } from '../contracts/ports.ts';

/** How much a second each of several named things may take. */
export interface RateLimits {
  /**
   * Takes `count` for a name, or throws `RATE_LIMITED`. A request may take more than is there, so that one larger than the rate
   * passes too; those after it then wait longer.
   */
  take(name: string, count: number): void;
  /** Gives back what was taken for a request that was not accepted. */
  giveBack(name: string, count: number): void;
}

/** Makes the limits. A name without a rate is not limited. `what` says in messages what has the name, and what it may take. */
export function createRateLimits(
  rates: ReadonlyMap<string, number | null>,
  clock: Pick<Clock, 'monotonic'>,
  what: { readonly of: string; readonly things: string },
): RateLimits {
  const levels = new Map<string, { rate: number; level: number; at: number }>();
  for (const [name, rate] of rates) if (rate !== null) levels.set(name, { rate, level: rate, at: clock.monotonic() });
  return {
    take(name, count) {
      const bucket = levels.get(name);
      if (bucket === undefined) return;
      const now = clock.monotonic();
      bucket.level = Math.min(bucket.rate, bucket.level + ((now - bucket.at) / 1_000) * bucket.rate);
      bucket.at = now;
      if (bucket.level <= 0) {
        const retryAfterMs = ((1 - bucket.level) / bucket.rate) * 1_000;
        throw new WaybillError('RATE_LIMITED', `${what.of} ${name} may take ${bucket.rate} ${what.things} a second`, { retryAfterMs });
      }
      bucket.level -= count;
    },
    giveBack(name, count) {
      const bucket = levels.get(name);
      if (bucket !== undefined) bucket.level = Math.min(bucket.rate, bucket.level + count);
    },
  };
}

/** How many bytes of unfinished requests are in memory. */
export interface ByteBudget {
  /** Takes bytes, or throws `OVERLOADED`. */
  take(bytes: number): void;
  giveBack(bytes: number): void;
}

/** Makes a budget of `max` bytes. */
export function createByteBudget(max: number): ByteBudget {
  let used = 0;
  return {
    take(bytes) {
      if (used + bytes > max) throw new WaybillError('OVERLOADED', `unfinished requests hold ${used} bytes, of ${max}`);
      used += bytes;
    },
    giveBack(bytes) {
      used -= bytes;
    },
  };
}
