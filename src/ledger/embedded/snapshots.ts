import type { Disk, Log } from '../../contracts/ports.ts';
import { encodeSnapshot, type KeptSnapshot, keptSnapshot, SNAPSHOTS_KEPT, writeSnapshot } from './snapshot.ts';
import type { Space } from './space.ts';
import type { LedgerState } from './state.ts';
import type { CommitStream } from './stream.ts';

/** How many bytes of frames are placed before a snapshot is due although no segment ended. */
const EVERY_BYTES = 64 * 1024 * 1024;

/** What the snapshots need from the rest of the ledger. */
export interface SnapshotsOptions {
  readonly disk: Disk;
  readonly log: Log;
  readonly directory: string;
  readonly salt: number;
  readonly state: LedgerState;
  readonly stream: CommitStream;
  readonly space: Space;
  /** The oldest index that can be read. */
  readonly beginning: () => number;
  /** Asked before a snapshot is taken: those who registered with the journal fold their keys. */
  readonly fold: () => void;
}

/**
 * Takes snapshots while the ledger runs. The state is taken at once, between two runs, and written only when everything that it covers is
 * durable. A snapshot only saves reading, so that a failure is logged and the next one is tried at its time.
 */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  #taken: { readonly stored: Buffer; readonly kept: KeptSnapshot } | null = null;
  #kept: readonly KeptSnapshot[];
  #writing: Promise<void> | null = null;
  #due = false;
  #bytes = 0;
  #storedBytes: number;

  /** `kept` are the snapshots that are on the disk and hold, newest first. */
  constructor(options: SnapshotsOptions, kept: readonly KeptSnapshot[], storedBytes: number) {
    this.#options = options;
    this.#kept = kept;
    this.#storedBytes = storedBytes;
  }

  /**
   * The oldest entry that a recovery may need: also from the second snapshot, in case the newest one does not hold. 0 while there are not
   * two.
   */
  get needs(): number {
    return this.#kept.length < SNAPSHOTS_KEPT ? 0 : Math.min(...this.#kept.map(({ needs }) => needs));
  }

  /** Makes the next snapshot due, because a segment ended. */
  segmentEnded(): void {
    this.#due = true;
  }

  /** Called after each flush, with its bytes. */
  flushed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= EVERY_BYTES) this.#due = true;
    if (this.#due && this.#taken === null) this.#take();
    if (this.#writing === null && this.#taken !== null && this.#options.stream.durableFrame >= this.#taken.kept.frame)
      this.#writing = this.#write();
  }

  /** Takes a snapshot of a ledger at rest and writes it. */
  async finish(): Promise<void> {
    await this.#writing;
    this.#take();
    await this.#write();
  }

  /** Waits for a write under way. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  #take(): void {
    const { stream, state, salt, beginning, fold } = this.#options;
    fold();
    const { frame, group, segment, at } = stream.place;
    const snapshot = { frame, group, size: stream.index, segment: segment.first, at, beginning: beginning(), ...state.toJson() };
    this.#taken = { stored: encodeSnapshot(snapshot, salt), kept: keptSnapshot(snapshot) };
    this.#due = false;
    this.#bytes = 0;
  }

  async #write(): Promise<void> {
    const { disk, log, directory, space } = this.#options;
    const taken = this.#taken;
    if (taken === null) return;
    const { frame } = taken.kept;
    const kept = [taken.kept, ...this.#kept.filter((older) => older.frame !== frame)].slice(0, SNAPSHOTS_KEPT);
    try {
      const frames = kept.map((one) => one.frame);
      const stored = await writeSnapshot(disk, directory, taken.stored, frames);
      this.#kept = kept;
      space.account(stored - this.#storedBytes);
      this.#storedBytes = stored;
    } catch (error) {
      log.warn('a snapshot of the ledger could not be written; the next one is tried later', { frame, error: String(error) });
    }
    this.#taken = null;
    this.#writing = null;
  }
}
