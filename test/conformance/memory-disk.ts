import { WaybillError } from '../../src/contracts/errors.ts';
import type { Disk, DiskFile } from '../../src/contracts/ports.ts';

/**
 * What a loss of power leaves of writes that no flush had covered. `lost`: nothing. `whole`: everything. `torn`: everything, but of the
 * last write only its first sectors. `reordered`: only the last write. `sectors`: each sector or not. `junk`: each sector, its first half
 * or not. Names follow: none of those that no directory flush covered, all, or a random number of the first ones.
 */
export type CrashStyle = 'lost' | 'whole' | 'torn' | 'reordered' | 'sectors' | 'junk';

/** Every style, for tables of faults. */
export const CRASH_STYLES: readonly CrashStyle[] = ['lost', 'whole', 'torn', 'reordered', 'sectors', 'junk'];

type Change =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly length: number };

type NameChange = { readonly name: string; readonly inode: Inode | null };

const SECTOR_BYTES = 512;

/** A file's bytes: what survives a loss of power, what is read now, and the changes between the two. */
class Inode {
  durable: Buffer;
  current: Buffer;
  /** Grows ahead of `length`, so that appending is cheap. */
  length: number;
  changes: Change[] = [];
  /** How many changes were ever made durable; `changes` begins after them. */
  settled = 0;

  constructor(durable: Buffer) {
    this.durable = durable;
    this.current = Buffer.from(durable);
    this.length = durable.length;
  }

  /** A copy with everything that is not durable yet. */
  copy(): Inode {
    const copy = new Inode(Buffer.from(this.durable));
    copy.current = Buffer.from(this.current);
    copy.length = this.length;
    copy.changes = [...this.changes];
    copy.settled = this.settled;
    return copy;
  }

  /**
   * What a failed flush does: the operating system forgets that the changes below this number are not on the disk, and never writes them.
   */
  forget(upTo: number): void {
    this.settled += this.changes.splice(0, Math.max(0, upTo - this.settled)).length;
  }

  apply(change: Change): void {
    this.changes.push(change);
    [this.current, this.length] = applied(this.current, this.length, change);
  }

  /** Makes the changes below this number durable. */
  settle(upTo: number): void {
    const due = this.changes.splice(0, Math.max(0, upTo - this.settled));
    this.settled += due.length;
    let length = this.durable.length;
    for (const change of due) [this.durable, length] = applied(this.durable, length, change);
    this.durable = this.durable.subarray(0, length);
  }

  /** What is there after a loss of power. */
  survivor(style: CrashStyle, random: () => number): Inode {
    let bytes: Buffer = Buffer.from(this.durable);
    let length = bytes.length;
    const last = this.changes.findLastIndex(({ kind }) => kind === 'write');
    for (const [place, change] of this.changes.entries()) {
      for (const part of survivingParts(change, style, place === last, random)) [bytes, length] = applied(bytes, length, part);
    }
    return new Inode(bytes.subarray(0, length));
  }
}

/**
 * A disk in memory that forgets what was not flushed, runs full, fails and dies at any operation. Deterministic: its chance is handed in.
 */
export class MemoryDisk implements Disk {
  /** How many operations that change something were done. A `commit` is two: its write and its flush. */
  operations = 0;
  /** After this operation the process is dead: nothing that it waits for ever comes. */
  crashAfter = Number.MAX_SAFE_INTEGER;
  /** Operations by their number that fail, and how. A failed write may have written its first half. */
  readonly failures = new Map<number, 'DISK_FULL' | 'DISK_FAILED'>();
  /** How many bytes all files may take. */
  capacity = Number.MAX_SAFE_INTEGER;
  /** Resolves when `crashAfter` was reached. */
  readonly crashed: Promise<void>;
  readonly #die: () => void;
  readonly #durable: Map<string, Inode>;
  readonly #names: Map<string, Inode>;
  readonly #nameChanges: NameChange[] = [];
  readonly #locked = new Set<string>();
  #flushGate: { readonly below: string; readonly opened: Promise<void> } | null = null;

  constructor(files: ReadonlyMap<string, Inode> = new Map()) {
    this.#durable = new Map(files);
    this.#names = new Map(files);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.crashed = promise;
    this.#die = resolve;
  }

  /** The disk as the next process finds it after a loss of power. */
  afterCrash(style: CrashStyle, random: () => number): MemoryDisk {
    const names = new Map(this.#durable);
    const kept =
      style === 'lost' ? 0 : style === 'whole' ? this.#nameChanges.length : Math.floor(random() * (this.#nameChanges.length + 1));
    for (const { name, inode } of this.#nameChanges.slice(0, kept)) {
      if (inode === null) names.delete(name);
      else names.set(name, inode);
    }
    return new MemoryDisk(new Map([...names].map(([name, inode]) => [name, inode.survivor(style, random)])));
  }

  /** The disk as the next process finds it when only the process died: what was not flushed is still in the page cache. */
  afterKill(): MemoryDisk {
    const copies = new Map<Inode, Inode>();
    const copyOf = (inode: Inode): Inode => {
      const copy = copies.get(inode) ?? inode.copy();
      copies.set(inode, copy);
      return copy;
    };
    const next = new MemoryDisk(new Map([...this.#durable].map(([name, inode]) => [name, copyOf(inode)])));
    for (const { name, inode } of this.#nameChanges) next.#rename(name, inode === null ? null : copyOf(inode));
    return next;
  }

  /** Stops the flushes of files whose path begins with `below` until the answer is called. */
  holdFlushes(below = ''): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#flushGate = { below, opened: promise };
    return () => {
      this.#flushGate = null;
      resolve();
    };
  }

  /** The names of all files. */
  files(): readonly string[] {
    return [...this.#names.keys()].sort();
  }

  /** The bytes of a file, or a file with other bytes in their place, durably. */
  bytes(path: string): Buffer {
    const inode = this.#inode(path);
    return Buffer.from(inode.current.subarray(0, inode.length));
  }

  /** Puts bytes in the place of a file, durably, as somebody else would. */
  replace(path: string, bytes: Uint8Array): void {
    const inode = new Inode(Buffer.from(bytes));
    this.#names.set(path, inode);
    this.#durable.set(path, inode);
  }

  /** Removes a file, durably, as somebody else would. */
  erase(path: string): void {
    this.#names.delete(path);
    this.#durable.delete(path);
  }

  /** A copy on which nothing is locked or held. */
  copy(): MemoryDisk {
    return this.afterCrash('whole', () => 0);
  }

  async open(path: string, mode: 'create' | 'existing' | 'read'): Promise<DiskFile> {
    await this.#step();
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (mode !== 'create') throw new WaybillError('DISK_FAILED', `cannot open ${path}: ENOENT`);
      await this.#change();
      inode = new Inode(Buffer.alloc(0));
      this.#rename(path, inode);
    }
    return this.#file(inode, path, mode !== 'read');
  }

  async list(directory: string): Promise<readonly string[]> {
    await this.#step();
    const inside = [...this.#names.keys()]
      .filter((name) => name.startsWith(`${directory}/`))
      .map((name) => name.slice(directory.length + 1));
    return [...new Set(inside.map((name) => name.split('/')[0] as string))].sort();
  }

  async length(path: string): Promise<number | null> {
    await this.#step();
    return this.#names.get(path)?.length ?? null;
  }

  async makeDirectory(): Promise<void> {
    await this.#step();
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#change();
    const inode = this.#inode(from);
    this.#rename(from, null);
    this.#rename(to, inode);
  }

  async remove(path: string): Promise<void> {
    await this.#change();
    this.#inode(path);
    this.#rename(path, null);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#change();
    const inside = ({ name }: NameChange): boolean => name.slice(0, name.lastIndexOf('/')) === path;
    for (const { name, inode } of this.#nameChanges.filter(inside)) {
      if (inode === null) this.#durable.delete(name);
      else this.#durable.set(name, inode);
    }
    const rest = this.#nameChanges.filter((change) => !inside(change));
    this.#nameChanges.splice(0, this.#nameChanges.length, ...rest);
  }

  async available(): Promise<number> {
    await this.#step();
    return this.capacity - this.#used();
  }

  async lock(path: string): Promise<{ release(): Promise<void> }> {
    await this.#step();
    if (this.#locked.has(path)) throw new WaybillError('LEDGER_LOCKED', `${path} is locked by another process`);
    this.#locked.add(path);
    return {
      release: async () => {
        await this.#step();
        this.#locked.delete(path);
      },
    };
  }

  #file(inode: Inode, path: string, writable: boolean): DiskFile {
    const mayWrite = (): void => {
      if (!writable) throw new WaybillError('DISK_FAILED', `cannot write ${path}: EBADF`);
    };
    const write = async (bytes: Uint8Array, at: number): Promise<void> => {
      mayWrite();
      const copy = Buffer.from(bytes);
      const grown = Math.max(0, at + bytes.length - inode.length);
      const over = grown > 0 ? Math.max(0, this.#used() + grown - this.capacity) : 0;
      const failure = this.failures.get(this.operations + 1) ?? (over > 0 ? 'DISK_FULL' : null);
      const taken = failure === null ? copy.length : over > 0 ? copy.length - over : copy.length >>> 1;
      if (taken > 0) inode.apply({ kind: 'write', at, bytes: copy.subarray(0, taken) });
      await this.#change(failure);
    };
    const sync = async (): Promise<void> => {
      mayWrite();
      const upTo = inode.settled + inode.changes.length;
      if (this.#flushGate !== null && path.startsWith(this.#flushGate.below)) await this.#flushGate.opened;
      try {
        await this.#change();
      } catch (error) {
        inode.forget(upTo);
        throw error;
      }
      inode.settle(upTo);
    };
    return {
      length: async () => {
        await this.#step();
        return inode.length;
      },
      read: async (at, length) => {
        await this.#step();
        return Buffer.from(inode.current.subarray(at, Math.min(inode.length, at + length)));
      },
      readNow: (into, at) => inode.current.copy(into, 0, at, Math.min(inode.length, at + into.length)),
      write,
      sync,
      commit: async (bytes, at) => {
        await write(bytes, at);
        await sync();
      },
      truncate: async (length) => {
        mayWrite();
        inode.apply({ kind: 'truncate', length });
        await this.#change();
      },
      close: () => this.#step(),
    };
  }

  /** An operation that changes something: it counts, may fail, and may be the last. */
  async #change(failure: 'DISK_FULL' | 'DISK_FAILED' | null = null): Promise<void> {
    if (this.operations >= this.crashAfter) await new Promise(() => undefined);
    this.operations++;
    const fails = failure ?? this.failures.get(this.operations) ?? null;
    if (this.operations >= this.crashAfter) this.#die();
    await this.#step();
    if (fails !== null) throw new WaybillError(fails, `operation ${this.operations} fails`);
  }

  /** The dead wait for ever. */
  async #step(): Promise<void> {
    if (this.operations >= this.crashAfter) await new Promise(() => undefined);
    await Promise.resolve();
  }

  #rename(name: string, inode: Inode | null): void {
    this.#nameChanges.push({ name, inode });
    if (inode === null) this.#names.delete(name);
    else this.#names.set(name, inode);
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new WaybillError('DISK_FAILED', `there is no ${path}`);
    return inode;
  }

  #used(): number {
    let bytes = 0;
    for (const inode of new Set(this.#names.values())) bytes += inode.length;
    return bytes;
  }
}

/** The bytes of a file after a change; the buffer may be longer than the length, and zero behind it. */
function applied(bytes: Buffer, length: number, change: Change): [Buffer, number] {
  if (change.kind === 'truncate') {
    const cut = Buffer.alloc(change.length);
    bytes.copy(cut, 0, 0, Math.min(length, change.length));
    return [cut, change.length];
  }
  const end = change.at + change.bytes.length;
  let room = bytes;
  if (end > room.length) {
    room = Buffer.alloc(Math.max(end, 2 * room.length));
    bytes.copy(room, 0, 0, length);
  }
  change.bytes.copy(room, change.at);
  return [room, Math.max(length, end)];
}

/** What of a change is on the disk although no flush covered it. */
function survivingParts(change: Change, style: CrashStyle, isLastWrite: boolean, random: () => number): readonly Change[] {
  if (style === 'lost') return [];
  if (change.kind === 'truncate') return style === 'whole' || random() < 0.5 ? [change] : [];
  if (style === 'whole') return [change];
  if (style === 'reordered') return isLastWrite ? [change] : [];
  const sectors = Math.ceil(change.bytes.length / SECTOR_BYTES);
  const sector = (k: number, bytes: number): Change => {
    const from = k * SECTOR_BYTES;
    return { kind: 'write', at: change.at + from, bytes: change.bytes.subarray(from, Math.min(from + bytes, change.bytes.length)) };
  };
  if (style === 'torn') {
    if (!isLastWrite) return [change];
    return Array.from({ length: Math.floor(random() * (sectors + 1)) }, (_, k) => sector(k, SECTOR_BYTES));
  }
  const parts: Change[] = [];
  for (let k = 0; k < sectors; k++) {
    const chance = random();
    if (style === 'sectors' && chance < 0.5) parts.push(sector(k, SECTOR_BYTES));
    if (style === 'junk' && chance < 0.7) parts.push(sector(k, chance < 0.35 ? SECTOR_BYTES : SECTOR_BYTES / 2));
  }
  return parts;
}
