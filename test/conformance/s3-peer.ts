import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Interference, ObjectStore, Rule, StoredObject } from '../../src/cli/demo/object-store.ts';
import { type Held, heldIn } from './batches.ts';
import type { Trouble } from './sink.ts';

/** The lines of an object of a batch. */
export function linesOf({ key, body }: StoredObject): string {
  const plain = key.endsWith('.gz') ? gunzipSync(body) : key.endsWith('.zst') ? zstdDecompressSync(body) : body;
  return plain.toString();
}

/** The entries of every version in the order in which they came, as a bucket with versions keeps them. */
export function heldInStore(store: ObjectStore): readonly Held[] {
  return store.versions.filter(({ key }) => key.includes('.ndjson')).flatMap((object) => heldIn(linesOf(object)));
}

/** The newest checkpoint, which has an object of its own below its size too. */
export function newestCheckpoint(store: ObjectStore): readonly string[] {
  const newest = store.objects().find(({ key }) => key.endsWith('/checkpoint'));
  if (newest === undefined) return [];
  const note = newest.body.toString();
  const size = note.split('\n')[1] ?? '';
  const kept = store.objects().find(({ key }) => key.endsWith(`/checkpoints/${size.padStart(16, '0')}`));
  // Their signatures of freshness may differ, and nothing else.
  const text = (whole: string | undefined): string | undefined => whole?.split('\n\n')[0];
  if (text(kept?.body.toString()) !== text(note)) throw new Error(`the newest checkpoint over ${size} entries is not the one that is kept`);
  return [note];
}

/** A trouble of the suite as a store shows it. */
export function storeTrouble(kind: Trouble, giveUp: () => void): Rule {
  const answers: Readonly<Record<Trouble, () => Interference>> = {
    refused: () => ({ status: 503, code: 'SlowDown' }),
    busy: () => ({ status: 503, code: 'SlowDown', headers: { 'retry-after': '7' } }),
    unauthorized: () => ({ status: 403, code: 'AccessDenied' }),
    // What a store refuses for its content is its size.
    poison: () => ({ status: 400, code: 'EntityTooLarge' }),
    'answer-lost': () => 'lose the answer',
    hang() {
      giveUp();
      return 'hang';
    },
  };
  return (request) => {
    const poisoned = request.method === 'PUT' && linesOf({ ...request, contentType: '', headers: {} }).includes('poison');
    return kind === 'poison' && !poisoned ? null : answers[kind]();
  };
}
