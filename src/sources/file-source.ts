import type { Ports } from '../contracts/ports.ts';
import type { Source, SourceBatch, SourceFacts, SourceNote } from '../contracts/source.ts';
import { asPosition, type Position } from '../contracts/units.ts';
import type { LineFormat } from './file-lines.ts';
import { positionOf } from './file-place.ts';
import type { FileTrack, Piece } from './file-track.ts';
import { FileTracks, STARTED } from './file-tracks.ts';

/** What a file source is made of. */
export interface FileSourceOptions {
  readonly name: string;
  readonly paths: readonly string[];
  readonly format: LineFormat;
  readonly start: 'beginning' | 'end';
  readonly pollMs: number;
  /** How long a last line without a line feed waits in a file that is still in its place; `null`: for ever. */
  readonly finalLineAfterMs: number | null;
  readonly forgetAfterMs: number;
  readonly ports: Pick<Ports, 'files' | 'clock' | 'random' | 'log'>;
}

/** Bytes that were read and are not settled. */
const UNSETTLED_BYTES = 8 << 20;
/** How many pieces of one file are read before the next has its turn. */
const TURN = 16;
/** A look may take this part of the time. */
const LOOK_SHARE = 10;
/** How long a last line without a line feed waits in a file that was set apart. */
const ROTATED_QUIET_MS = 10_000;
const PROBLEMS_SHOWN = 10;

/** Follows the lines of files, each content in its order, once, whatever becomes of the names of the files. */
export class FileSource implements Source {
  readonly #options: FileSourceOptions;
  #tracks: FileTracks | null = null;
  #unsettled = 0;
  #settled = Promise.withResolvers<void>();

  constructor(options: FileSourceOptions) {
    this.#options = options;
  }

  async *batches(after: ReadonlyMap<string, Position>, signal: AbortSignal): AsyncIterable<SourceBatch> {
    const { clock } = this.#options.ports;
    const tracks = new FileTracks(this.#options, after);
    this.#tracks = tracks;
    this.#unsettled = 0;
    let isNew = !after.has('');
    let lookAt = clock.monotonic();
    try {
      while (!signal.aborted) {
        const begun = clock.monotonic();
        if (begun >= lookAt) {
          for (const { track, notes, closes } of await tracks.look()) yield this.#batch(track, { notes, closes });
          if (isNew) yield started();
          isNew = false;
          lookAt = begun + Math.max(this.#options.pollMs, LOOK_SHARE * (clock.monotonic() - begun));
        }
        let isIdle = true;
        for (const track of this.#readable(tracks)) {
          for (let turn = 0; turn < TURN && !signal.aborted; turn++) {
            const wasAtEnd = track.atEnd;
            const piece = await this.#read(track);
            // At an end that was just reached others may have waited.
            if (track.atEnd !== wasAtEnd || piece?.kind === 'lines') isIdle = false;
            if (piece?.kind !== 'lines') break;
            yield this.#batch(track, piece);
            await this.#room(signal);
          }
        }
        if (isIdle) await clock.sleep(Math.max(1, lookAt - clock.monotonic()), signal).catch(() => {});
      }
    } finally {
      this.#tracks = null;
      await tracks.close();
    }
  }

  facts(): SourceFacts {
    const tracks = [...(this.#tracks?.tracks.values() ?? [])];
    const waiting = tracks.filter(({ place }) => place.tailAt === place.offset);
    return {
      lagBytes: waiting.reduce((sum, { length, place }) => sum + Math.max(0, length - place.offset), 0),
      problems: [...(this.#tracks?.problems ?? [])].slice(0, PROBLEMS_SHOWN).map(([place, message]) => ({ place, message })),
    };
  }

  async close(): Promise<void> {}

  /** The contents that may be read now: what was written to a path later waits for what was set apart from it. */
  #readable({ tracks }: FileTracks): readonly FileTrack[] {
    const before = new Map<string, FileTrack[]>();
    for (const track of tracks.values()) {
      if (!track.rotated || track.done) continue;
      const { origin } = track.place;
      before.set(origin, [...(before.get(origin) ?? []), track]);
    }
    return [...tracks.values()].filter((track) => {
      if (track.blocked || track.changed || track.cutLooks > 0 || (track.atEnd && !this.#isFinal(track))) return false;
      return (before.get(track.place.origin) ?? []).every((other) => other === track || (track.rotated && !isOlder(other, track)));
    });
  }

  async #read(track: FileTrack): Promise<Piece | null> {
    const { files } = this.#options.ports;
    if (track.content === null) {
      const opened = await track.open(files);
      if (opened === 'other') track.changed = true;
      if (opened !== 'open') return null;
    }
    const piece = await track.read(this.#options.format, this.#isFinal(track));
    if (piece.kind === 'changed') track.changed = true;
    else {
      track.atEnd = piece.kind === 'end';
      track.rest = piece.kind === 'end' ? piece.rest : 0;
    }
    return piece;
  }

  /** Whether what follows the last line feed is a line, because nobody will write its end. */
  #isFinal({ content, rest, rotated, grewAt }: FileTrack): boolean {
    if (rest === 0) return false;
    if (content?.packed === true) return true;
    const quietMs = rotated ? ROTATED_QUIET_MS : this.#options.finalLineAfterMs;
    return quietMs !== null && this.#options.ports.clock.monotonic() - grewAt >= quietMs;
  }

  #batch(
    { partition, place }: FileTrack,
    what: {
      readonly notes?: readonly SourceNote[];
      readonly closes?: boolean;
      readonly events?: SourceBatch['events'];
      readonly bytes?: number;
    },
  ): SourceBatch {
    const { notes = [], closes = false, events = [], bytes = 0 } = what;
    this.#unsettled += bytes;
    const settle = async (): Promise<void> => {
      this.#unsettled -= bytes;
      this.#settled.resolve();
    };
    return { partition, position: positionOf(place), events, notes, closes, settle };
  }

  /** Waits until enough is settled to read on. */
  async #room(signal: AbortSignal): Promise<void> {
    while (this.#unsettled > UNSETTLED_BYTES && !signal.aborted) {
      const settled = Promise.withResolvers<void>();
      this.#settled = settled;
      const end = (): void => settled.resolve();
      signal.addEventListener('abort', end, { once: true });
      await settled.promise;
      signal.removeEventListener('abort', end);
    }
  }
}

/** Says that files that are new from now on are read from their beginning. */
function started(): SourceBatch {
  return { partition: null, position: asPosition(STARTED), events: [], settle: async () => {} };
}

function isOlder(a: FileTrack, b: FileTrack): boolean {
  return (a.found?.facts.modifiedMs ?? 0) < (b.found?.facts.modifiedMs ?? 0);
}
