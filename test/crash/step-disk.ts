import { WaybillError } from '../../src/contracts/errors.ts';
import type { Disk, DiskFile } from '../../src/contracts/ports.ts';
import type { Chance } from '../sim/chance.ts';
import { Inode } from '../sim/inode.ts';

/**
 * How the machine ends. `kill`: the process only, what it wrote stays visible.
 * `power`: what was not synced may be lost, torn or reordered.
 */
export type Ending = 'kill' | 'power';

/**
 * A disk in memory whose operations are counted, so that a test ends the process at each of them in turn.
 * From that operation on nothing is answered any more, as to a process that is not there.
 */
export class StepDisk {
  /** How many operations there have been. */
  steps = 0;
  /** The operation at which the process ends; what it does happens in part. */
  endAt = Number.POSITIVE_INFINITY;
  /** While true nothing can be written. */
  full = false;
  /** How many files the process has open. */
  openFiles = 0;
  /** Called when the process ends. */
  onEnd: () => void = () => {};
  readonly #chance: Chance;
  #seen = new Map<string, Inode>();
  #durable = new Map<string, Inode>();
  #life = 0;
  /** The renaming of a directory that is not durable yet. */
  #moved: { readonly from: string; readonly to: string } | null = null;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** The disk as a new process sees it. Earlier ones never hear from it again. */
  start(): Disk {
    const life = ++this.#life;
    this.openFiles = 0;
    const step = <Out>(effect: () => Out, partly?: () => void): Promise<Out> => this.#step(life, effect, partly);
    return {
      open: (path, mode) => step(() => this.#fileOf(step, this.#open(path, mode))),
      list: (directory) => step(() => this.#list(directory)),
      length: (path) => step(() => this.#seen.get(path)?.length ?? null),
      makeDirectory: () => step(() => {}),
      rename: (from, to) =>
        step(() => {
          const inode = this.#seen.get(from);
          if (inode === undefined && this.#list(from).length > 0) {
            moveAll(this.#seen, from, to);
            this.#moved = { from, to };
            return;
          }
          if (inode === undefined) throw new WaybillError('DISK_FAILED', `no file ${from}`);
          this.#seen.delete(from);
          this.#seen.set(to, inode);
        }),
      remove: (path) => step(() => void this.#seen.delete(path)),
      syncDirectory: () =>
        step(() => {
          this.#durable = new Map(this.#seen);
          this.#moved = null;
        }),
      available: () => step(() => (this.full ? 0 : 2 ** 40)),
      lock: () => step(() => ({ release: () => step(() => {}) })),
    };
  }

  /** Ends the process, if it has not ended, and the machine if it was more than the process. */
  end(ending: Ending): void {
    this.#life++;
    this.endAt = Number.POSITIVE_INFINITY;
    if (ending === 'kill') return;
    // A directory takes all that is in it along, or stays.
    if (this.#moved !== null && this.#chance.hit(0.5)) moveAll(this.#durable, this.#moved.from, this.#moved.to);
    else if (this.#moved !== null) moveAll(this.#seen, this.#moved.to, this.#moved.from);
    this.#moved = null;
    // Any subset of the changes of names that were not synced may have reached the disk.
    const names = new Map(this.#durable);
    for (const path of new Set([...this.#seen.keys(), ...this.#durable.keys()])) {
      const inode = this.#seen.get(path);
      if (inode === this.#durable.get(path) || this.#chance.hit(0.5)) continue;
      if (inode === undefined) names.delete(path);
      else names.set(path, inode);
    }
    for (const inode of new Set(names.values())) inode.cutPower(this.#chance);
    this.#seen = names;
    this.#durable = new Map(names);
  }

  /** The files there are, sorted. */
  paths(): string[] {
    return [...this.#seen.keys()].sort();
  }

  /** How long a file is. */
  lengthOf(path: string): number {
    return this.#seen.get(path)?.length ?? 0;
  }

  /** Changes one bit of a file for good. */
  flip(path: string, at: number, bit: number): void {
    const inode = this.#seen.get(path);
    if (inode === undefined) throw new Error(`no file ${path}`);
    const byte = inode.read(at, 1);
    inode.write(Uint8Array.of((byte[0] ?? 0) ^ (1 << bit)), at);
    inode.sync();
  }

  /** Cuts a file for good. */
  cut(path: string, length: number): void {
    const inode = this.#seen.get(path);
    if (inode === undefined) throw new Error(`no file ${path}`);
    inode.truncate(length);
    inode.sync();
  }

  /** What a file says. */
  textOf(path: string): string {
    return this.bytesOf(path).toString('utf8');
  }

  /** What a file holds. */
  bytesOf(path: string): Buffer {
    const inode = this.#seen.get(path);
    return Buffer.from(inode === undefined ? [] : inode.read(0, inode.length));
  }

  /** Puts a file there for good. */
  put(path: string, text: string): void {
    const inode = new Inode();
    inode.write(Buffer.from(text), 0);
    inode.sync();
    this.#seen.set(path, inode);
    this.#durable.set(path, inode);
  }

  /** Writes over a part of a file for good. */
  overwrite(path: string, bytes: Uint8Array, at: number): void {
    const inode = this.#seen.get(path);
    if (inode === undefined) throw new Error(`no file ${path}`);
    inode.write(bytes, at);
    inode.sync();
  }

  /** Removes a file for good. */
  lose(path: string): void {
    this.#seen.delete(path);
    this.#durable.delete(path);
  }

  #step<Out>(life: number, effect: () => Out, partly?: () => void): Promise<Out> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        if (life !== this.#life) return;
        this.steps++;
        if (this.steps === this.endAt) {
          if (this.#chance.hit(0.5)) (partly ?? effect)();
          this.#life++;
          this.onEnd();
          return;
        }
        try {
          resolve(effect());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #open(path: string, mode: 'create' | 'existing' | 'read'): Inode {
    const there = this.#seen.get(path);
    if (there !== undefined) return there;
    if (mode !== 'create') throw new WaybillError('DISK_FAILED', `no file ${path}`);
    this.#mustHaveSpace();
    const inode = new Inode();
    this.#seen.set(path, inode);
    return inode;
  }

  #list(directory: string): string[] {
    const prefix = `${directory}/`;
    return this.paths()
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
  }

  #fileOf(step: <Out>(effect: () => Out, partly?: () => void) => Promise<Out>, inode: Inode): DiskFile {
    const part = (bytes: Uint8Array, at: number): void => inode.write(bytes.subarray(0, this.#chance.int(0, bytes.length)), at);
    const write = (bytes: Uint8Array, at: number): Promise<void> =>
      step(
        () => {
          if (this.full) part(bytes, at);
          this.#mustHaveSpace();
          inode.write(bytes, at);
        },
        () => part(bytes, at),
      );
    let closed = false;
    this.openFiles++;
    return {
      length: () => step(() => inode.length),
      read: (at, length) => step(() => inode.read(at, length)),
      readNow: (into, at) => {
        if (closed) throw new Error('a file was read after it was closed');
        return inode.readInto(into, at);
      },
      write,
      sync: () => step(() => inode.sync()),
      async commit(bytes, at) {
        await write(bytes, at);
        await step(() => inode.sync());
      },
      truncate: (length) => step(() => inode.truncate(length)),
      close: () =>
        step(() => {
          if (!closed) this.openFiles--;
          closed = true;
        }),
    };
  }

  #mustHaveSpace(): void {
    if (this.full) throw new WaybillError('DISK_FULL', 'no space left');
  }
}

/** Renames everything in a directory. */
function moveAll(names: Map<string, Inode>, from: string, to: string): void {
  for (const [path, inode] of names) {
    if (!path.startsWith(`${from}/`)) continue;
    names.delete(path);
    names.set(`${to}${path.slice(from.length)}`, inode);
  }
}
