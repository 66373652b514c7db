import { assert } from '../../contracts/assert.ts';
import { isWaybillError, WaybillError } from '../../contracts/errors.ts';
import type { Room } from '../../contracts/ledger.ts';
import type { Disk, DiskFile, Log } from '../../contracts/ports.ts';
import type { Identity } from './layout.ts';
import { frameBytes, SEGMENT_HEADER_BYTES, segmentHeader } from './layout.ts';
import { PAIRS_MAX, SparseIndex } from './sparse-index.ts';

/** Who asks for room. `control` may also use the reserved part. */
export type Purpose = 'events' | 'control';

/** A segment that is written to. Frames are placed at `tail`; zeros were written up to `allocated`. */
export interface OpenSegment {
  readonly ordinal: number;
  readonly file: DiskFile;
  readonly index: SparseIndex;
  first: number;
  tail: number;
  allocated: number;
  /** False until the prepared segment was renamed to its place, which must have happened before its first flush. */
  named: boolean;
}

/** How much a ledger may take, all in bytes. */
export interface SpaceLimits {
  readonly limitBytes: number;
  readonly segmentBytes: number;
  /**
   * Only control entries, the journal and the register may use the last of this. It is always written ahead, so that it is there on a
   * full disk.
   */
  readonly reservedBytes: number;
  /** How far ahead zeros are written. */
  readonly aheadBytes: number;
}

/** What `Space` needs from the rest of the ledger. */
export interface SpaceOptions {
  readonly disk: Disk;
  readonly log: Log;
  /** The directory of the segments. */
  readonly directory: string;
  readonly identity: Identity;
  readonly limits: SpaceLimits;
  readonly current: OpenSegment;
  /** Bytes of everything but the current segment. */
  readonly otherBytes: number;
  /** True while too much waits for its flush: then room for events has to wait too, so that memory is bounded. */
  readonly crowded: () => boolean;
  /** Called when the segment could not be written for a reason other than space. */
  readonly fail: (error: Error) => void;
}

interface Waiter {
  readonly bytes: number;
  readonly purpose: Purpose;
  resolve(room: ClaimedRoom): void;
  reject(error: Error): void;
}

/** Written ahead a slice at a time. Shared memory, so that the disk's own thread can read it without a copy. */
const ZEROS = Buffer.from(new SharedArrayBuffer(256 * 1024));
const PAGE_BYTES = 4096;

/** Room that is held until it is used or released; the second release does nothing. */
export class ClaimedRoom implements Room {
  readonly bytes: number;
  #space: Space | null;

  constructor(bytes: number, space: Space) {
    this.bytes = bytes;
    this.#space = space;
  }

  /** True until the room was used or released. */
  get held(): boolean {
    return this.#space !== null;
  }

  release(): void {
    const space = this.#space;
    this.#space = null;
    space?.returnRoom(this.bytes);
  }
}

/**
 * Room for frames. What is claimed always fits the zeros that were written behind the tail of the current segment, and a segment is only
 * turned when everything claimed fits the next one as well. So a frame whose room was claimed can always be placed, and no flush makes a
 * file longer.
 */
export class Space {
  readonly #options: SpaceOptions;
  readonly #waiting: Record<Purpose, Waiter[]> = { control: [], events: [] };
  #current: OpenSegment;
  #prepared: OpenSegment | null = null;
  #otherBytes: number;
  #claimed = 0;
  #growing = false;
  #preparing = false;
  #prepareAt = 0;
  readonly #running = new Set<Promise<void>>();
  #closed: Error | null = null;
  #limitBytes: number;

  constructor(options: SpaceOptions) {
    this.#options = options;
    this.#limitBytes = options.limits.limitBytes;
    this.#current = options.current;
    this.#otherBytes = options.otherBytes;
  }

  /** Bytes that the ledger takes on the disk. */
  get used(): number {
    return this.#otherBytes + this.#current.allocated + (this.#prepared?.allocated ?? 0);
  }

  /** How many bytes the ledger may take. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** Changes how many bytes the ledger may take. What it takes already stays. */
  changeLimit(limitBytes: number): void {
    this.#limitBytes = limitBytes;
    // The next segment may fit now.
    this.#prepareAt = 0;
  }

  /** Claims room at once, or answers `null` when that has to wait. */
  claim(bytes: number, purpose: Purpose): ClaimedRoom | null {
    if (this.#closed !== null || this.#capacity(purpose) < bytes) return null;
    if (purpose === 'events' && this.#options.crowded()) return null;
    this.#claimed += bytes;
    this.#prepareIfDue();
    if (this.#capacity('events') < this.#options.limits.aheadBytes / 2) this.#growLater();
    return new ClaimedRoom(bytes, this);
  }

  /** Claims room, waiting for the disk or for flushes if it must. Rejects with `LEDGER_FULL` when there is none to be had. */
  reserve(bytes: number, purpose: Purpose): Promise<ClaimedRoom> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const queue = this.#waiting[purpose];
    const room = queue.length === 0 ? this.claim(bytes, purpose) : null;
    if (room !== null) return Promise.resolve(room);
    return new Promise((resolve, reject) => {
      queue.push({ bytes, purpose, resolve, reject });
      this.#growLater();
    });
  }

  /** Takes back room that was used or is not needed. */
  returnRoom(bytes: number): void {
    this.#claimed -= bytes;
    assert(this.#claimed >= 0, 'more room was returned than claimed');
    this.serve();
  }

  /** Gives room to those who wait, as far as there is some. Called when something was flushed. */
  serve(): void {
    for (const purpose of ['control', 'events'] as const) {
      const queue = this.#waiting[purpose];
      for (let waiter = queue[0]; waiter !== undefined; waiter = queue[0]) {
        const room = this.claim(waiter.bytes, purpose);
        if (room === null) break;
        queue.shift();
        waiter.resolve(room);
      }
      if (queue[0] !== undefined && queue[0].bytes > this.#capacity(purpose)) this.#growLater();
    }
  }

  /** True when the seal of a clean close fits behind the tail. */
  hasSealRoom(): boolean {
    return this.#current.tail + frameBytes(0) <= this.#current.allocated;
  }

  /** True when the next segment is there and holds everything that is claimed. */
  canTurn(): boolean {
    if (this.#prepared === null || this.#preparing) return false;
    if (this.#prepared.allocated >= this.#preparedGoal() - this.#options.limits.aheadBytes) return true;
    this.#prepareIfDue();
    return false;
  }

  /** Makes the prepared segment the current one, beginning at this index. The caller has asked `canTurn`. */
  turn(first: number): OpenSegment {
    const next = this.#prepared;
    assert(next !== null, 'a segment was turned before the next one was prepared');
    this.#otherBytes += this.#current.allocated;
    this.#prepared = null;
    this.#prepareAt = 0;
    next.first = first;
    this.#current = next;
    return next;
  }

  /** Cuts the zeros off a segment that nothing more is written to, and closes it, while everything else goes on. */
  retire(segment: OpenSegment): void {
    this.#track(this.#retire(segment));
  }

  async #retire(segment: OpenSegment): Promise<void> {
    try {
      await segment.file.truncate(segment.tail);
      this.#otherBytes -= segment.allocated - segment.tail;
      await segment.file.close();
      this.serve();
    } catch (error) {
      // The zeros only cost space; the frames before them are whole.
      this.#options.log.warn('the zeros behind a full segment could not be cut off', { ordinal: segment.ordinal, error: String(error) });
    }
  }

  /** Notes that other files of the ledger grew or shrank. */
  account(bytes: number): void {
    this.#otherBytes += bytes;
  }

  /** Refuses everybody who waits and everybody who comes, waits for writes under way and closes the prepared segment. */
  async close(reason: Error): Promise<void> {
    this.refuse(reason);
    await Promise.all(this.#running);
    await this.#prepared?.file.close();
    this.#prepared = null;
  }

  /** Refuses everybody who waits and everybody who comes. */
  refuse(reason: Error): void {
    this.#closed ??= reason;
    for (const queue of [this.#waiting.control, this.#waiting.events]) {
      for (const waiter of queue.splice(0)) waiter.reject(this.#closed);
    }
  }

  /** Bytes behind the tail that nobody has claimed and that this purpose may use. */
  #capacity(purpose: Purpose): number {
    const free = this.#current.allocated - this.#current.tail - this.#claimed - sealBytes(this.#current.allocated);
    return purpose === 'control' ? free : free - this.#options.limits.reservedBytes;
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  #growLater(): void {
    if (this.#growing || this.#closed !== null) return;
    this.#growing = true;
    this.#track(this.#grow());
  }

  /** Writes zeros behind the current segment until everybody who waits has room, and some more; refuses those for whom there is none. */
  async #grow(): Promise<void> {
    let why: unknown = null;
    try {
      while (this.#closed === null) {
        this.serve();
        const segment = this.#current;
        const wanted = this.#goal() - segment.allocated;
        if (wanted <= 0) break;
        const slice = this.#slice(wanted);
        if (slice === 0) {
          why = limitReached(this.#limitBytes);
          break;
        }
        await segment.file.write(ZEROS.subarray(0, slice), segment.allocated);
        // The segment may have been turned meanwhile; then its zeros are about to be cut off.
        if (segment === this.#current) segment.allocated += slice;
      }
    } catch (error) {
      why = error;
      if (!isFull(error)) this.#options.fail(error as Error);
    }
    this.serve();
    if (why !== null) this.#refuseUnfit(why);
    // Only now, because who is served asks for more space when little is left.
    this.#growing = false;
  }

  #refuseUnfit(why: unknown): void {
    const error =
      isWaybillError(why) && why.code === 'LEDGER_FULL' ? why : new WaybillError('LEDGER_FULL', 'the disk is full', { cause: why });
    for (const purpose of ['control', 'events'] as const) {
      const unfit = this.#waiting[purpose].filter((waiter) => waiter.bytes > this.#capacity(purpose));
      if (unfit.length === 0) continue;
      this.#waiting[purpose] = this.#waiting[purpose].filter((waiter) => !unfit.includes(waiter));
      for (const waiter of unfit) waiter.reject(error);
    }
    this.serve();
  }

  /** How long the current segment should be. */
  #goal(): number {
    const { reservedBytes, aheadBytes } = this.#options.limits;
    let wanted = this.#claimed + reservedBytes + aheadBytes + sealBytes(this.#current.allocated + aheadBytes);
    for (const queue of [this.#waiting.control, this.#waiting.events]) for (const waiter of queue) wanted += waiter.bytes;
    return this.#current.tail + wanted;
  }

  /** How many zeros may be written at once, at most `wanted`; 0 at the limit. */
  #slice(wanted: number): number {
    const allowed = Math.min(wanted, ZEROS.length, this.#limitBytes - this.used);
    return allowed < wanted && allowed < PAGE_BYTES ? 0 : Math.max(0, allowed);
  }

  /** How long the prepared segment should be so that everything claimed and the reserved part fit it, and some more. */
  #preparedGoal(): number {
    const { reservedBytes, aheadBytes } = this.#options.limits;
    const wanted = this.#claimed + reservedBytes + aheadBytes;
    return SEGMENT_HEADER_BYTES + wanted + sealBytes(SEGMENT_HEADER_BYTES + wanted);
  }

  #prepareIfDue(): void {
    const { segmentBytes, aheadBytes } = this.#options.limits;
    const { tail, named } = this.#current;
    if (this.#preparing || this.#closed !== null || !named) return;
    if (tail + this.#claimed + 2 * aheadBytes < segmentBytes || tail < this.#prepareAt) return;
    if (this.#prepared !== null && this.#prepared.allocated >= this.#preparedGoal() - aheadBytes) return;
    this.#preparing = true;
    this.#track(this.#prepare());
  }

  /** Makes the next segment, or the one that is there longer. What fails here fails before anything depends on it. */
  async #prepare(): Promise<void> {
    const { disk, directory, identity, log } = this.#options;
    const path = `${directory}/prepared`;
    try {
      if (this.#prepared === null) {
        const file = await disk.open(path, 'create');
        const ordinal = this.#current.ordinal + 1;
        this.#prepared = { ordinal, file, index: new SparseIndex(), first: -1, tail: SEGMENT_HEADER_BYTES, allocated: 0, named: false };
        await file.truncate(0);
        await file.write(segmentHeader(identity, ordinal), 0);
        this.#prepared.allocated = SEGMENT_HEADER_BYTES;
      }
      for (;;) {
        const wanted = this.#preparedGoal() - this.#prepared.allocated;
        const slice = wanted > 0 ? this.#slice(wanted) : 0;
        if (slice === 0) break;
        // Flushed slice by slice, and the header with the first: the disk's thread also has the flushes of the stream to do in between.
        await this.#prepared.file.commit(ZEROS.subarray(0, slice), this.#prepared.allocated);
        this.#prepared.allocated += slice;
      }
      if (this.#prepared.allocated < this.#preparedGoal() - this.#options.limits.aheadBytes) throw limitReached(this.#limitBytes);
    } catch (error) {
      log.warn('the next segment could not be prepared; the current one goes on', { error: String(error) });
      await this.#discardPrepared(path);
    }
    // Without room for it now, it is tried again when the current segment has grown by something.
    this.#prepareAt = this.#current.tail + this.#options.limits.aheadBytes / 4;
    this.#preparing = false;
  }

  async #discardPrepared(path: string): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = null;
    try {
      await prepared?.file.close();
      await this.#options.disk.remove(path);
    } catch (error) {
      this.#options.log.warn('a segment that could not be prepared could not be removed', { error: String(error) });
    }
  }
}

/** What the seal of a segment of this length takes at most. */
function sealBytes(segmentBytes: number): number {
  return frameBytes(8 * Math.min(PAIRS_MAX, Math.ceil(segmentBytes / 65_536) + 2) + 8);
}

function limitReached(limitBytes: number): WaybillError {
  return new WaybillError('LEDGER_FULL', `the ledger has reached its limit of ${limitBytes} bytes`);
}

function isFull(error: unknown): boolean {
  return isWaybillError(error) && error.code === 'DISK_FULL';
}
