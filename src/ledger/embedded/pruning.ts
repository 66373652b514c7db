/**
 * Retention's work on the disk: whole segments are removed from the oldest on. First the new beginning is durable, then files go one
 * after another, each for good before the next; so whatever a crash leaves, the segments have no gap, and the next start removes the rest.
 */
import type { Register } from '../../contracts/ledger.ts';
import type { Disk } from '../../contracts/ports.ts';
import type { Index } from '../../contracts/units.ts';
import { asIndex } from '../../contracts/units.ts';
import type { SegmentPlace, SegmentReader } from './reader.ts';
import type { Snapshots } from './snapshots.ts';
import type { Space } from './space.ts';
import type { LedgerState } from './state.ts';

/** The register key under which the oldest retained index is known. */
export const BEGINNING_KEY = 'ledger.beginning';

/** A range of entries that go together, and the bytes of their segments. Both ends are inside. */
export interface Prunable {
  readonly from: Index;
  readonly through: Index;
  readonly bytes: number;
}

/** What pruning needs of the ledger. */
export interface PruningOptions {
  readonly disk: Disk;
  /** The directory of the segments. */
  readonly directory: string;
  readonly state: LedgerState;
  readonly register: Register;
  /** The ledger's own list, ascending. The last one is written to and never goes. */
  readonly segments: SegmentPlace[];
  readonly snapshots: Snapshots;
  readonly reader: SegmentReader;
  readonly space: Space;
}

/** The oldest index that can be read, as the register has it. */
export function beginningOf(state: LedgerState): number {
  return Number(state.register.get(BEGINNING_KEY) ?? 0);
}

/** Removes the oldest segments. Calls take effect one after another. */
export class Pruning {
  readonly #options: PruningOptions;
  #beginning: number;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: PruningOptions, beginning: number) {
    this.#options = options;
    this.#beginning = beginning;
  }

  /** The oldest index that may be read. It moves before anything is removed. */
  get beginning(): number {
    return this.#beginning;
  }

  /**
   * What `prune` would remove: the entries of the segments that end at or below `to` and that no recovery needs; `null` for none. Files
   * that an earlier call could not remove count too.
   */
  prunable(to: number): Prunable | null {
    const { segments } = this.#options;
    const end = this.#endOf(to);
    const going = segments.filter(({ first }) => first < end);
    const oldest = going[0];
    if (oldest === undefined) return null;
    return { from: asIndex(oldest.first), through: asIndex(end - 1), bytes: going.reduce((sum, segment) => sum + segment.end, 0) };
  }

  /** Removes what `prunable` says. */
  prune(to: number): Promise<void> {
    // Moved at once: who looks for a place to begin must not be given one that is about to go.
    this.#beginning = this.#endOf(to);
    const done = this.#turn.then(() => this.#remove());
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Waits for a removal under way. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  #endOf(to: number): number {
    const { segments, snapshots } = this.#options;
    const most = Math.min(to, snapshots.needs);
    return Math.max(this.#beginning, segments.findLast(({ first }) => first <= most)?.first ?? 0);
  }

  async #remove(): Promise<void> {
    const { disk, directory, state, register, segments, reader, space } = this.#options;
    const beginning = String(this.#beginning);
    const known = state.register.get(BEGINNING_KEY) ?? null;
    if (known !== beginning) await register.set(BEGINNING_KEY, beginning, known);
    for (let oldest = segments[0]; oldest !== undefined && oldest.first < Number(beginning); oldest = segments[0]) {
      await disk.remove(oldest.path);
      await disk.syncDirectory(directory);
      segments.shift();
      space.account(-oldest.end);
      await reader.forget(oldest);
      space.serve();
    }
  }
}
