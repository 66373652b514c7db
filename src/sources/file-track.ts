import type { FileFacts, Files } from '../contracts/ports.ts';
import type { SourceEvent } from '../contracts/source.ts';
import { type FileContent, openContent } from './file-content.ts';
import { type LineFormat, LONG_LINE_KEPT_BYTES, linesOf, longLine } from './file-lines.ts';
import { type FilePlace, HEAD_BYTES, originOf, printOf, TAIL_BYTES } from './file-place.ts';

/** A file that a look found. */
export interface FoundFile {
  /** Device and inode as one word. */
  readonly id: string;
  readonly path: string;
  readonly facts: FileFacts;
}

/** What a read gave: events with the place behind them, or why there are none. */
export type Piece =
  | { readonly kind: 'lines'; readonly events: readonly SourceEvent[]; readonly place: FilePlace; readonly bytes: number }
  /** Nothing whole is left; `rest` bytes of a line without an end are there. */
  | { readonly kind: 'end'; readonly rest: number }
  /** What was read before is no longer there. */
  | { readonly kind: 'changed' };

/** How much is read at once: a longer line is no event. */
export const PIECE_BYTES = 262_144;

const EVENTS_MAX = 4_096;
/** How much of what was read last stays in memory, to recognise a copy that ends before it. */
const RECENT_BYTES = 16_384;

/** One content that is followed through renames, copies and packing: a partition of the source. */
export class FileTrack {
  readonly partition: string;
  place: FilePlace;
  /** The file that holds the content, as the last look found it; `null` while there is none. */
  found: FoundFile | null = null;
  /** Its path, as far as it is known. */
  path: string;
  content: FileContent | null = null;
  /** The first bytes of the content that were seen, at most `HEAD_BYTES`, read or not. */
  sample: Buffer = Buffer.alloc(0);
  /** The last bytes before the place; `null` until the content was opened and recognised. */
  recent: Buffer | null = null;
  /** How long the content was when it was last measured. */
  length = 0;
  /** When it last grew or was first seen, and since when it has no file, on the monotonic clock. */
  grewAt: number;
  goneAt: number | null = null;
  /** True while everything that is there was read, but for `rest` bytes of a line without an end. */
  atEnd = false;
  rest = 0;
  /** A read found other bytes before its place. */
  changed = false;
  /** How many looks found its file without the content: it was cut, or its inode has another file now. */
  cutLooks = 0;
  /** True while the file may not be read. */
  blocked = false;
  /** How far a line that is longer than a piece was looked through in vain. */
  #longTo = 0;

  constructor(partition: string, place: FilePlace, path: string, now: number) {
    this.partition = partition;
    this.place = place;
    this.path = path;
    this.grewAt = now;
  }

  get id(): string {
    return idOf(this.place);
  }

  /** True when the content is no longer at the path where it began: nobody should write to it any more. */
  get rotated(): boolean {
    return this.found === null || originOf(this.found.path) !== this.place.origin;
  }

  /** Whether everything that is there, or ever will be, was read: who comes after it may be read. */
  get done(): boolean {
    if (this.cutLooks > 0) return false;
    return this.blocked || (this.content === null && this.found === null) || (this.atEnd && this.rest === 0);
  }

  /** Opens the file that was found, and makes sure that it holds the content: `other` when it does not, `gone` when it moved meanwhile. */
  async open(files: Files): Promise<'open' | 'other' | 'gone'> {
    if (this.content !== null) return 'open';
    const content = this.found === null ? null : await openContent(files, this.found.path, this.found.facts);
    if (content === null) return 'gone';
    if (await this.take(content)) return 'open';
    await content.close();
    return 'other';
  }

  /** How long the open content is; `null` when nothing is open or it is packed and not whole. */
  async measure(): Promise<number | null> {
    return (await this.content?.length()) ?? null;
  }

  /** Notes how long the content is now. */
  measured(length: number, now: number): void {
    if (length > this.length) this.grewAt = now;
    if (length !== this.length) this.atEnd = false;
    this.length = length;
  }

  /** Takes an open content if it is the one that is followed. The file that was open before is closed. */
  async take(content: FileContent): Promise<boolean> {
    const known = await recognise(content, this.place);
    if (known === null) return false;
    await this.close();
    this.content = content;
    this.recent = known.recent;
    if (known.sample.length > this.sample.length) this.sample = known.sample;
    return true;
  }

  /** Reads what follows. With `final` what follows the last line feed is taken for a line. */
  async read(format: LineFormat, final: boolean): Promise<Piece> {
    const { content, recent, place } = this;
    if (content === null || recent === null || place.tailAt < place.offset) return { kind: 'end', rest: 0 };
    const bytes = await content.read(place.offset - recent.length, recent.length + PIECE_BYTES);
    if (!bytes.subarray(0, recent.length).equals(recent)) return { kind: 'changed' };
    const fresh = bytes.subarray(recent.length);
    const { events, end } = linesOf(format, fresh, place.offset, final, EVENTS_MAX);
    if (end > place.offset) return this.#advance(events, end, bytes.subarray(0, recent.length + end - place.offset));
    if (fresh.length < PIECE_BYTES) return { kind: 'end', rest: fresh.length };
    return this.#readLong(content, fresh, final);
  }

  /** Lets go of the file. The content has to be recognised before it is read again. */
  async close(): Promise<void> {
    const { content } = this;
    this.content = null;
    this.recent = null;
    await content?.close();
  }

  /** Looks for the end of a line that is longer than a piece, as far as there is something to read. */
  async #readLong(content: FileContent, first: Buffer, final: boolean): Promise<Piece> {
    const { offset } = this.place;
    let at = Math.max(this.#longTo, offset + first.length);
    for (;;) {
      const piece = await content.read(at, PIECE_BYTES);
      const feed = piece.indexOf(0x0a);
      if (feed === -1 && piece.length > 0) {
        at += piece.length;
        this.#longTo = at;
        continue;
      }
      if (feed === -1 && !final) return { kind: 'end', rest: at - offset };
      const end = at + feed + 1;
      const line = longLine(Buffer.from(first.subarray(0, LONG_LINE_KEPT_BYTES)), (feed === -1 ? end : end - 1) - offset, end);
      const before = await content.read(Math.max(0, end - RECENT_BYTES), Math.min(end, RECENT_BYTES));
      return this.#advance([line], end, before, first);
    }
  }

  /** Moves the place. `before` is what lies before its new one; `first` what lay behind the old one, where `before` does not have it. */
  #advance(events: readonly SourceEvent[], end: number, before: Buffer, first?: Buffer): Piece {
    const { place } = this;
    let { headBytes, head } = place;
    if (headBytes < HEAD_BYTES) {
      const old = this.sample.subarray(0, headBytes);
      const next = first ?? before.subarray(this.recent?.length ?? 0);
      const bytes = Buffer.concat([old, next]).subarray(0, HEAD_BYTES);
      if (bytes.length > this.sample.length) this.sample = bytes;
      headBytes = bytes.length;
      head = printOf(bytes);
    }
    const tail = printOf(before.subarray(-TAIL_BYTES));
    this.recent = Buffer.from(before.subarray(-RECENT_BYTES));
    const bytes = end - place.offset;
    this.place = { ...place, offset: end, tailAt: end, headBytes, head, tail, ended: false };
    this.length = Math.max(this.length, end);
    this.#longTo = 0;
    return { kind: 'lines', events, place: this.place, bytes };
  }
}

/** Device and inode as one word. */
export function idOf({ device, inode }: { readonly device: string; readonly inode: string }): string {
  return `${device}:${inode}`;
}

/**
 * Recognises a content by what a place remembers of it: its beginning, and the bytes before the place. `null` when it is another one.
 */
export async function recognise(content: FileContent, place: FilePlace): Promise<{ sample: Buffer; recent: Buffer } | null> {
  const sample = Buffer.from(await content.read(0, HEAD_BYTES));
  if (sample.length < place.headBytes) return null;
  if (place.headBytes > 0 && printOf(sample.subarray(0, place.headBytes)) !== place.head) return null;
  const length = Math.min(place.tailAt, TAIL_BYTES);
  const recent = Buffer.from(await content.read(place.tailAt - length, length));
  if (recent.length < length) return null;
  return place.offset === 0 || printOf(recent) === place.tail ? { sample, recent } : null;
}

/** The place at `offset` of a content that nobody has read, in a file that was found. */
export async function placeIn(content: FileContent, { facts, path }: FoundFile, offset: number): Promise<FilePlace> {
  const head = await content.read(0, Math.min(offset, HEAD_BYTES));
  const length = Math.min(offset, TAIL_BYTES);
  const tail = await content.read(offset - length, length);
  return {
    offset,
    tailAt: offset,
    device: facts.device,
    inode: facts.inode,
    origin: originOf(path),
    headBytes: head.length,
    head: printOf(head),
    tail: printOf(tail),
    ended: false,
  };
}
