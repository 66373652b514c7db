import { hash } from 'node:crypto';
import type { Edge } from '../tlog/edge.ts';
import { growEdge } from '../tlog/edge.ts';

/** The name of the background job that hashes entries into the tree. */
export const GROW_JOB = 'tree.grow';

/** What the job gets: the tree so far, and the entries that follow. */
export interface GrowInput {
  readonly edge: Edge;
  /** May be longer than the entries. */
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** SHA-256 in the form that `src/tlog` asks for. */
export function sha256(input: Uint8Array): string {
  return hash('sha256', input, 'binary');
}

// Jobs of one name run one after another in one thread, so one memory serves them all.
let own = new Uint8Array(0);

/** The background jobs of the tree, by name. */
export const treeJobs: Readonly<Record<string, (input: unknown) => Promise<unknown>>> = {
  [GROW_JOB]: async (input) => {
    const { edge, bytes, starts, ends } = input as GrowInput;
    const length = ends.at(-1) ?? 0;
    // Shared memory is read slowly piece by piece, and fast as a whole.
    if (own.length < length) own = new Uint8Array(length);
    own.set(bytes.subarray(0, length));
    return growEdge(sha256, edge, own, starts, ends);
  },
};
