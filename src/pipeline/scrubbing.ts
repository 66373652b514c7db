import { isWaybillError } from '../contracts/errors.ts';
import type { Clock, Log } from '../contracts/ports.ts';
import type { EmbeddedLedger } from '../ledger/embedded/embedded.ts';
import type { Tree } from '../tree/follower.ts';

/** The check of older segments, and of the hashes of the tree, that goes on in the background. */
export interface Scrubbing {
  /** What it found wrong, until a later round finds nothing; `null` while all is well. */
  damage(): string | null;
  close(): Promise<void>;
}

const EVERY_MS = 24 * 3_600_000;

/** What is checked. */
export interface Scrubbed {
  readonly ledger: Pick<EmbeddedLedger, 'scrub'>;
  readonly tree: Pick<Tree, 'scrub'>;
}

/**
 * Checks all full segments once a day, and soon after the start; then the packs of the tree, whose lost tiles are made again. Damage is
 * told loudly and delivery goes on: the newest entries are not in doubt.
 */
export function startScrubbing({ ledger, tree }: Scrubbed, ports: { readonly clock: Clock; readonly log: Log }): Scrubbing {
  const stop = new AbortController();
  let damage: string | null = null;
  const rounds = async (): Promise<void> => {
    for (;;) {
      await ports.clock.sleep(60_000, stop.signal);
      try {
        const { segments, bytes } = await ledger.scrub(stop.signal);
        const { tiles, lost } = await tree.scrub(stop.signal);
        damage = null;
        ports.log.info('the full segments of the ledger and the tiles of its tree hold', { segments, bytes, tiles, lost });
      } catch (error) {
        if (!isWaybillError(error)) throw error;
        damage = error.message;
        ports.log.error('the ledger is damaged', { code: error.code, message: error.message, action: error.action });
      }
      await ports.clock.sleep(EVERY_MS, stop.signal);
    }
  };
  const done = rounds().catch((error: unknown) => {
    if (stop.signal.aborted) return;
    damage = error instanceof Error ? error.message : String(error);
    ports.log.error('the check of older segments ended', { message: damage });
  });
  return {
    damage: () => damage,
    async close() {
      stop.abort(new Error('the pipeline is stopped'));
      await done;
    },
  };
}
