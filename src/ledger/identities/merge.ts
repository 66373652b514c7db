import type { Disk } from '../../contracts/ports.ts';
import { Columns } from './columns.ts';
import type { FilterPlan } from './filter.ts';
import { RunReader } from './run-reader.ts';
import { RunWriter } from './run-writer.ts';

/** How many identities one slice merges: whatever else waits for this thread waits no longer than that takes. */
const SLICE_ENTRIES = 1 << 20;

/** How many identities are merged before they are written. */
const MERGED_AT_ONCE = 4_096;

/** Runs to merge into one. */
export interface MergeInput {
  readonly path: string;
  readonly inputs: readonly { readonly path: string; readonly entries: number }[];
  readonly entries: number;
  readonly filter: FilterPlan;
}

/** How far a merge has come. `damaged`: an input cannot be trusted; the message says which. */
export type MergeAnswer = { readonly kind: 'more' } | { readonly kind: 'done' } | { readonly kind: 'damaged'; readonly message: string };

/** Merges run files into one, sequentially. */
export class Merge {
  readonly #readers: readonly RunReader[];
  readonly #writer: RunWriter;
  readonly #merged = new Columns(MERGED_AT_ONCE);
  #live: readonly RunReader[];

  private constructor(readers: readonly RunReader[], writer: RunWriter) {
    this.#readers = readers;
    this.#writer = writer;
    this.#live = readers;
  }

  /** Opens the inputs and the output. */
  static async begin(disk: Disk, input: MergeInput): Promise<Merge> {
    const readers: RunReader[] = [];
    try {
      for (const { path, entries } of input.inputs) readers.push(await RunReader.open(disk, path, entries));
      return new Merge(readers, await RunWriter.create(disk, input.path, input.entries, input.filter));
    } catch (error) {
      await closeAll(readers);
      throw error;
    }
  }

  /** Merges some more. Once it answers `done`, the output is complete and durable. */
  async slice(): Promise<MergeAnswer> {
    const end = this.#writer.added + SLICE_ENTRIES;
    while (this.#writer.added < end) {
      this.#live = this.#live.filter((reader) => !reader.ended);
      for (const reader of this.#live) {
        const complaint = reader.drained ? reader.fill() : null;
        if (complaint !== null) return { kind: 'damaged', message: complaint };
      }
      if (this.#live.length === 0) {
        await this.#writer.finish();
        return { kind: 'done' };
      }
      mergeInto(this.#merged, this.#live);
      await this.#writer.add(this.#merged);
    }
    return { kind: 'more' };
  }

  /** Closes every file. */
  async close(): Promise<void> {
    await closeAll(this.#readers);
    await this.#writer.abandon();
  }
}

/** Closes inputs. That a file that was only read does not close well changes nothing. */
async function closeAll(readers: readonly RunReader[]): Promise<void> {
  await Promise.allSettled(readers.map((reader) => reader.close()));
}

/** Merges into `merged`, from its beginning, until it is full or a reader is drained. */
function mergeInto(merged: Columns, readers: readonly RunReader[]): void {
  const { highs, lows, indexLows, indexHighs, capacity } = merged;
  const heads = Float64Array.from(readers, ({ columns, place }) => columns.highs[place]! >>> 0);
  let count = 0;
  while (count < capacity) {
    let least = 0;
    for (let other = 1; other < heads.length; other++) if (heads[other]! < heads[least]!) least = other;
    const reader = readers[least]!;
    const { columns, place } = reader;
    highs[count] = columns.highs[place]!;
    lows[count] = columns.lows[place]!;
    indexLows[count] = columns.indexLows[place]!;
    indexHighs[count] = columns.indexHighs[place]!;
    count++;
    reader.place = place + 1;
    if (place + 1 === columns.count) break;
    heads[least] = columns.highs[place + 1]! >>> 0;
  }
  merged.count = count;
}
