import { assert } from '../../contracts/assert.ts';
import type { Batch } from '../../contracts/entry.ts';
import { WaybillError } from '../../contracts/errors.ts';
import type { Journal, PastRecord, ReadLimits, Register, Room, Run } from '../../contracts/ledger.ts';
import type { Clock, Disk, Log } from '../../contracts/ports.ts';
import type { Index, Position, Size } from '../../contracts/units.ts';
import { asIndex, asSize, ENTRY_BYTES_MAX, PARTITIONS_MAX, POSITION_BYTES_MAX } from '../../contracts/units.ts';
import type { EmbeddedLedger, FullSegment, SpaceUse } from './embedded.ts';
import { type HistoryOptions, readHistory } from './history.ts';
import { EmbeddedJournal, EmbeddedRegister, RecordWriter } from './journal.ts';
import type { Identity } from './layout.ts';
import { PARTITION_BYTES_MAX, runBytesMax, segmentName } from './layout.ts';
import type { Prunable } from './pruning.ts';
import { Pruning } from './pruning.ts';
import type { SegmentPlace } from './reader.ts';
import { SegmentReader } from './reader.ts';
import type { Recovered } from './recovery.ts';
import { Ring } from './ring.ts';
import type { Scrubbed } from './scrub.ts';
import { scrubSegments } from './scrub.ts';
import { Snapshots } from './snapshots.ts';
import type { OpenSegment, Purpose, SpaceLimits } from './space.ts';
import { ClaimedRoom, Space } from './space.ts';
import type { LedgerState, RunMeta } from './state.ts';
import type { Group } from './stream.ts';
import { CommitStream } from './stream.ts';
import { SizeWaiters } from './waiters.ts';

/** What an open ledger is made of. The caller has recovered the segments and holds the lock. */
export interface LedgerParts {
  readonly origin: string;
  readonly path: string;
  readonly identity: Identity;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: SpaceLimits;
  readonly ringBytes: number;
  readonly groupBytes: number;
  readonly recovered: Recovered;
  readonly current: OpenSegment;
  /** The length of each segment but the last. */
  readonly fullBytes: readonly number[];
  /** The lengths of the snapshots. */
  readonly snapshotBytes: readonly number[];
  /** Lets go of the directory. */
  readonly unlock: () => Promise<void>;
}

/** Puts the parts of an open ledger together. */
export function embeddedLedger(parts: LedgerParts): EmbeddedLedger {
  return new SegmentLedger(parts);
}

class SegmentLedger implements EmbeddedLedger {
  readonly origin: string;
  readonly journal: Journal;
  readonly register: Register;
  readonly failed: Promise<Error>;
  readonly #parts: LedgerParts;
  readonly #state: LedgerState;
  readonly #ring: Ring;
  readonly #space: Space;
  readonly #stream: CommitStream;
  readonly #records: RecordWriter;
  readonly #snapshots: Snapshots;
  readonly #reader: SegmentReader;
  readonly #pruning: Pruning;
  readonly #waiters = new SizeWaiters();
  readonly #segments: SegmentPlace[];
  readonly #tellFailed: (error: Error) => void;
  #size: number;
  #placed = 0;
  #refusal: Error | null = null;
  #failure: Error | null = null;
  #closing: Promise<void> | null = null;

  constructor(parts: LedgerParts) {
    const { origin, path, disk, log, limits, recovered, current, identity } = parts;
    this.#parts = parts;
    this.origin = origin;
    this.#state = recovered.state;
    this.#size = recovered.tail.index;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#tellFailed = resolve;
    const tail = recovered.tail;
    this.#segments = recovered.segments.map((segment, k) => ({ ...segment, end: parts.fullBytes[k] ?? tail.at, index: null }));
    this.#currentPlace().index = current.index;
    this.#ring = new Ring(parts.ringBytes);
    const fail = (error: Error): void => this.#fail(error);
    const directory = `${path}/segments`;
    const crowded = (): boolean => this.#stream.backlogBytes > 4 * parts.groupBytes;
    const otherBytes = sum(parts.fullBytes) + sum(parts.snapshotBytes);
    this.#space = new Space({ disk, log, directory, identity, limits, current, otherBytes, crowded, fail });
    this.#stream = new CommitStream({
      disk,
      directory,
      salt: identity.salt,
      segmentBytes: limits.segmentBytes,
      groupBytes: parts.groupBytes,
      ring: this.#ring,
      space: this.#space,
      start: { frame: tail.frame, group: tail.group + 1, index: tail.index, segment: current },
      turned: (next) => this.#turned(next),
      flushed: (group) => this.#flushed(group),
      failed: fail,
    });
    const refusal = (): Error | null => this.#refusal;
    this.#records = new RecordWriter({ space: this.#space, stream: this.#stream, state: this.#state, refusal });
    const past = { disk, salt: identity.salt, segments: () => this.#segments, locate: (index: number) => this.#reader.locate(index) };
    const journal = new EmbeddedJournal(this.#state, this.#records, (key, from, signal) => this.#history(past, key, from, signal));
    this.journal = journal;
    this.register = new EmbeddedRegister(this.#state, this.#records);
    const snapshots = {
      disk,
      log,
      directory: `${path}/snapshots`,
      salt: identity.salt,
      state: this.#state,
      stream: this.#stream,
      space: this.#space,
    };
    const beginning = (): number => this.beginning();
    const fold = (): void => journal.foldAll();
    this.#snapshots = new Snapshots({ ...snapshots, beginning, fold }, recovered.snapshots, sum(parts.snapshotBytes));
    this.#reader = new SegmentReader(disk, identity.salt, this.#segments);
    this.#pruning = new Pruning(
      {
        disk,
        directory,
        state: this.#state,
        register: this.register,
        segments: this.#segments,
        snapshots: this.#snapshots,
        reader: this.#reader,
        space: this.#space,
      },
      recovered.beginning,
    );
  }

  reserve(count: number, bytes: number, purpose: Purpose = 'events'): Promise<Room> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal);
    return this.#space.reserve(runBytesMax(count, bytes), purpose);
  }

  append(run: Run, expected: Size, room: Room): Promise<Index> {
    assert(room instanceof ClaimedRoom && room.held, 'a run was appended without room of its own');
    try {
      if (this.#refusal !== null) return Promise.reject(this.#refusal);
      const first = this.#stream.index;
      if (expected !== first) {
        return Promise.reject(
          new WaybillError('LEDGER_FENCED', `the ledger has ${first} entries and not ${expected}: somebody else appended`),
        );
      }
      const bytes = run.count === 0 ? 0 : (run.offsets[run.count] as number) - (run.offsets[0] as number);
      assert(runBytesMax(run.count, bytes) <= room.bytes, 'a run was appended to room for a smaller one');
      const meta = checkedMeta(run);
      assert(this.#state.admits(meta), `source ${run.source} has more than ${PARTITIONS_MAX} open partitions, or moves them to others`);
      return new Promise((resolve, reject) => {
        this.#stream.appendRun(run, meta, { resolve: () => resolve(asIndex(first)), reject });
        this.#state.applyRun(meta, run.count);
      });
    } finally {
      room.release();
    }
  }

  assigned(): Size {
    return asSize(this.#stream.index);
  }

  size(): Size {
    return asSize(this.#size);
  }

  beginning(): Index {
    return asIndex(this.#pruning.beginning);
  }

  async read(from: Index, limits: ReadLimits): Promise<Batch> {
    const size = this.#size;
    assert(from <= size, `entry ${from} was asked for, but only ${size} are durable`);
    this.#refusePruned(from);
    if (from === size) return { first: from, count: 0, bytes: new Uint8Array(0), starts: new Uint32Array(0), ends: new Uint32Array(0) };
    const recent = this.#ring.find(from);
    if (recent === null) return this.#readSegments(from, size, limits);
    const batch = recent.cut(from, size, limits);
    // The ring fills the memory again later; what was handed out must not change.
    return { ...batch, bytes: Uint8Array.prototype.slice.call(batch.bytes) };
  }

  waitBeyond(size: Size, signal: AbortSignal): Promise<Size> {
    return this.#size > size && !signal.aborted ? Promise.resolve(this.size()) : this.#waiters.wait(size, signal);
  }

  positions(source: string): ReadonlyMap<string, Position> {
    return this.#state.positions(source);
  }

  sequence(source: string): number {
    return this.#state.sequence(source);
  }

  space(): SpaceUse {
    return { used: this.#space.used, limit: this.#space.limitBytes, placed: this.#placed + this.#stream.backlogBytes };
  }

  changeLimit(limitBytes: number | null): void {
    this.#space.changeLimit(limitBytes ?? Number.MAX_SAFE_INTEGER);
  }

  scrub(signal: AbortSignal): Promise<Scrubbed> {
    return scrubSegments(this.#parts, this.#parts.identity, () => this.#segments.slice(0, -1), signal);
  }

  full(): readonly FullSegment[] {
    const full = this.#segments.slice(0, -1);
    return full.map(({ first, end }, k) => ({
      first: asIndex(first),
      end: asIndex((this.#segments[k + 1] as SegmentPlace).first),
      bytes: end,
    }));
  }

  prunable(to: Index): Prunable | null {
    return this.#pruning.prunable(to);
  }

  prune(to: Index): Promise<void> {
    return this.#refusal === null ? this.#pruning.prune(to) : Promise.reject(this.#refusal);
  }

  async #readSegments(from: Index, size: number, limits: ReadLimits): Promise<Batch> {
    try {
      return await this.#reader.read(from, size, limits);
    } catch (error) {
      // Retention may have removed the file while it was being opened.
      this.#refusePruned(from);
      throw error;
    }
  }

  async *#history(past: HistoryOptions, key: string, from: Index, signal: AbortSignal): AsyncGenerator<PastRecord> {
    this.#refusePruned(from);
    yield* readHistory(past, key, from, signal);
  }

  #refusePruned(from: Index): void {
    if (from >= this.beginning()) return;
    throw new WaybillError('LEDGER_PRUNED', `entry ${from} is below the oldest retained index ${this.beginning()}`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = new WaybillError('LEDGER_FAILED', 'the ledger is closed');
    this.#refusal ??= closed;
    this.#space.refuse(closed);
    try {
      await this.#stream.idle();
      await this.#snapshots.idle();
      await this.#pruning.idle();
      await this.#space.close(closed);
      if (this.#failure === null) await this.#seal();
      await this.#reader.close();
      for (const segment of this.#stream.open) await segment.file.close();
    } finally {
      await this.#parts.unlock();
    }
  }

  /** Marks everything as flushed, so that damage at the end is never taken for a torn tail. */
  async #seal(): Promise<void> {
    if (!this.#space.hasSealRoom()) return;
    try {
      await new Promise<void>((resolve, reject) => this.#stream.appendSeal({ resolve, reject }));
      await this.#stream.idle();
      await this.#snapshots.idle();
      await this.#snapshots.finish();
    } catch (error) {
      this.#parts.log.warn('the ledger was closed without its seal', { error: String(error) });
    }
  }

  #currentPlace(): SegmentPlace {
    return this.#segments.at(-1) as SegmentPlace;
  }

  #turned(next: OpenSegment): void {
    // The index of the full segment is in its seal, and is read from there when it is needed.
    this.#currentPlace().index = null;
    const path = `${this.#parts.path}/segments/${segmentName(next.first)}`;
    this.#segments.push({ ordinal: next.ordinal, first: next.first, path, end: next.tail, index: next.index });
    this.#snapshots.segmentEnded();
  }

  #flushed(group: Group): void {
    this.#size = group.size;
    this.#placed += group.bytes;
    const place = this.#segments.findLast(({ ordinal }) => ordinal === group.segment.ordinal);
    if (place !== undefined) place.end = group.at + group.bytes;
    this.#ring.trim(this.#size);
    this.#waiters.wake(this.#size);
    this.#space.serve();
    this.#snapshots.flushed(group.bytes);
  }

  #fail(error: Error): void {
    const failure =
      error instanceof WaybillError && error.code === 'LEDGER_FAILED'
        ? error
        : new WaybillError('LEDGER_FAILED', error.message, { cause: error });
    this.#failure ??= failure;
    this.#refusal ??= failure;
    this.#stream.fail(failure);
    this.#space.refuse(failure);
    this.#tellFailed(failure);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** What the run says of itself. The limits are checked before anything is placed: half a run in the stream could never be taken back. */
function checkedMeta(run: Run): RunMeta {
  const { source, partition, position, offsets, count } = run;
  for (let k = 0; k < count; k++) {
    // A negative length wraps around and fails too.
    const bytes = ((offsets[k + 1] as number) - (offsets[k] as number)) >>> 0;
    assert(bytes <= ENTRY_BYTES_MAX, `entry ${k} of a run of source ${source} is too long, or its offsets do not ascend`);
  }
  assert(partition === null || Buffer.byteLength(partition) <= PARTITION_BYTES_MAX, `a partition of source ${source} has too long a name`);
  assert(position === null || Buffer.byteLength(position) <= POSITION_BYTES_MAX, `a position of source ${source} is too long`);
  const meta = run.closesPartition === true ? { source, partition, position, closes: true as const } : { source, partition, position };
  return run.moves === undefined ? meta : { ...meta, moves: [run.moves.from, run.moves.to] };
}
