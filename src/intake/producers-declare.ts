import { isWaybillError } from '../contracts/errors.ts';
import type { Clock, Log } from '../contracts/ports.ts';
import type { Producers } from './producers.ts';
import type { ControlFact } from './sequencer-control.ts';

/** What the declaring of gaps needs. */
export interface GapDeclarer {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: Log;
  readonly producers: Producers;
  /** The time that the next entry would be stamped with, in milliseconds since 1970. */
  now(): number;
  /** How long a range of a source may stay open. */
  gapAfterMs(source: string): number;
  /** How long to wait between two looks. */
  everyMs(): number;
  /** Appends a control entry and resolves once it is durable. */
  control(fact: ControlFact): Promise<unknown>;
}

/**
 * Declares gaps until the signal ends it. What could not be written now is still due at the next look; it rejects only for a broken promise
 * of this program.
 * An entry that is durable is in the fold by then, so nothing is declared twice, and a crash between decision and entry only delays it.
 */
export async function declareGaps(declarer: GapDeclarer, signal: AbortSignal): Promise<void> {
  const { clock, log, producers } = declarer;
  while (!signal.aborted) {
    try {
      await clock.sleep(declarer.everyMs(), signal);
      const now = declarer.now();
      for (const { type, facts } of producers.due((source) => now - declarer.gapAfterMs(source))) {
        if (signal.aborted) return;
        await declarer.control({ type, facts: { ...facts } });
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isWaybillError(error)) throw error;
      log.warn('a gap could not be declared yet', { code: error.code, message: error.message });
    }
  }
}
