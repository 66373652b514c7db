import { assert } from '../../contracts/assert.ts';
import { WaybillError } from '../../contracts/errors.ts';
import type { Run } from '../../contracts/ledger.ts';
import type { Disk } from '../../contracts/ports.ts';
import type { Block } from './block.ts';
import {
  FLAG,
  FRAME_HEADER_BYTES,
  frameBytes,
  KIND,
  PAYLOAD_BYTES_TARGET,
  SEAL_TRAILER,
  SEGMENT_ENTRIES,
  segmentName,
  writeFrameHeader,
} from './layout.ts';
import type { Ring } from './ring.ts';
import type { OpenSegment, Space } from './space.ts';
import type { RunMeta } from './state.ts';

/** Told when a group has become durable, before the next one is written. */
export interface Settle {
  resolve(): void;
  reject(error: Error): void;
}

/** What the commit stream needs from the rest of the ledger. */
export interface StreamOptions {
  readonly disk: Disk;
  /** The directory of the segments. */
  readonly directory: string;
  readonly salt: number;
  readonly segmentBytes: number;
  readonly groupBytes: number;
  readonly ring: Ring;
  readonly space: Space;
  readonly start: { readonly frame: number; readonly group: number; readonly index: number; readonly segment: OpenSegment };
  /** Called when a new segment takes the place of another in the order; its name is not there yet. */
  readonly turned: (next: OpenSegment) => void;
  /** Called after each flush, with the group that is durable now, before those who wait for it are told. */
  readonly flushed: (group: Group) => void;
  readonly failed: (error: Error) => void;
}

/** Frames that are written and flushed together: one contiguous range of one segment. */
export interface Group {
  readonly number: number;
  readonly segment: OpenSegment;
  readonly at: number;
  bytes: number;
  frames: number;
  /** The number of entries once this group is durable: only whole runs count. */
  size: number;
  readonly pieces: { readonly block: Block; readonly from: number; to: number }[];
  readonly settle: Settle[];
}

const STAGE_BYTES_MIN = 256 * 1024;

/**
 * The commit stream: frames are numbered and copied at once, and flushed in groups. While one flush runs the next group gathers; there is
 * no timer. A group is only written after the flush of the one before has returned, which is what recovery relies on.
 */
export class CommitStream {
  readonly #options: StreamOptions;
  readonly #queue: Group[] = [];
  #segment: OpenSegment;
  #gathering: Group;
  #frame: number;
  #index: number;
  #wholeIndex: number;
  #durableFrame: number;
  #backlogBytes = 0;
  #flushing: Promise<void> | null = null;
  #retiring: OpenSegment | null = null;
  #failure: Error | null = null;
  #stage: Buffer;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#segment = options.start.segment;
    this.#frame = options.start.frame;
    this.#durableFrame = options.start.frame;
    this.#index = options.start.index;
    this.#wholeIndex = options.start.index;
    this.#stage = shared(Math.min(STAGE_BYTES_MIN, options.groupBytes));
    this.#gathering = this.#newGroup(options.start.group);
  }

  /** The index that the next entry gets. */
  get index(): number {
    return this.#index;
  }

  /** Where the next frame goes, and its number. Between two calls a run never spans this place. */
  get place(): { readonly frame: number; readonly group: number; readonly segment: OpenSegment; readonly at: number } {
    const group = this.#gathering.frames > 0 ? this.#gathering.number : this.#gathering.number - 1;
    return { frame: this.#frame, group, segment: this.#segment, at: this.#segment.tail };
  }

  /** Every frame below this number is durable. */
  get durableFrame(): number {
    return this.#durableFrame;
  }

  /** Bytes that wait for their flush. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Places a run, in as many parts as it takes. It is durable when `settle` is told. */
  appendRun(run: Run, meta: RunMeta, settle: Settle): void {
    assert(this.#failure === null, 'a run was appended to a ledger that had failed');
    const metaBytes = Buffer.from(JSON.stringify(meta));
    let from = 0;
    do {
      this.#turnIfDue();
      const to = this.#cut(run, from);
      this.#placePart(run, from, to, from === 0 ? metaBytes : null);
      from = to;
    } while (from < run.count);
    this.#wholeIndex = this.#index;
    this.#closePlacing(settle);
  }

  /** Places a journal or register record. It is durable when `settle` is told. */
  appendRecord(kind: typeof KIND.journal | typeof KIND.register, payload: Buffer, settle: Settle): void {
    assert(this.#failure === null, 'a record was appended to a ledger that had failed');
    this.#turnIfDue();
    this.#placePayload(kind, 0, payload);
    this.#closePlacing(settle);
  }

  /** Places the seal of a clean close in a group of its own: everything before it is durable already. */
  appendSeal(settle: Settle): void {
    assert(this.#flushing === null && this.#gathering.frames === 0, 'a seal was placed before everything was durable');
    this.#placePayload(KIND.seal, 0, Buffer.alloc(0));
    this.#closePlacing(settle);
  }

  /** Resolves once nothing waits for a flush. */
  async idle(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
  }

  /** Takes nothing more and tells everybody who waits. */
  fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    const lost = [...this.#queue.splice(0), this.#gathering].flatMap((group) => group.settle.splice(0));
    for (const settle of lost) settle.reject(error);
  }

  /** The file whose segment is full but not yet closed, when the stream ends before it was. */
  get open(): readonly OpenSegment[] {
    return this.#retiring === null ? [this.#segment] : [this.#retiring, this.#segment];
  }

  #newGroup(number: number): Group {
    return { number, segment: this.#segment, at: this.#segment.tail, bytes: 0, frames: 0, size: this.#wholeIndex, pieces: [], settle: [] };
  }

  /** Where a part of a run that begins at entry `from` ends: at the end of the run, of the segment or of a fair payload. */
  #cut(run: Run, from: number): number {
    let to = run.count;
    if (this.#atTarget() && this.#options.space.canTurn()) to = Math.min(to, from + SEGMENT_ENTRIES - (this.#index % SEGMENT_ENTRIES));
    const { offsets } = run;
    const start = offsets[from] as number;
    const fits = (end: number): boolean => (offsets[end] as number) - start + 4 * (end - from + 1) <= PAYLOAD_BYTES_TARGET;
    if (to <= from + 1 || fits(to)) return to;
    let end = from + 1;
    while (fits(end + 1)) end++;
    return end;
  }

  #placePart(run: Run, from: number, to: number, meta: Buffer | null): void {
    const count = to - from;
    const start = count > 0 ? (run.offsets[from] as number) : 0;
    const dataBytes = count > 0 ? (run.offsets[to] as number) - start : 0;
    const metaBytes = meta === null ? 0 : meta.length;
    const payloadBytes = 4 * (count + 1) + dataBytes + metaBytes;
    const { block, at } = this.#begin(frameBytes(payloadBytes));
    const { bytes, words } = block.window;
    const tableAt = at + FRAME_HEADER_BYTES;
    const table = tableAt >>> 2;
    words[table] = 0;
    for (let k = 1; k <= count; k++) words[table + k] = (run.offsets[from + k] as number) - start;
    const dataAt = tableAt + 4 * (count + 1);
    bytes.set(run.bytes.subarray(start, start + dataBytes), dataAt);
    if (meta !== null) bytes.set(meta, dataAt + dataBytes);
    const flags = (from === 0 ? FLAG.first : 0) | (to === run.count ? FLAG.last : 0);
    this.#finish(block, at, { kind: KIND.run, flags, count, payloadBytes, metaBytes });
    if (count === 0) return;
    block.add(this.#index, count, tableAt);
    this.#segment.index.add(this.#index - this.#segment.first, this.#segment.tail - frameBytes(payloadBytes));
    this.#index += count;
  }

  #placePayload(kind: number, flags: number, payload: Buffer): void {
    const { block, at } = this.#begin(frameBytes(payload.length));
    block.window.bytes.set(payload, at + FRAME_HEADER_BYTES);
    this.#finish(block, at, { kind, flags, count: 0, payloadBytes: payload.length, metaBytes: 0 });
  }

  /** Finds memory for a frame of so many bytes. */
  #begin(total: number): { readonly block: Block; readonly at: number } {
    if (this.#gathering.frames > 0 && this.#gathering.bytes + total > this.#options.groupBytes) this.#closeGroup();
    return this.#options.ring.place(total);
  }

  /** Numbers the frame whose payload is in place at `at`, and counts it to the group that gathers. */
  #finish(block: Block, at: number, facts: { kind: number; flags: number; count: number; payloadBytes: number; metaBytes: number }): void {
    const group = this.#gathering;
    const total = frameBytes(facts.payloadBytes);
    const end = at + total;
    // Fresh memory holds anything; what pads the frame must be zero.
    block.window.bytes.fill(0, at + FRAME_HEADER_BYTES + facts.payloadBytes, end);
    const header = { ...facts, frame: this.#frame, group: group.number, first: this.#index, place: group.frames };
    writeFrameHeader(block.window, at, this.#options.salt, header);
    this.#options.ring.take(total);
    const last = group.pieces.at(-1);
    if (last !== undefined && last.block === block) last.to = end;
    else group.pieces.push({ block, from: at, to: end });
    group.bytes += total;
    group.frames++;
    this.#frame++;
    this.#segment.tail += total;
    this.#backlogBytes += total;
    assert(this.#segment.tail <= this.#segment.allocated, 'a frame was placed where no space was written');
  }

  #closePlacing(settle: Settle): void {
    this.#gathering.size = this.#wholeIndex;
    this.#gathering.settle.push(settle);
    this.#flushing ??= this.#flush();
  }

  #closeGroup(): void {
    this.#queue.push(this.#gathering);
    this.#gathering = this.#newGroup(this.#gathering.number + 1);
  }

  #atTarget(): boolean {
    return this.#segment.tail >= this.#options.segmentBytes;
  }

  /** Ends the segment when it has its size, the next one is ready, and no entry bundle would span the two. */
  #turnIfDue(): void {
    const segment = this.#segment;
    if (!this.#atTarget() || this.#index % SEGMENT_ENTRIES !== 0 || this.#index === segment.first || !this.#options.space.canTurn()) return;
    this.#placePayload(KIND.seal, FLAG.segmentEnd, sealPayload(segment));
    this.#retiring = segment;
    this.#segment = this.#options.space.turn(this.#index);
    this.#closeGroup();
    this.#options.turned(this.#segment);
  }

  async #flush(): Promise<void> {
    try {
      // What the same turn of the event loop still appends belongs to the same group.
      await Promise.resolve();
      for (let group = this.#nextGroup(); group !== null && this.#failure === null; group = this.#nextGroup()) {
        if (!group.segment.named) await this.#name(group.segment);
        await group.segment.file.commit(this.#staged(group), group.at);
        // Who waited was told of the failure; whether the group is durable shows when the ledger is opened again.
        if (this.#failure === null) this.#settle(group);
      }
    } catch (error) {
      this.#options.failed(new WaybillError('LEDGER_FAILED', `a flush of the ledger failed: ${String(error)}`, { cause: error }));
    }
    this.#flushing = null;
  }

  #nextGroup(): Group | null {
    if (this.#queue.length === 0 && this.#gathering.frames > 0) this.#closeGroup();
    return this.#queue[0] ?? null;
  }

  #settle(group: Group): void {
    assert(this.#queue.shift() === group, 'groups were flushed out of their order');
    this.#backlogBytes -= group.bytes;
    this.#durableFrame += group.frames;
    this.#options.flushed(group);
    for (const settle of group.settle) settle.resolve();
  }

  /** Gives the prepared segment its name. Its header was synced before, and everything in the segment before it is durable. */
  async #name(segment: OpenSegment): Promise<void> {
    const { disk, directory } = this.#options;
    await disk.rename(`${directory}/prepared`, `${directory}/${segmentName(segment.first)}`);
    await disk.syncDirectory(directory);
    segment.named = true;
    if (this.#retiring !== null) this.#options.space.retire(this.#retiring);
    this.#retiring = null;
  }

  /** Copies a group into memory that the disk's own thread can read, so that nothing else is copied on the way. */
  #staged(group: Group): Buffer {
    if (group.bytes > this.#stage.length) this.#stage = shared(Math.max(group.bytes, Math.min(2 * group.bytes, this.#options.groupBytes)));
    let at = 0;
    for (const { block, from, to } of group.pieces) {
      this.#stage.set(block.window.bytes.subarray(from, to), at);
      at += to - from;
    }
    return this.#stage.subarray(0, at);
  }
}

/** The sparse index of a full segment and the way back to its beginning. */
function sealPayload(segment: OpenSegment): Buffer {
  const pairs = segment.index.pairs();
  const payload = Buffer.alloc(pairs.byteLength + 8);
  payload.set(new Uint8Array(pairs.buffer, pairs.byteOffset, pairs.byteLength));
  payload.writeUInt32LE(SEAL_TRAILER, pairs.byteLength);
  payload.writeUInt32LE(frameBytes(payload.length) / 8, pairs.byteLength + 4);
  return payload;
}

function shared(bytes: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(bytes));
}
