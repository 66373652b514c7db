import { BrokenInvariant } from '../../contracts/assert.ts';
import type { Ports } from '../../contracts/ports.ts';

const WAIT_MIN_MS = 100;
const WAIT_MAX_MS = 10_000;

/**
 * Repeats work on derived state until it succeeds, waiting longer each time. It rejects only when the signal ends, with its reason,
 * or for a broken invariant. What it says in the log is that it began to fail, and that it went on.
 */
export async function insist<Out>(
  what: string,
  step: () => Promise<Out>,
  ports: Pick<Ports, 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<Out> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      const out = await step();
      if (attempt > 0) ports.log.info('the index of identities goes on', { step: what, failures: attempt });
      return out;
    } catch (error) {
      if (error instanceof BrokenInvariant) throw error;
      signal.throwIfAborted();
      if (attempt === 0) ports.log.warn('the index of identities cannot go on and tries again', { step: what, reason: messageOf(error) });
    }
    await ports.clock.sleep(Math.min(WAIT_MIN_MS * 2 ** Math.min(attempt, 20), WAIT_MAX_MS), signal);
  }
}

/** What went wrong, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
