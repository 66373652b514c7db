/**
 * Brings a ledger's segments back to a state in which everything that counts is known to be durable, as `docs/formats/ledger-v1.md` has
 * it under Recovery. First everything is read and judged; only then, when nothing is damaged, the torn tail is removed and the last group
 * is written again.
 */
import { assert } from '../../contracts/assert.ts';
import type { Disk, DiskFile, Log } from '../../contracts/ports.ts';
import type { FrameHeader, Identity } from './layout.ts';
import { damaged, FLAG, FRAME_HEADER_BYTES, frameBytes, KIND, readSegmentHeader, SEGMENT_HEADER_BYTES, segmentFirst } from './layout.ts';
import { withFile } from './options.ts';
import { beginningOf } from './pruning.ts';
import type { Frame } from './scan.ts';
import { readWindow, scanFrames, searchHeaders } from './scan.ts';
import type { KeptSnapshot, Snapshot } from './snapshot.ts';
import { keptSnapshot, readSnapshots } from './snapshot.ts';
import { SparseIndex } from './sparse-index.ts';
import type { RunMeta } from './state.ts';
import { LedgerState, parseRunMeta } from './state.ts';

/** A segment that is on the disk. */
export interface FoundSegment {
  readonly ordinal: number;
  readonly first: number;
  readonly path: string;
}

/** Where a frame begins, and what comes with that place. */
export interface Place {
  readonly segment: FoundSegment;
  readonly at: number;
  /** The number of the frame that begins here. */
  readonly frame: number;
  /** The group of the frame before. */
  readonly group: number;
  /** The index that the next entry gets here. */
  readonly index: number;
}

/** What was found. Entries below `tail.index` are durable. */
export interface Recovered {
  readonly segments: readonly FoundSegment[];
  readonly state: LedgerState;
  readonly tail: Place;
  readonly tailIndex: SparseIndex;
  readonly beginning: number;
  /** The snapshots on the disk, newest first. */
  readonly snapshots: readonly KeptSnapshot[];
}

/** Reads the segments, or rejects with `LEDGER_CORRUPT` and has changed nothing. Repairs what a crash left. */
export async function recover(disk: Disk, path: string, identity: Identity, log: Log): Promise<Recovered> {
  const snapshots = await readSnapshots(disk, `${path}/snapshots`, identity.salt, log);
  const snapshot = snapshots[0] ?? null;
  const found = await findSegments(disk, `${path}/segments`, identity);
  const from = found.findIndex(({ first }) => first === (snapshot?.segment ?? 0));
  const start = found[from];
  if (start === undefined) throw damaged(`${path}/segments`, 0, `the segment that begins at ${snapshot?.segment ?? 0} is missing`);
  const walk = new Walk(snapshot, start);
  for (const segment of found.slice(from)) await readSegment(disk, segment, segment === found.at(-1), identity.salt, walk);
  if (walk.whole === null) throw damaged(walk.segment.path, walk.at, `frames below ${snapshot?.frame ?? 0} were durable and are missing`);
  const beginning = Math.max(snapshot?.beginning ?? 0, beginningOf(walk.state));
  const kept = found.filter(({ first }) => first >= beginning);
  if (kept[0]?.first !== beginning) throw damaged(`${path}/segments`, 0, `the segment that begins at ${beginning} is missing`);
  const repaired = await repair(disk, path, kept, walk);
  // What retention was removing when a crash came. One after another for good, so that those that are left have no gap.
  for (const segment of found.slice(0, found.length - kept.length)) {
    await disk.remove(segment.path);
    await disk.syncDirectory(`${path}/segments`);
  }
  await disk.syncDirectory(`${path}/segments`);
  return { ...repaired, beginning, snapshots: snapshots.map(keptSnapshot) };
}

/** Every segment with its header checked, ascending and without a gap. */
async function findSegments(disk: Disk, directory: string, identity: Identity): Promise<readonly FoundSegment[]> {
  const found: FoundSegment[] = [];
  for (const name of await disk.list(directory)) {
    const first = segmentFirst(name);
    if (first === null) continue;
    const path = `${directory}/${name}`;
    const ordinal = await withFile(disk, path, 'read', async (file) =>
      readSegmentHeader(await file.read(0, SEGMENT_HEADER_BYTES), identity),
    );
    if (ordinal === null) throw damaged(path, 0, 'the header is not one of this ledger');
    const before = found.at(-1);
    if (before !== undefined && ordinal !== before.ordinal + 1)
      throw damaged(path, 0, `segment ${before.ordinal + 1} is missing before it`);
    found.push({ ordinal, first, path });
  }
  if (found.length === 0) throw damaged(directory, 0, 'there is no segment');
  return found;
}

/**
 * Checks that frames continue one another, applies those that the snapshot does not cover, and remembers the last place where no run is
 * open.
 */
class Walk {
  readonly state: LedgerState;
  readonly #applyFrom: number;
  #run: { readonly meta: RunMeta; count: number } | null = null;
  /** The number of the frame expected next; -1 while nothing is known about it. */
  frame: number;
  /** The group and the place of the last frame; -1 while nothing is known about them. */
  group: number;
  #place = -1;
  index: number;
  at = SEGMENT_HEADER_BYTES;
  segment: FoundSegment;
  /** True when the last frame ends its segment. */
  sealed = false;
  whole: Place | null = null;
  wholeSparse = new SparseIndex();
  #sparse = new SparseIndex();
  /** Full segments whose zeros were not cut off before the process ended. */
  readonly uncut: { readonly path: string; readonly end: number }[] = [];
  /** Where each group begins, from the one that holds the frame before the last whole place on. */
  groups: { readonly segment: FoundSegment; readonly at: number; readonly group: number }[] = [];

  constructor(snapshot: Snapshot | null, segment: FoundSegment) {
    this.state = new LedgerState(snapshot ?? undefined);
    this.#applyFrom = snapshot?.frame ?? 0;
    this.segment = segment;
    this.index = segment.first;
    // A snapshot covers some frames of its segment, and does not say which ones those are.
    this.frame = snapshot === null ? 0 : -1;
    this.group = snapshot === null ? 0 : -1;
  }

  /** Goes on in another segment. */
  enter(segment: FoundSegment): void {
    this.segment = segment;
    this.at = SEGMENT_HEADER_BYTES;
    this.sealed = false;
    this.#sparse = new SparseIndex();
    if (this.#run === null && this.frame >= this.#applyFrom) this.#rememberWhole();
  }

  /** Takes the next frame in, or answers false when it does not continue the one before. */
  take(frame: Frame): boolean {
    const { header } = frame;
    if (!this.#continues(header)) return false;
    if (header.place === 0 || this.groups.length === 0) this.groups.push({ segment: this.segment, at: frame.at, group: header.group });
    this.#apply(frame);
    this.frame = header.frame + 1;
    this.group = header.group;
    this.#place = header.place;
    this.sealed = header.kind === KIND.seal && (header.flags & FLAG.segmentEnd) !== 0;
    this.at = frame.at + frameBytes(header.payloadBytes);
    if (this.#run === null && this.frame >= this.#applyFrom) this.#rememberWhole();
    return true;
  }

  #continues(header: FrameHeader): boolean {
    if (header.first !== this.index) return false;
    if (this.frame < 0) return true;
    const sameGroup = header.group === this.group && header.place === this.#place + 1 && this.#place >= 0;
    return header.frame === this.frame && (sameGroup || (header.group === this.group + 1 && header.place === 0));
  }

  #apply({ header, window, inWindow, at }: Frame): void {
    const payload = inWindow + FRAME_HEADER_BYTES;
    const text = (from: number): string => window.bytes.toString('utf8', payload + from, payload + header.payloadBytes);
    const applies = header.frame >= this.#applyFrom;
    if (header.kind === KIND.run) {
      if (header.count > 0) this.#sparse.add(header.first - this.segment.first, at);
      this.index += header.count;
      if (applies) this.#applyPart(header, at, text);
    } else if (header.kind === KIND.journal || header.kind === KIND.register) {
      if (applies && this.#run !== null) throw damaged(this.segment.path, at, 'another frame stands between the parts of a run');
      if (applies && header.kind === KIND.journal) this.state.applyJournal(text(0));
      if (applies && header.kind === KIND.register) this.state.applyRegister(text(0));
    } else if (header.kind !== KIND.seal) {
      throw damaged(this.segment.path, at, `a frame has the unknown kind ${header.kind}`);
    }
  }

  #applyPart(header: FrameHeader, at: number, text: (from: number) => string): void {
    if (((header.flags & FLAG.first) !== 0) !== (this.#run === null)) throw damaged(this.segment.path, at, 'a part of a run is missing');
    this.#run ??= { meta: parseRunMeta(text(header.payloadBytes - header.metaBytes)), count: 0 };
    this.#run.count += header.count;
    if ((header.flags & FLAG.last) === 0) return;
    this.state.applyRun(this.#run.meta, this.#run.count);
    this.#run = null;
  }

  #rememberWhole(): void {
    this.whole = { segment: this.segment, at: this.at, frame: this.frame, group: this.group, index: this.index };
    this.wholeSparse = this.#sparse;
    // Only the last group before this place may have to be written again.
    this.groups.splice(0, this.groups.length - 1);
  }
}

/** Reads one segment to its end and judges what stands behind its last frame. */
async function readSegment(disk: Disk, segment: FoundSegment, isLast: boolean, salt: number, walk: Walk): Promise<void> {
  if (segment.first !== walk.index) throw damaged(segment.path, 0, `entries from ${walk.index} on are missing before it`);
  walk.enter(segment);
  await withFile(disk, segment.path, 'read', async (file) => {
    const length = await file.length();
    const end = await scanFrames(file, SEGMENT_HEADER_BYTES, length, salt, (frame) => walk.take(frame));
    if (!isLast) {
      if (!walk.sealed) throw damaged(segment.path, end, 'a frame was changed or is missing');
      if (length > end) walk.uncut.push({ path: segment.path, end });
      return;
    }
    await searchHeaders(file, end, length, salt, (header) => {
      const began = header.frame - header.place;
      if (header.group > walk.group + 1 || (header.group === walk.group + 1 && began > walk.frame)) {
        throw damaged(
          segment.path,
          end,
          `frame ${walk.frame} was changed or is missing, although group ${header.group} was written after it`,
        );
      }
    });
  });
}

/** Removes what nobody was told of, and makes sure that the rest is on the disk. */
async function repair(
  disk: Disk,
  path: string,
  kept: readonly FoundSegment[],
  walk: Walk,
): Promise<Omit<Recovered, 'beginning' | 'snapshots'>> {
  const { whole, groups } = walk;
  assert(whole !== null, 'a walk ended without a place where no run is open');
  const segments = kept.filter((segment) => segment.ordinal <= whole.segment.ordinal);
  const dropped = kept.slice(segments.length);
  assert(dropped.length <= 1, 'an incomplete run reaches over more than two segments');
  for (const segment of dropped) await disk.remove(segment.path);
  if (dropped.length > 0) await disk.syncDirectory(`${path}/segments`);
  await withFile(disk, whole.segment.path, 'existing', async (file) => {
    let end = await file.length();
    if (whole.segment === walk.segment) end = await clear(file, walk.at, end);
    const incomplete = groups.filter((group) => group.segment === whole.segment && group.at > whole.at);
    // From the last group to the first, each for good before the next: a later group that survived an earlier one would look like damage.
    for (const { at } of incomplete.toReversed()) end = await clear(file, at, end);
    await clear(file, whole.at, end);
    const lastGroup = groups[0];
    if (lastGroup !== undefined && lastGroup.segment === whole.segment && lastGroup.at < whole.at) {
      // Its flush may have been lost with the process that asked for it: the page cache is not the disk.
      await file.commit((await readWindow(file, lastGroup.at, whole.at - lastGroup.at)).bytes, lastGroup.at);
    }
  });
  for (const { path: uncut, end } of walk.uncut.filter((segment) => segment.path !== whole.segment.path)) {
    await withFile(disk, uncut, 'existing', (file) => file.truncate(end));
  }
  walk.wholeSparse.cut(whole.at);
  return { segments, state: walk.state, tail: whole, tailIndex: walk.wholeSparse };
}

/** Zeroes the bytes from `at` to `end`, for good, when they are not zero already. Answers `at`. */
async function clear(file: DiskFile, at: number, end: number): Promise<number> {
  const lastByte = await searchHeaders(file, at, end, 0, () => undefined);
  if (lastByte > at) {
    await file.write(new Uint8Array(lastByte - at), at);
    await file.sync();
  }
  return at;
}
