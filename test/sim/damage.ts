import { payloadHolds, readFrameHeader, SEGMENT_HEADER_BYTES, windowOf } from '../../src/ledger/embedded/layout.ts';
import type { Chance } from './chance.ts';
import type { Misfortune } from './coverage.ts';
import type { VirtualDisk } from './disk.ts';

const SEGMENTS = '/data/ledger/segments';
const SNAPSHOTS = '/data/ledger/snapshots';
const IDENTITIES = '/data/identities';
const TREE = '/data/tree';

/** A segment that somebody broke, and how it is put back from a copy. */
export interface BrokenSegment {
  readonly path: string;
  readonly kind: 'segment removed' | 'segment changed' | 'segment cut off';
  readonly undo: () => void;
}

/** Somebody who removes and changes the files of the ledger behind the back of the process. */
export class Vandal {
  readonly #disk: VirtualDisk;
  readonly #chance: Chance;
  /** Whether retention removes entries: then not everything can be made again. */
  readonly #retains: boolean;
  /** What became of the snapshots that were ruined, to know them again. */
  readonly #ruined = new Map<string, string>();

  constructor(disk: VirtualDisk, chance: Chance, retains: boolean) {
    this.#disk = disk;
    this.#chance = chance;
    this.#retains = retains;
  }

  /** Ruins a file that the process can make again, and answers what that was; `null` when there is none. */
  loseDerived(): Misfortune | null {
    const parts = this.#retains ? (['snapshot', 'tree'] as const) : (['snapshot', 'identities', 'tree'] as const);
    const part = this.#chance.pick(parts);
    if (part === 'snapshot') return this.#loseSnapshots(!this.#retains && this.#chance.hit(0.3)) ? 'snapshot lost' : null;
    const paths = part === 'tree' ? this.#treeFiles() : this.#filesIn(IDENTITIES);
    if (paths.length === 0) return null;
    for (const path of this.#chance.hit(0.3) ? paths : [this.#chance.pick(paths)]) this.#ruin(path);
    return part === 'tree' ? 'tree lost' : 'identities lost';
  }

  /** Changes a byte of the identities, which a running process may meet at its next look. False when there are none. */
  damageIdentities(): boolean {
    const runs = this.#filesIn(IDENTITIES).filter((path) => path.endsWith('.run'));
    if (this.#retains || runs.length === 0) return false;
    const path = this.#chance.pick(runs);
    const bytes = this.#disk.peek(path) ?? new Uint8Array();
    if (bytes.length === 0) return false;
    this.#flip(path, this.#chance.int(0, bytes.length - 1), 1 << this.#chance.int(0, 7));
    return true;
  }

  /**
   * Breaks a segment where that has to be noticed, or answers `null` when there is no such place. The last group of the last segment is
   * left alone: damage there looks like a write that a crash cut short, and only a copy elsewhere can tell. So it is with the loss of the
   * whole last segment.
   */
  breakSegment(): BrokenSegment | null {
    const names = this.#disk.names(SEGMENTS).filter((name) => name.endsWith('.seg'));
    const full = names.slice(0, -1);
    const name = full.length > 0 && this.#chance.hit(0.7) ? this.#chance.pick(full) : names.at(-1);
    const path = `${SEGMENTS}/${name}`;
    const whole = this.#disk.peek(path);
    if (whole === null) return null;
    const frames = framesOf(whole);
    const last = frames.at(-1);
    if (last === undefined) return null;
    const isTail = name === names.at(-1);
    const kind = isTail ? 'segment changed' : this.#chance.pick(['segment removed', 'segment changed', 'segment cut off'] as const);
    if (kind === 'segment changed') {
      const noticed = isTail ? frames.filter(({ group }) => group < last.group) : frames;
      if (noticed.length === 0) return null;
      const { at, end } = this.#chance.hit(0.1) ? { at: 0, end: SEGMENT_HEADER_BYTES } : this.#chance.pick(noticed);
      const place = this.#chance.int(at, end - 1);
      const bits = 1 << this.#chance.int(0, 7);
      this.#flip(path, place, bits);
      return { path, kind, undo: () => this.#flip(path, place, bits) };
    }
    this.#disk.meddle(path, kind === 'segment removed' ? null : whole.slice(0, this.#chance.int(0, last.end - 1)));
    return { path, kind, undo: () => this.#disk.meddle(path, whole) };
  }

  /** Ruins the newest snapshot. False when there are not two. */
  loseNewestSnapshot(): boolean {
    return this.#loseSnapshots(false);
  }

  /** With retention the second snapshot has to be enough; without it no snapshot is needed at all. */
  #loseSnapshots(all: boolean): boolean {
    const paths = this.#filesIn(SNAPSHOTS).filter((path) => path.endsWith('.snap'));
    const whole = paths.filter((path) => this.#ruined.get(path) !== this.#textOf(path));
    const newest = whole.at(-1);
    if (newest === undefined || (this.#retains && whole.length < 2)) return false;
    for (const path of all ? whole : [newest]) {
      this.#ruin(path);
      this.#ruined.set(path, this.#textOf(path));
    }
    return true;
  }

  /** Without the entries that retention removed only the edge can be had again. */
  #treeFiles(): readonly string[] {
    const packs = this.#retains ? [] : this.#filesIn(`${TREE}/packs`);
    return [...this.#filesIn(TREE), ...packs];
  }

  #filesIn(directory: string): readonly string[] {
    return this.#disk
      .names(directory)
      .map((name) => `${directory}/${name}`)
      .filter((path) => this.#disk.peek(path) !== null);
  }

  #textOf(path: string): string {
    return Buffer.from(this.#disk.peek(path) ?? []).toString('latin1');
  }

  /** Removes a file, or changes a byte of it, or cuts it off. */
  #ruin(path: string): void {
    const bytes = this.#disk.peek(path) ?? new Uint8Array();
    const how = bytes.length === 0 ? 'removed' : this.#chance.pick(['removed', 'changed', 'cut'] as const);
    if (how === 'changed') this.#flip(path, this.#chance.int(0, bytes.length - 1), 1 << this.#chance.int(0, 7));
    else this.#disk.meddle(path, how === 'removed' ? null : bytes.slice(0, this.#chance.int(0, bytes.length - 1)));
  }

  #flip(path: string, at: number, bits: number): void {
    const bytes = this.#disk.peek(path);
    if (bytes === null) return;
    bytes[at] = (bytes[at] as number) ^ bits;
    this.#disk.meddle(path, bytes);
  }
}

/** The whole frames of a segment: where each begins, where its payload ends, and its group. */
function framesOf(segment: Uint8Array): { readonly at: number; readonly end: number; readonly group: number }[] {
  const window = windowOf(segment);
  const salt = window.words[3] as number;
  const frames: { readonly at: number; readonly end: number; readonly group: number }[] = [];
  for (let at = SEGMENT_HEADER_BYTES; ; ) {
    const header = readFrameHeader(window, at, salt);
    if (header === null || !payloadHolds(window, at, header)) return frames;
    const end = at + 64 + header.payloadBytes;
    frames.push({ at, end, group: header.group });
    at = end + ((8 - (end % 8)) % 8);
  }
}
