import { WaybillError } from '../contracts/errors.ts';
import type { Clock, Log } from '../contracts/ports.ts';
import { AddressMap } from './addresses.ts';

/** Wrong tokens that an address may send at once, and how many more every minute. */
const BURST = 20;
const PER_MINUTE = 20;
/** Tokens that are remembered as right for an address. */
const RIGHT_MAX = 64;
const MINUTE_MS = 60_000;

/** Keeps senders from trying tokens. */
export interface Attempts {
  /**
   * Refuses a token (by its digest) of an address that has sent too many wrong ones, without looking at it: `AUTH_THROTTLED`. A token that
   * was right for this address before is let through, so that whoever shares an address with an attacker goes on working.
   */
  admit(address: string, digest: string): void;
  right(address: string, digest: string): void;
  wrong(address: string): void;
}

/** Makes it, with a bounded memory. */
export function createAttempts(clock: Pick<Clock, 'monotonic'>): Attempts {
  const addresses = new AddressMap(() => ({ left: BURST, at: clock.monotonic(), right: new Set<string>() }));
  return {
    admit(address, digest) {
      const known = addresses.of(address);
      if (known.right.has(digest)) return;
      const now = clock.monotonic();
      known.left = Math.min(BURST, known.left + ((now - known.at) / MINUTE_MS) * PER_MINUTE);
      known.at = now;
      if (known.left >= 1) return;
      const retryAfterMs = ((1 - known.left) / PER_MINUTE) * MINUTE_MS;
      throw new WaybillError('AUTH_THROTTLED', 'too many wrong tokens came from this address', { retryAfterMs });
    },
    right(address, digest) {
      const { right } = addresses.of(address);
      if (right.size < RIGHT_MAX) right.add(digest);
    },
    wrong(address) {
      addresses.of(address).left -= 1;
    },
  };
}

/** What the log says about requests that were not allowed to steer something. */
export interface DenialLog {
  note(address: string, route: string, code: string): void;
}

/** Makes a log of denials: one line a minute for an address, with how many there were, so that nobody can fill a disk with them. */
export function createDenialLog(clock: Pick<Clock, 'monotonic'>, log: Pick<Log, 'warn'>): DenialLog {
  const addresses = new AddressMap(() => ({ loggedAt: Number.NEGATIVE_INFINITY, unsaid: 0 }));
  const all = { from: Number.NEGATIVE_INFINITY, lines: 0 };
  return {
    note(address, route, code) {
      const known = addresses.of(address);
      const now = clock.monotonic();
      if (now - all.from >= MINUTE_MS) Object.assign(all, { from: now, lines: 0 });
      if (now - known.loggedAt < MINUTE_MS || all.lines >= LINES_MAX) {
        known.unsaid += 1;
        return;
      }
      log.warn('a control request was refused', { address, route, code, refused_before: known.unsaid });
      Object.assign(known, { loggedAt: now, unsaid: 0 });
      all.lines += 1;
    },
  };
}

/** Lines a minute for all addresses together. */
const LINES_MAX = 60;
