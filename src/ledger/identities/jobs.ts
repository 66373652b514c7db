import type { Disk } from '../../contracts/ports.ts';
import { Columns } from './columns.ts';
import type { FilterPlan } from './filter.ts';
import { Merge, type MergeAnswer, type MergeInput } from './merge.ts';
import { RunWriter } from './run-writer.ts';
import { sortInto } from './sorted.ts';

/** The job that writes a full memtable as a run: `FlushInput` → nothing. */
export const FLUSH_JOB = 'identities.flush';

/** The job that merges runs, a slice at a time: `MergeInput` → `MergeAnswer`. It is called until it answers that it is done. */
export const MERGE_JOB = 'identities.merge';

/** The job that lets go of a merge that will not go on: the path of its output → nothing. */
export const ABANDON_JOB = 'identities.abandon';

/** A memtable to write. Its memory is shared and does not change meanwhile. */
export interface FlushInput {
  readonly path: string;
  readonly words: Int32Array;
  readonly count: number;
  readonly filter: FilterPlan;
}

/**
 * The background jobs of the identities, by name. They keep merges under way from one slice to the next, so all of them have to run
 * in one place, one after another. A merge whose state was lost begins anew.
 */
export function identityJobs(disk: Disk): Record<string, (input: unknown) => Promise<unknown>> {
  const merges = new Map<string, Merge>();
  /** Kept from one flush to the next: memory that is outside the heap is freed late. `null` while it is in use. */
  let spare: Columns | null = null;

  async function flush({ path, words, count, filter }: FlushInput): Promise<void> {
    const sorted = spare !== null && spare.capacity >= count ? spare : new Columns(count);
    spare = null;
    const writer = await RunWriter.create(disk, path, count, filter);
    try {
      sortInto(sorted, words);
      await writer.add(sorted);
      await writer.finish();
    } finally {
      await writer.abandon();
      spare = sorted;
    }
  }

  async function abandon(path: string): Promise<void> {
    const merge = merges.get(path);
    merges.delete(path);
    await merge?.close();
  }

  async function mergeSlice(input: MergeInput): Promise<MergeAnswer> {
    try {
      const merge = merges.get(input.path) ?? (await Merge.begin(disk, input));
      merges.set(input.path, merge);
      const answer = await merge.slice();
      if (answer.kind !== 'more') await abandon(input.path);
      return answer;
    } catch (error) {
      await abandon(input.path);
      throw error;
    }
  }

  return {
    [FLUSH_JOB]: (input) => flush(input as FlushInput),
    [MERGE_JOB]: (input) => mergeSlice(input as MergeInput),
    [ABANDON_JOB]: (input) => abandon(input as string),
  };
}
