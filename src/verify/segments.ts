import type { Clock, Files } from '../contracts/ports.ts';
import type { FindingPiece, HeadPiece, Piece } from './copy.ts';
import type { FindingCode } from './findings.ts';
import { FLAG, type Found, type FrameHeader, HEADER_BYTES, KIND, readEntries, readSegmentHeader, SegmentReader, saltOf } from './frames.ts';
import type { EntryBytes } from './hashing.ts';

/** How long a ledger that somebody writes to may take to get a head over what was read: after this nobody is at work. */
const HEAD_PATIENCE_MS = 3_000;
const LOOK_AGAIN_MS = 100;

/** A segment by its name. */
export interface SegmentName {
  /** The index of its first entry. */
  readonly first: number;
  /** Relative to the ledger. */
  readonly file: string;
}

/** What the walk needs to know of the ledger. */
export interface SegmentsPlace {
  readonly path: string;
  readonly id: string;
  readonly files: Files;
  readonly clock: Clock;
}

/** The names of the segments in order, and those that are none. */
export async function listSegments({ files, path }: SegmentsPlace): Promise<{ segments: SegmentName[]; others: string[] }> {
  const names = (await files.list(`${path}/segments`)) ?? [];
  return {
    segments: names.filter(isSegment).map((name) => ({ first: Number(name.slice(0, 20)), file: `segments/${name}` })),
    others: names.filter((name) => !isSegment(name) && name !== 'prepared').map((name) => `segments/${name}`),
  };
}

function isSegment(name: string): boolean {
  return /^\d{20}\.seg$/.test(name) && Number.isSafeInteger(Number(name.slice(0, 20)));
}

/** Walks through all frames of a ledger in their order, and says where they do not follow one another. */
export class SegmentWalk {
  /** The size of the newest head that a frame records. */
  sealed = 0;
  readonly #place: SegmentsPlace;
  readonly #headsOf: (value: string, file: string) => readonly HeadPiece[];
  #index = 0;
  #frame: number | null = null;
  #group = 0;
  #placeInGroup = 0;
  #ordinal: number | null = null;
  #openRun = false;
  #seenEnd: number | null = null;
  #waited = 0;
  #grew = false;

  constructor(place: SegmentsPlace, headsOf: (value: string, file: string) => readonly HeadPiece[]) {
    this.#place = place;
    this.#headsOf = headsOf;
  }

  /** True when somebody wrote and sealed while this was read: what lies behind the newest head belongs to a later one. */
  get growing(): boolean {
    return this.#grew && this.#isEnd();
  }

  /** Every piece, from the first segment to the end that somebody's head covers, or to the end of the last one. */
  async *pieces(): AsyncGenerator<Piece> {
    let { segments } = await listSegments(this.#place);
    const [oldest] = segments;
    if (oldest === undefined) {
      yield finding('FILE_MISSING', 'there is no segment', 'segments', 0);
      return;
    }
    if (oldest.first > 0) {
      yield { kind: 'gap', first: 0, end: oldest.first, declared: true };
      this.#index = oldest.first;
    }
    const walked = new Set<string>();
    for (;;) {
      const [segment, next] = segments;
      if (segment === undefined || this.#isEnd()) return;
      yield* this.#segment(segment, next ?? null);
      walked.add(segment.file);
      // A segment that was the last one may have got a next one meanwhile.
      segments =
        next === undefined ? (await listSegments(this.#place)).segments.filter(({ file }) => !walked.has(file)) : segments.slice(1);
    }
  }

  async *#segment(segment: SegmentName, next: SegmentName | null): AsyncGenerator<Piece> {
    if (segment.first < this.#index) {
      yield finding(
        'FILE_EXTRA',
        `${segment.file} begins with entry ${segment.first}, which another segment has`,
        segment.file,
        segment.first,
      );
      return;
    }
    yield* this.#gapTo(segment.first, 'FILE_MISSING', 'the segment that holds them is not there', segment.file);
    const file = await this.#place.files.open(`${this.#place.path}/${segment.file}`);
    if (file === null) {
      yield finding('FILE_MISSING', `${segment.file} was removed while the ledger was read`, segment.file, segment.first);
      return;
    }
    try {
      const { id } = this.#place;
      const header = await file.read(0, HEADER_BYTES);
      const ordinal = readSegmentHeader(Buffer.from(header.buffer, header.byteOffset, header.byteLength), id);
      if (ordinal === null || (this.#ordinal !== null && ordinal !== this.#ordinal + 1)) {
        yield finding(
          'BYTES_DAMAGED',
          `the header of ${segment.file} is not the one of this segment of this ledger`,
          segment.file,
          segment.first,
        );
      }
      this.#ordinal = ordinal ?? (this.#ordinal === null ? null : this.#ordinal + 1);
      yield* this.#frames(new SegmentReader(file, saltOf(id)), segment.file, next);
    } finally {
      await file.close();
    }
  }

  async *#frames(reader: SegmentReader, file: string, next: SegmentName | null): AsyncGenerator<Piece> {
    let ended = false;
    for (let at = HEADER_BYTES; ; ) {
      let found = await reader.at(at);
      if (next === null && !ended && !isWhole(found)) found = await this.#wait(reader, at, found);
      if (found.is === 'frame' && !ended) {
        yield* this.#takeFrame(found, file, at);
        ended = found.header.kind === KIND.seal && (found.header.flags & FLAG.segmentEnd) !== 0;
        at += found.bytes;
        if (this.#isEnd()) return;
        continue;
      }
      if (found.is === 'end') {
        if (next !== null && !ended) yield* this.#gapTo(next.first, 'BYTES_DAMAGED', `${file} ends at byte ${at} without its seal`, file);
        if (next === null && !ended && this.#openRun)
          yield finding('WRITE_UNFINISHED', `the last entries of ${file} are not whole`, file, null);
        return;
      }
      if (ended) {
        yield finding('BYTES_EXTRA', `${file} has bytes behind its end, from byte ${at} on`, file, null);
        return;
      }
      const after = await reader.next(at + 8);
      if (after === null) {
        if (next === null)
          yield finding('WRITE_UNFINISHED', `${file} has bytes behind its last whole frame, from byte ${at} on`, file, null);
        else yield* this.#gapTo(next.first, 'BYTES_DAMAGED', `${file} is damaged from byte ${at} to its end`, file);
        return;
      }
      const what = `${file} is damaged from byte ${at} to ${after.at - 1}`;
      if (after.header.first > this.#index) yield* this.#gapTo(after.header.first, 'BYTES_DAMAGED', what, file);
      else yield finding('BYTES_DAMAGED', what, file, null);
      this.#follow(after.header);
      at = after.at;
    }
  }

  *#takeFrame(found: Found & { readonly is: 'frame' }, file: string, at: number): Generator<Piece> {
    const { header, payload, intact } = found;
    if (header.first > this.#index)
      yield* this.#gapTo(header.first, 'BYTES_DAMAGED', `frames are missing in ${file} in front of byte ${at}`, file);
    else if (header.first < this.#index) {
      yield finding('BYTES_EXTRA', `${file} has entries from ${header.first} on once more at byte ${at}`, file, header.first);
      this.#follow(header, 1);
      return;
    } else if (!this.#follows(header)) {
      yield finding('BYTES_DAMAGED', `the frame at byte ${at} of ${file} does not follow the one in front of it`, file, header.first);
    }
    this.#follow(header, 1);
    if (!intact)
      yield {
        ...finding('BYTES_DAMAGED', `the frame at byte ${at} of ${file} fails its checksum`, file, null),
        covers: [header.first, header.first + header.count],
      };
    if (header.kind === KIND.run) yield* this.#takeRun(header, payload, file);
    else if (header.kind === KIND.register) yield* this.#takeRegister(payload, file);
    else if (header.kind !== KIND.journal && header.kind !== KIND.seal) {
      yield finding(
        'FORMAT_UNKNOWN',
        `the frame at byte ${at} of ${file} has the kind ${header.kind}, which is not known`,
        file,
        header.first,
      );
    }
  }

  *#takeRun(header: FrameHeader, payload: Buffer, file: string): Generator<Piece> {
    this.#openRun = (header.flags & FLAG.last) === 0;
    if (header.count === 0) return;
    const places = readEntries(payload, header);
    const end = header.first + header.count;
    if (places === null) yield { kind: 'gap', first: header.first, end, declared: false };
    else yield { kind: 'entries', first: header.first, bytes: payload, ...places, file };
    this.#index = end;
  }

  *#takeRegister(payload: Buffer, file: string): Generator<Piece> {
    const value = registerValue(payload, 'tree.head');
    if (value === null) return;
    for (const head of this.#headsOf(value, file)) {
      yield head;
      this.sealed = Math.max(this.sealed, head.size);
    }
  }

  *#gapTo(first: number, code: 'FILE_MISSING' | 'BYTES_DAMAGED', what: string, file: string): Generator<Piece> {
    if (first <= this.#index) {
      if (code === 'BYTES_DAMAGED') yield finding(code, what, file, null);
      return;
    }
    yield finding(code, `entries ${this.#index} to ${first - 1} are not there: ${what}`, file, this.#index);
    yield { kind: 'gap', first: this.#index, end: first, declared: false };
    this.#index = first;
    this.#frame = null;
  }

  #follows(header: FrameHeader): boolean {
    if (this.#frame === null) return true;
    if (header.frame !== this.#frame) return false;
    return header.group === this.#group ? header.place === this.#placeInGroup : header.group === this.#group + 1 && header.place === 0;
  }

  /** What the next frame has to say, after this one or (`step` 0) as this one. */
  #follow(header: FrameHeader, step = 0): void {
    this.#frame = header.frame + step;
    this.#group = header.group;
    this.#placeInGroup = header.place + step;
  }

  /** Whether a head covers everything that was there when the end was first met. */
  #isEnd(): boolean {
    return this.#seenEnd !== null && this.sealed >= this.#seenEnd;
  }

  /**
   * In the last segment somebody may be writing: what is not whole may be on its way, and so may a head over what was read. Where nothing
   * has come for a while, nobody is at work.
   */
  async #wait(reader: SegmentReader, at: number, found: Found): Promise<Found> {
    if (found.is === 'end') this.#seenEnd ??= this.#index;
    let last = found;
    while ((last.is !== 'end' || !this.#isEnd()) && this.#waited < HEAD_PATIENCE_MS) {
      this.#waited += LOOK_AGAIN_MS;
      await this.#place.clock.sleep(LOOK_AGAIN_MS);
      reader.forget();
      last = await reader.at(at);
      if (last.is === 'end') this.#seenEnd ??= this.#index;
      if (!isWhole(last)) continue;
      this.#grew = true;
      this.#waited = 0;
      return last;
    }
    return last;
  }
}

function isWhole(found: Found): boolean {
  return found.is === 'frame' && found.intact;
}

/** The entries of a bundle, found by reading its segment from its beginning; `null` where they are not whole. */
export async function readBundleAgain(place: SegmentsPlace, segment: SegmentName, n: number): Promise<EntryBytes | null> {
  const file = await place.files.open(`${place.path}/${segment.file}`);
  if (file === null) return null;
  try {
    const reader = new SegmentReader(file, saltOf(place.id));
    const parts: { bytes: Uint8Array; starts: number[]; ends: number[] } = { bytes: new Uint8Array(0), starts: [], ends: [] };
    const pieces: Buffer[] = [];
    let length = 0;
    for (let at = HEADER_BYTES; parts.starts.length < 256; ) {
      const found = await reader.at(at);
      if (found.is !== 'frame') break;
      at += found.bytes;
      const { header, payload } = found;
      if (header.kind !== KIND.run || header.first + header.count <= 256 * n) continue;
      if (header.first >= 256 * (n + 1)) break;
      const places = readEntries(payload, header);
      if (places === null || header.first > 256 * n + parts.starts.length) return null;
      const from = Math.max(0, 256 * n - header.first);
      const until = Math.min(header.count, 256 * (n + 1) - header.first);
      for (let k = from; k < until; k += 1) {
        const entry = Buffer.from(payload.subarray(places.starts[k], places.ends[k]));
        pieces.push(entry);
        parts.starts.push(length);
        length += entry.length;
        parts.ends.push(length);
      }
    }
    return { bytes: Buffer.concat(pieces), starts: Uint32Array.from(parts.starts), ends: Uint32Array.from(parts.ends) };
  } finally {
    await file.close();
  }
}

/** The value that a register frame sets this key to; `null` for another key. */
export function registerValue(payload: Uint8Array, key: string): string | null {
  try {
    const record: unknown = JSON.parse(new TextDecoder().decode(payload));
    return Array.isArray(record) && record[0] === 'set' && record[1] === key && typeof record[2] === 'string' ? record[2] : null;
  } catch {
    return null;
  }
}

function finding(code: FindingCode, message: string, file: string, index: number | null): FindingPiece {
  return { kind: 'finding', code, message, file, index };
}
