import { WaybillError } from '../contracts/errors.ts';
import type { SinkCheckpoint } from '../contracts/sink.ts';
import { refuseConflict } from './checkpoint-head.ts';
import { checkpointKey, newestCheckpointKey } from './s3-names.ts';
import type { S3Store } from './s3-store.ts';

const CONTENT_TYPE = 'text/plain; charset=utf-8';

/** Where checkpoints go, and how. */
export interface S3CheckpointParts {
  readonly store: S3Store;
  readonly prefix: string;
  readonly keepsConditions: boolean;
  /** What a checkpoint that is written for good is written with: the lock, where there is one. */
  lockHeaders(): Readonly<Record<string, string>>;
}

/**
 * Checkpoints as objects: one for each size, written for good, and the newest of all with its freshness under a key that is written again
 * and again. Whoever may read the bucket finds in the first what was ever said, and in the second since when nothing was.
 */
export class S3Checkpoints {
  readonly #parts: S3CheckpointParts;
  /** The size that was put or compared last: the same head made fresh needs no look at it. */
  #known: number | null = null;

  constructor(parts: S3CheckpointParts) {
    this.#parts = parts;
  }

  /** Puts one. Rejects like `refuseConflict`, and with `SINK_UNAUTHORIZED` where there is one that cannot be compared. */
  async put(checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    const { store, prefix } = this.#parts;
    const newest = newestCheckpointKey(prefix);
    const there = await store.getText(newest, signal);
    if (there !== null && there !== 'hidden') refuseConflict(newest, there.text, checkpoint);
    if (this.#known !== checkpoint.size) await this.#putForGood(checkpoint, signal);
    this.#known = checkpoint.size;
    await store.putText(newest, checkpoint.note, { absent: false, contentType: CONTENT_TYPE }, signal);
  }

  async #putForGood(checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    const { store, prefix, keepsConditions } = this.#parts;
    const key = checkpointKey(prefix, checkpoint.size);
    const put = (absent: boolean): Promise<boolean> =>
      store.putText(key, checkpoint.note, { absent, contentType: CONTENT_TYPE, headers: this.#parts.lockHeaders() }, signal);
    if (keepsConditions && (await put(true))) return;
    const there = await store.getText(key, signal);
    if (there === 'hidden') {
      const message = `whether ${key} has the same root cannot be seen with these credentials: allow s3:GetObject and s3:ListBucket`;
      throw new WaybillError('SINK_UNAUTHORIZED', message, { facts: { key } });
    }
    if (there !== null) refuseConflict(key, there.text, checkpoint);
    else if (keepsConditions) throw new WaybillError('SINK_BUSY', `${key} was there, and is gone again`);
    else await put(false);
  }
}
