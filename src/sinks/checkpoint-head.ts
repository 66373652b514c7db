/**
 * What a sink has to see of a checkpoint to leave one alone that contradicts it: the first three lines of C2SP tlog-checkpoint. Nothing of
 * it is verified here: who receives checkpoints has the key.
 */
import { WaybillError } from '../contracts/errors.ts';
import type { SinkCheckpoint } from '../contracts/sink.ts';

/** The longest note that is read back. */
export const NOTE_BYTES_MAX = 1_000_000;

interface CheckpointHead {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
}

/**
 * Compares a checkpoint that is at a place already with the one that is to take it. Throws `CHECKPOINT_CONFLICT` where both cannot be heads
 * of one history, or the one that is there covers more: it may be the last witness of what was lost. Throws `DESTINATION_FOREIGN` for what
 * is no checkpoint of this log.
 */
export function refuseConflict(place: string, there: string, { note }: SinkCheckpoint): void {
  const old = headOf(there);
  const next = headOf(note);
  if (old === null || next === null || old.origin !== next.origin) {
    const what = old === null ? 'something that is no checkpoint' : `a checkpoint of ${old.origin}`;
    throw new WaybillError('DESTINATION_FOREIGN', `${place} holds ${what}`, { facts: { place } });
  }
  if (old.size > next.size) {
    const message = `${place} holds a checkpoint over ${old.size} entries, and the newest of this ledger covers ${next.size}`;
    throw new WaybillError('CHECKPOINT_CONFLICT', message, { facts: { place } });
  }
  if (old.size === next.size && old.root !== next.root) {
    const message = `${place} holds another root over ${old.size} entries: ${old.root}, and here it is ${next.root}`;
    throw new WaybillError('CHECKPOINT_CONFLICT', message, { facts: { place } });
  }
}

function headOf(note: string): CheckpointHead | null {
  const [, origin, size, root] = HEAD.exec(note) ?? [];
  if (origin === undefined || size === undefined || root === undefined) return null;
  return { origin, size: Number(size), root };
}

const HEAD = /^([^\n]{1,1000})\n(\d{1,16})\n([A-Za-z0-9+/]{43}=)\n/;
