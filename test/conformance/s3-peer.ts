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
