import type { Chance } from './chance.ts';

/** What a disk promises to write whole or not at all. */
const SECTOR = 512;

/** Something done to a file that no sync has covered yet. */
type Unsynced =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number };

/** How an unsynced write fares in a power cut. */
const FATES = ['whole', 'lost', 'prefix', 'torn', 'scattered', 'hollow'] as const;

/** Bytes that can grow. */
class Content {
  bytes = new Uint8Array(0);
  length = 0;

  write(bytes: Uint8Array, at: number): void {
    const end = at + bytes.length;
    this.#room(end);
    this.bytes.set(bytes, at);
    this.length = Math.max(this.length, end);
  }

  truncate(length: number): void {
    if (length < this.length) this.bytes.fill(0, length, this.length);
    else this.#room(length);
    this.length = length;
  }

  copyFrom(other: Content): void {
    this.bytes = other.bytes.slice(0, other.length);
    this.length = other.length;
  }

  #room(end: number): void {
    if (end <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(end, this.bytes.length * 2, 4096));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

/** A file without its name: what processes see (the page cache), what survives a power cut, and what lies between the two. */
export class Inode {
  readonly #seen = new Content();
  readonly #durable = new Content();
  #unsynced: Unsynced[] = [];

  /** The length that processes see. */
  get length(): number {
    return this.#seen.length;
  }

  /** True when a power cut could change what processes see. */
  get dirty(): boolean {
    return this.#unsynced.length > 0;
  }

  /** What processes see, copied; shorter at the end of the file. */
  read(at: number, length: number): Uint8Array {
    return this.#seen.bytes.slice(at, Math.max(at, Math.min(at + length, this.#seen.length)));
  }

  /** The same into a buffer. Returns how many bytes there were. */
  readInto(into: Uint8Array, at: number): number {
    const end = Math.max(at, Math.min(at + into.length, this.#seen.length));
    into.set(this.#seen.bytes.subarray(at, end));
    return end - at;
  }

  write(bytes: Uint8Array, at: number): void {
    // A buffer's own `slice` would be a view of memory that its owner goes on to use.
    const kept = new Uint8Array(bytes);
    this.#seen.write(kept, at);
    this.#unsynced.push({ kind: 'write', at, bytes: kept });
  }

  truncate(length: number): void {
    this.#seen.truncate(length);
    this.#unsynced.push({ kind: 'truncate', length });
  }

  /** Everything seen survives from here on. */
  sync(): void {
    for (const change of this.#unsynced) this.#apply(change);
    this.#unsynced = [];
  }

  /**
   * A sync that failed, as Linux does it: the pages count as clean although nobody knows what of them reached the disk.
   * A later sync does not write them again; only writing them anew does.
   */
  failSync(chance: Chance): void {
    this.#settle(chance);
  }

  /** The power is cut: processes see again what reached the disk. */
  cutPower(chance: Chance): void {
    this.#settle(chance);
    this.#seen.copyFrom(this.#durable);
  }

  /** Each unsynced change meets its own fate, so that later ones may survive where earlier ones do not. */
  #settle(chance: Chance): void {
    // Most of the time one fate for all of them: a run of changes that is lost as a whole is the plain case and must not be rare.
    const common = chance.hit(0.5) ? chance.pick(FATES) : null;
    for (const change of this.#unsynced) {
      const fate = common ?? chance.pick(FATES);
      if (change.kind === 'truncate') {
        if (fate !== 'lost') this.#apply(change);
      } else this.#survive(change.at, change.bytes, fate, chance);
    }
    this.#unsynced = [];
  }

  #survive(at: number, bytes: Uint8Array, fate: (typeof FATES)[number], chance: Chance): void {
    if (fate === 'lost' || bytes.length === 0) return;
    if (fate === 'whole') {
      this.#durable.write(bytes, at);
      return;
    }
    if (fate === 'hollow') {
      // The length reached the disk and the bytes did not.
      if (at + bytes.length > this.#durable.length) this.#durable.truncate(at + bytes.length);
      return;
    }
    if (fate === 'scattered') {
      for (const [start, end] of sectors(at, bytes.length)) {
        if (chance.hit(0.5)) this.#durable.write(bytes.subarray(start, end), at + start);
      }
      return;
    }
    const pieces = [...sectors(at, bytes.length)];
    const torn = chance.int(0, pieces.length - 1);
    const [start, end] = pieces[torn] as readonly [number, number];
    if (fate === 'prefix') {
      this.#durable.write(bytes.subarray(0, start), at);
      return;
    }
    this.#durable.write(bytes.subarray(0, start), at);
    this.#tear(at + start, bytes.subarray(start, end), chance);
  }

  /**
   * The head went down with the power: the sector is there, with one bit that is not what was written. Only what this write changed
   * can be damaged:
   * a sector that is written again with the bytes that it has is the same before and after, and what a write does not touch is safe.
   * Every database on a disk builds on that.
   */
  #tear(at: number, bytes: Uint8Array, chance: Chance): void {
    const before = this.#durable.bytes.subarray(0, this.#durable.length);
    const changed = [...bytes.keys()].filter((place) => before[at + place] !== bytes[place]);
    const torn = new Uint8Array(bytes);
    if (changed.length > 0) {
      const place = chance.pick(changed);
      torn[place] = (torn[place] as number) ^ (1 << chance.int(0, 7));
    }
    this.#durable.write(torn, at);
  }

  #apply(change: Unsynced): void {
    if (change.kind === 'write') this.#durable.write(change.bytes, change.at);
    else this.#durable.truncate(change.length);
  }
}

/** The parts of a write that lie in one sector each, as places in the bytes written. */
function* sectors(at: number, length: number): Generator<readonly [number, number]> {
  for (let start = 0; start < length; ) {
    const end = Math.min(length, start + SECTOR - ((at + start) % SECTOR));
    yield [start, end];
    start = end;
  }
}
