import { basename } from 'node:path';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import type { SourceNote } from '../contracts/source.ts';
import { PARTITIONS_MAX, type Position } from '../contracts/units.ts';
import { type FileContent, openContent } from './file-content.ts';
import { beginsLike, type Candidate, candidateOf, continues, endsBefore, isCopy } from './file-copies.ts';
import { findPaths } from './file-glob.ts';
import { originOf, placeOf, printOf, TAIL_BYTES } from './file-place.ts';
import { FileTrack, type FoundFile, idOf, placeIn } from './file-track.ts';

/** What has to become durable about a track apart from its events. */
export interface Announcement {
  readonly track: FileTrack;
  readonly notes: readonly SourceNote[];
  readonly closes: boolean;
}

/** How the files of a source are found. */
export interface TracksOptions {
  /** The name of the source. */
  readonly name: string;
  readonly paths: readonly string[];
  readonly ports: Pick<Ports, 'files' | 'clock' | 'random' | 'log'>;
  /** How long the place in a content without a file is remembered. */
  readonly forgetAfterMs: number;
  /** Where files begin that the first look ever finds. */
  readonly start: 'beginning' | 'end';
}

/** The place that is on record once the first look of a source is over. */
export const STARTED = 'started';

/** For how many looks a content that was cut may turn up as a copy. */
const CUT_LOOKS = 3;
/** How long a file without a name may be written to. */
const AWAY_MS = 60_000;
/** How many files are open at a time, and for how long without growing. */
const OPEN_MAX = 128;
const IDLE_MS = 60_000;
const AT_ONCE = 32;

/** Every content that a source follows, and which file holds it. */
export class FileTracks {
  readonly tracks = new Map<string, FileTrack>();
  /** What cannot be read at this moment, by place. */
  problems = new Map<string, string>();
  readonly #options: TracksOptions;
  /** Files that hold nothing of their own: copies of a content that has its file, by id. */
  readonly #copies = new Map<string, { readonly found: FoundFile; readonly owner: FileTrack }>();
  /** Packed files that were not whole, by id. */
  readonly #broken = new Map<string, FoundFile>();
  #announced: Announcement[] = [];
  #first: boolean;

  constructor(options: TracksOptions, positions: ReadonlyMap<string, Position>) {
    this.#options = options;
    this.#first = !positions.has('');
    const now = options.ports.clock.monotonic();
    for (const [partition, position] of positions) {
      if (partition === '') continue;
      const place = placeOf(position, partition);
      this.tracks.set(partition, new FileTrack(partition, place, decoded(place.origin), now));
    }
  }

  /** Looks which files there are and what became of the known contents. Gives what has to be told, in order. */
  async look(): Promise<readonly Announcement[]> {
    const now = this.#options.ports.clock.monotonic();
    const before = this.problems;
    this.problems = new Map();
    this.#announced = [];
    const found = await this.#find();
    const free = new Map(found);
    for (const track of this.tracks.values()) await this.#follow(track, found, free, now);
    for (const file of [...free.values()].toSorted(byAge)) if (file.facts.bytes > 0) await this.#place(file, now);
    for (const track of this.tracks.values()) await this.#judge(track, now);
    for (const id of [...this.#copies.keys(), ...this.#broken.keys()]) if (!found.has(id)) this.#forgetFile(id);
    await this.#closeIdle(now);
    this.#first = false;
    for (const [place, message] of this.problems)
      if (before.get(place) !== message)
        this.#options.ports.log.warn('a file cannot be read', { source: this.#options.name, place, message });
    return this.#announced;
  }

  async close(): Promise<void> {
    for (const track of this.tracks.values()) await track.close();
  }

  async #find(): Promise<Map<string, FoundFile>> {
    const { files } = this.#options.ports;
    const paths = await findPaths(files, this.#options.paths, (directory, error) => this.#problem(directory, error));
    const known = new Set([...this.tracks.values()].map(({ place }) => place.origin));
    const found = new Map<string, FoundFile>();
    for (let from = 0; from < paths.length; from += AT_ONCE) {
      const some = paths.slice(from, from + AT_ONCE);
      const looked = await Promise.all(some.map((path) => files.stat(path).catch((error: unknown) => this.#problem(path, error))));
      for (const [k, path] of some.entries()) {
        const facts = looked[k] ?? null;
        if (facts?.regular !== true) continue;
        // A file with several names is one file; the name under which it is known counts.
        const id = idOf(facts);
        if (!found.has(id) || known.has(originOf(path))) found.set(id, { id, path, facts });
      }
    }
    return found;
  }

  /** Finds out whether the file of a track is still there and holds its content. */
  async #follow(track: FileTrack, found: ReadonlyMap<string, FoundFile>, free: Map<string, FoundFile>, now: number): Promise<void> {
    const file = free.get(track.id);
    const held = file === undefined ? 'gone' : await this.#holds(track, file, now);
    if (held === 'here' && file !== undefined) {
      free.delete(file.id);
      track.goneAt = null;
      track.path = file.path;
      return;
    }
    if (held === 'moving') return void free.delete(track.id);
    track.found = null;
    track.goneAt ??= now;
    if (found.has(track.id)) track.cutLooks += 1;
    else if (track.content !== null) track.measured((await track.measure()) ?? track.length, now);
  }

  async #holds(track: FileTrack, file: FoundFile, now: number): Promise<'here' | 'moving' | 'cut'> {
    const { files } = this.#options.ports;
    const same = track.found !== null && sameFacts(track.found, file) && !track.changed && !track.blocked;
    track.found = file;
    if (track.changed || track.cutLooks > 0) return 'cut';
    if (same) return 'here';
    track.blocked = false;
    if (track.content?.packed === true) await track.close();
    if (track.content === null) {
      try {
        const opened = await track.open(files);
        if (opened !== 'open') return opened === 'gone' ? 'moving' : 'cut';
        track.measured((await track.measure()) ?? track.place.offset, now);
      } catch (error) {
        this.#problem(file.path, error);
        track.blocked = true;
      }
      return 'here';
    }
    if (file.facts.bytes < track.place.tailAt) return 'cut';
    track.measured(file.facts.bytes, now);
    // Written to without growing: the next read sees whether what was read is still there.
    track.atEnd = false;
    return 'here';
  }

  /** Finds out what a file without a track is: the rest of a content, a copy, or something new. */
  async #place(file: FoundFile, now: number): Promise<void> {
    const broken = this.#broken.get(file.id);
    if (broken !== undefined && sameFacts(broken, file)) return this.#notWhole(file);
    const copy = this.#copies.get(file.id);
    const isSame = copy !== undefined && sameFacts(copy.found, file);
    if (isSame && this.tracks.get(copy.owner.partition) === copy.owner && !mayMove(copy.owner)) return;
    let content: FileContent | null = null;
    try {
      content = await openContent(this.#options.ports.files, file.path, file.facts);
      if (content === null) return;
      const candidate = await candidateOf(content);
      if (candidate === null) this.#notWhole(file);
      else if (await this.#assign(file, candidate, isSame ? copy.owner : null, now)) content = null;
    } catch (error) {
      if (isWaybillError(error) && error.code === 'SOURCE_BROKEN') throw error;
      this.#problem(file.path, error);
    } finally {
      await content?.close();
    }
  }

  /** True when a track has taken the content. */
  async #assign(file: FoundFile, candidate: Candidate, owner: FileTrack | null, now: number): Promise<boolean> {
    for (const track of this.tracks.values()) {
      if (!mayMove(track)) continue;
      const fits = track === owner || (await continues(candidate, track)) || (track.cutLooks > 0 && (await endsBefore(candidate, track)));
      if (fits && (await this.#move(track, file, candidate, now))) return true;
    }
    for (const track of this.tracks.values()) {
      // With thousands of files nothing is waited for here that a look at the first bytes rules out.
      if (!beginsLike(candidate.sample, track) || mayMove(track) || track.id === file.id) continue;
      if (!(await isCopy(candidate, track, this.#options.ports.files))) continue;
      this.#copies.set(file.id, { found: file, owner: track });
      this.#options.ports.log.info('a file has what another file has already', {
        source: this.#options.name,
        path: file.path,
        of: track.path,
      });
      return false;
    }
    await this.#begin(file, candidate, now);
    return true;
  }

  /** A content goes on in another file. */
  async #move(track: FileTrack, file: FoundFile, { content, length, sample }: Candidate, now: number): Promise<boolean> {
    const { place } = track;
    const tailAt = Math.min(place.offset, length);
    const tailBytes = Math.min(tailAt, TAIL_BYTES);
    const tail = tailAt === place.tailAt ? place.tail : printOf(await content.read(tailAt - tailBytes, tailBytes));
    const headBytes = Math.min(place.headBytes, sample.length);
    const head = printOf(sample.subarray(0, headBytes));
    track.place = { ...place, device: file.facts.device, inode: file.facts.inode, tailAt, tail, headBytes, head, ended: false };
    if (!(await track.take(content))) {
      track.place = place;
      return false;
    }
    const isSure = tailAt === place.offset || place.ended || track.atEnd;
    const notes = track.cutLooks > 0 ? [this.#cutNote(track, file.path)] : isSure ? [] : this.#goneNotes(track);
    Object.assign(track, { found: file, path: file.path, length, grewAt: now, goneAt: null, cutLooks: 0, changed: false, atEnd: false });
    this.#forgetFile(file.id);
    this.#announced.push({ track, notes, closes: false });
    return true;
  }

  /** A content that nobody has seen before. */
  async #begin(file: FoundFile, { content, length, sample }: Candidate, now: number): Promise<void> {
    const { name, start, ports } = this.#options;
    this.#makeRoom(file);
    const offset = this.#first && start === 'end' ? await lastLineEnd(content, length) : 0;
    const place = await placeIn(content, file, offset);
    const chance = Buffer.from(ports.random.bytes(6)).toString('base64url');
    const partition = `${basename(file.path)
      .replaceAll(/[^A-Za-z0-9._-]/g, '_')
      .slice(0, 64)}~${chance}`;
    const track = new FileTrack(partition, place, file.path, now);
    await track.take(content);
    Object.assign(track, { found: file, sample, length });
    this.tracks.set(partition, track);
    this.#forgetFile(file.id);
    ports.log.info('a new file', { source: name, path: file.path, partition });
    const { device, inode } = file.facts;
    this.#announced.push({ track, closes: false, notes: [{ type: 'source.file', facts: { path: file.path, device, inode, offset } }] });
  }

  /** Ends what cannot go on: contents that were cut and have no copy, and files that are gone. */
  async #judge(track: FileTrack, now: number): Promise<void> {
    if (track.cutLooks >= CUT_LOOKS) return this.#forget(track, [this.#cutNote(track, null)]);
    if (track.goneAt === null || track.cutLooks > 0) return;
    if (track.content !== null) {
      if (!track.atEnd || track.rest > 0 || now - Math.max(track.grewAt, track.goneAt) < AWAY_MS) return;
      track.place = { ...track.place, ended: true };
      await track.close();
      this.#announced.push({ track, notes: [], closes: false });
    } else if (now - track.goneAt >= this.#options.forgetAfterMs) await this.#forget(track, this.#goneNotes(track));
    else if (!track.place.ended) this.problems.set(track.path, 'the file is gone, and nobody knows whether it was read to its end');
  }

  async #forget(track: FileTrack, notes: readonly SourceNote[]): Promise<void> {
    await track.close();
    this.tracks.delete(track.partition);
    this.#announced.push({ track, notes, closes: true });
  }

  /** Makes room for one more partition by forgetting the content that has been without a file for longest. */
  #makeRoom(file: FoundFile): void {
    // One position is kept for the source as a whole.
    if (this.tracks.size < PARTITIONS_MAX - 1) return;
    const gone = [...this.tracks.values()].filter(({ goneAt, content, cutLooks }) => goneAt !== null && content === null && cutLooks === 0);
    const [oldest] = gone.toSorted((a, b) => (a.goneAt ?? 0) - (b.goneAt ?? 0));
    if (oldest === undefined) {
      const message = `source ${this.#options.name} cannot follow more than ${PARTITIONS_MAX - 1} files; the next one is ${file.path}`;
      throw new WaybillError('SOURCE_BROKEN', message);
    }
    this.tracks.delete(oldest.partition);
    this.#announced.push({ track: oldest, notes: this.#goneNotes(oldest), closes: true });
  }

  #cutNote(track: FileTrack, continuedIn: string | null): SourceNote {
    const facts = { path: track.path, read_through: track.place.offset, continued_in: continuedIn };
    this.#options.ports.log.warn('a file was cut; what was written between the last look and the cut may be lost', {
      source: this.#options.name,
      ...facts,
    });
    return { type: 'source.truncated', facts };
  }

  #goneNotes({ place, path }: FileTrack): readonly SourceNote[] {
    return place.ended ? [] : [{ type: 'source.gone', facts: { path, read_through: place.offset } }];
  }

  #notWhole(file: FoundFile): void {
    this.#broken.set(file.id, file);
    this.problems.set(file.path, 'not a whole gzip file; it is read once it is whole');
  }

  #forgetFile(id: string): void {
    this.#copies.delete(id);
    this.#broken.delete(id);
  }

  #problem(place: string, error: unknown): null {
    if (!isWaybillError(error)) throw error;
    this.problems.set(place, error.message);
    return null;
  }

  async #closeIdle(now: number): Promise<void> {
    const open = [...this.tracks.values()].filter(({ content, found }) => content !== null && found !== null);
    const inOrder = open.toSorted((a, b) => Number(b.atEnd) - Number(a.atEnd) || a.grewAt - b.grewAt);
    for (const [k, track] of inOrder.entries())
      if (inOrder.length - k > OPEN_MAX || (track.atEnd && now - track.grewAt > IDLE_MS)) await track.close();
  }
}

/** Whether a track looks for another file: its own is cut or gone, and what was still to be had of it was read. */
function mayMove({ goneAt, content, atEnd, cutLooks }: FileTrack): boolean {
  return goneAt !== null && (cutLooks > 0 || content === null || atEnd);
}

function sameFacts(a: FoundFile, b: FoundFile): boolean {
  return a.facts.bytes === b.facts.bytes && a.facts.modifiedMs === b.facts.modifiedMs;
}

function byAge(a: FoundFile, b: FoundFile): number {
  return a.facts.modifiedMs - b.facts.modifiedMs || (a.path < b.path ? -1 : 1);
}

const BACK_BYTES = 65_536;

/** Where the last whole line ends, so that a line in the making is read whole; 0 when there is none. */
async function lastLineEnd(content: FileContent, length: number): Promise<number> {
  if (content.packed) return length;
  for (let end = length; end > 0; ) {
    const from = Math.max(0, end - BACK_BYTES);
    const feed = (await content.read(from, end - from)).lastIndexOf(0x0a);
    if (feed !== -1) return from + feed + 1;
    end = from;
  }
  return 0;
}

function decoded(origin: string): string {
  try {
    return decodeURI(origin);
  } catch {
    return origin;
  }
}
