import { WaybillError } from '../../src/contracts/errors.ts';
import type { Disk } from '../../src/contracts/ports.ts';
import type { Chance } from './chance.ts';
import { Inode } from './inode.ts';
import { type DiskOperation, OpenFile } from './open-file.ts';
import type { Life, World } from './world.ts';

/** What can go wrong on a disk and how often. Odds are per operation. */
export interface DiskOdds {
  /** The usual time of one operation. */
  readonly latencyMs: number;
  /** An operation takes a hundred times as long. */
  readonly slow: number;
  /** A write, a sync or a change of names fails for good. */
  readonly fail: number;
}

/** Something done to the names of one directory that no sync has covered yet. */
interface NameChange {
  readonly directory: string;
  readonly effects: readonly (readonly [path: string, now: Inode | 'directory' | null])[];
  /** A directory that went to another name with everything in it. */
  readonly moved?: { readonly from: string; readonly to: string };
}

/**
 * The disk of the simulated machine. It outlives processes: what is not synced survives a kill and may be lost, torn or reordered by
 * a power cut;
 * names are durable only after the directory was synced; a full disk refuses every write that makes a file longer; locks go when
 * their process dies.
 */
export class VirtualDisk {
  readonly #world: World;
  readonly #chance: Chance;
  odds: DiskOdds;
  /** Bytes that fit; writes beyond fail with `DISK_FULL`. */
  capacity = Number.POSITIVE_INFINITY;
  readonly #names = new Map<string, Inode | 'directory'>();
  readonly #durableNames = new Map<string, Inode | 'directory'>();
  #changes: NameChange[] = [];
  readonly #locks = new Map<string, Life>();
  readonly inFlight = new Set<DiskOperation>();
  /** Sprung once, when so many more changes of at least so many bytes have been asked for: a crash is most telling in the middle of one. */
  trap: { changes: number; readonly bytesMin: number; readonly spring: () => void } | null = null;
  /** Sprung once, in the middle of the operation that comes after so many whose names fit. */
  aim: { readonly names: RegExp; operations: number; readonly spring: () => void } | null = null;

  constructor(world: World, odds: DiskOdds) {
    this.#world = world;
    this.#chance = world.chance.fork('disk');
    this.odds = odds;
    this.#names.set('/', 'directory');
    this.#durableNames.set('/', 'directory');
  }

  /** The disk as one process sees it. */
  portOf(life: Life): Disk {
    const run = <Result>(name: string, effect: () => Result): Promise<Result> => this.operate(life, name, { effect });
    return {
      open: (path, mode) => run(`open ${path}`, () => new OpenFile(this, life, path, this.#open(path, mode))),
      list: (directory) => run(`list ${directory}`, () => this.names(directory)),
      length: (path) => run(`length ${path}`, () => this.#inode(path)?.length ?? null),
      makeDirectory: (path) =>
        this.operate(life, `mkdir ${path}`, {
          effect: () => this.#makeDirectory(path, true),
          partly: () => this.#makeDirectory(path, false),
        }),
      rename: (from, to) => run(`rename ${from} ${to}`, () => this.#rename(from, to)),
      remove: (path) => run(`remove ${path}`, () => this.#remove(path)),
      syncDirectory: (path) => run(`sync ${path}/`, () => this.#syncDirectory(path)),
      available: (path) => run(`available ${path}`, () => Math.max(0, Math.min(this.capacity - this.used(), 2 ** 40))),
      lock: (path) => run(`lock ${path}`, () => this.#lock(path, life)),
    };
  }

  /** Bytes in files. */
  used(): number {
    let used = 0;
    for (const node of this.#names.values()) if (node !== 'directory') used += node.length;
    return used;
  }

  /** The process died: what it was about to do has happened in part, its locks are free. What it wrote stays visible. */
  kill(life: Life): void {
    for (const operation of this.inFlight) {
      if (operation.life !== life) continue;
      this.inFlight.delete(operation);
      if (this.#chance.hit(0.5)) operation.partly?.();
    }
    for (const [path, owner] of this.#locks) if (owner === life) this.#locks.delete(path);
  }

  /** The power is cut: every file and directory falls back to what reached the disk. No process may be alive. */
  cutPower(): void {
    const inOrder = this.#chance.hit(0.5);
    const first = this.#chance.int(0, this.#changes.length);
    for (const [at, change] of this.#changes.entries()) {
      if (inOrder ? at < first : this.#chance.hit(0.5)) this.#harden(change);
    }
    this.#changes = [];
    this.#names.clear();
    for (const [path, node] of this.#durableNames) {
      if (this.#durableNames.has(parentOf(path))) this.#names.set(path, node);
      else this.#durableNames.delete(path);
    }
    for (const node of new Set(this.#names.values())) if (node !== 'directory') node.cutPower(this.#chance);
  }

  /** Everything so far is old enough to be on the disk, synced or not. */
  settle(): void {
    for (const change of this.#changes) this.#harden(change);
    this.#changes = [];
    for (const node of this.#names.values()) if (node !== 'directory') node.sync();
  }

  /** The content of a file as a process would see it, or `null`. For checkers. */
  peek(path: string): Uint8Array | null {
    const inode = this.#inode(path);
    return inode === null ? null : inode.read(0, inode.length);
  }

  /** Somebody else changes a file behind the back of every process, or removes it (`null`), and that is durable. */
  meddle(path: string, content: Uint8Array | null): void {
    if (content === null) this.#remove(path);
    else {
      const inode = this.#open(path, 'create');
      inode.truncate(0);
      inode.write(content, 0);
      inode.sync();
    }
    this.#syncDirectory(parentOf(path));
  }

  /** Everything below a directory is lost for good. No process may be alive. */
  wipe(directory: string): void {
    for (const names of [this.#names, this.#durableNames])
      for (const path of names.keys()) if (path.startsWith(`${directory}/`)) names.delete(path);
    this.#changes = this.#changes.filter((change) => !`${change.directory}/`.startsWith(`${directory}/`));
  }

  /** The names in a directory, sorted. */
  names(directory: string): string[] {
    const prefix = directory.endsWith('/') ? directory : `${directory}/`;
    return [...this.#names.keys()]
      .filter((path) => path.startsWith(prefix) && path.length > prefix.length && !path.slice(prefix.length).includes('/'))
      .map((path) => path.slice(prefix.length))
      .sort();
  }

  /** Does one operation after a while, unless its process dies before. */
  operate<Result>(
    life: Life,
    name: string,
    what: { effect: () => Result; partly?: () => void; failing?: () => void; bytes?: number },
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      // What a process still begins in the instant of its death never reaches the disk.
      if (life.state === 'dead') return;
      const operation: DiskOperation = { life, name, partly: what.partly ?? null };
      this.inFlight.add(operation);
      if (what.failing !== undefined) this.#countDown(what.bytes ?? 0);
      this.#takeAim(name);
      this.#world.plan(this.#latency(), () => {
        if (!this.inFlight.delete(operation)) return;
        let answer: () => void;
        try {
          if (what.failing !== undefined && this.#chance.hit(this.odds.fail)) {
            what.failing();
            throw new WaybillError('DISK_FAILED', `EIO in ${name}`);
          }
          const result = what.effect();
          answer = () => resolve(result);
        } catch (error) {
          this.#world.tell(`disk: ${error instanceof Error ? error.message : String(error)}`);
          answer = () => reject(error);
        }
        if (life.state === 'paused') life.held.push(answer);
        else answer();
      });
    });
  }

  /** The stream of chance of this disk, for its files. */
  get chance(): Chance {
    return this.#chance;
  }

  #countDown(bytes: number): void {
    const { trap } = this;
    if (trap === null || bytes < trap.bytesMin) return;
    trap.changes -= 1;
    if (trap.changes > 0) return;
    this.trap = null;
    this.#world.plan(this.#latency() * this.#chance.next(), trap.spring);
  }

  #takeAim(name: string): void {
    const { aim } = this;
    if (aim === null || !aim.names.test(name)) return;
    aim.operations -= 1;
    if (aim.operations > 0) return;
    this.aim = null;
    this.#world.plan(this.odds.latencyMs * 0.5, aim.spring);
  }

  #latency(): number {
    const usual = this.odds.latencyMs * (0.5 + this.#chance.next());
    return this.#chance.hit(this.odds.slow) ? usual * 100 : usual;
  }

  #inode(path: string): Inode | null {
    const node = this.#names.get(path);
    return node === undefined || node === 'directory' ? null : node;
  }

  #open(path: string, mode: 'create' | 'existing' | 'read'): Inode {
    const there = this.#inode(path);
    if (there !== null) return there;
    if (mode !== 'create') throw new WaybillError('DISK_FAILED', `ENOENT: no file ${path}`);
    if (this.#names.get(parentOf(path)) !== 'directory') throw new WaybillError('DISK_FAILED', `ENOENT: no directory for ${path}`);
    if (this.used() >= this.capacity) throw new WaybillError('DISK_FULL', `ENOSPC: cannot create ${path}`);
    const inode = new Inode();
    this.#change({ directory: parentOf(path), effects: [[path, inode]] });
    return inode;
  }

  /** As the port promises, the names of new directories are durable when it is done; a kill in its middle leaves one that is not. */
  #makeDirectory(path: string, durable: boolean): void {
    if (path !== '/') this.#makeDirectory(parentOf(path), durable);
    if (!this.#names.has(path)) this.#change({ directory: parentOf(path), effects: [[path, 'directory']] });
    if (durable) this.#syncDirectory(parentOf(path));
  }

  #rename(from: string, to: string): void {
    if (this.#names.get(from) === 'directory') {
      if (this.names(to).length > 0) throw new WaybillError('DISK_FAILED', `ENOTEMPTY: ${to} is not empty`);
      this.#change({ directory: parentOf(to), effects: [], moved: { from, to } });
      return;
    }
    const inode = this.#inode(from);
    if (inode === null) throw new WaybillError('DISK_FAILED', `ENOENT: no file ${from} to rename`);
    this.#change({
      directory: parentOf(to),
      effects: [
        [from, null],
        [to, inode],
      ],
    });
  }

  #remove(path: string): void {
    if (this.#inode(path) !== null) this.#change({ directory: parentOf(path), effects: [[path, null]] });
  }

  #syncDirectory(path: string): void {
    for (const change of this.#changes) if (change.directory === path) this.#harden(change);
    this.#changes = this.#changes.filter((change) => change.directory !== path);
  }

  #lock(path: string, life: Life): { release(): Promise<void> } {
    const owner = this.#locks.get(path);
    if (owner !== undefined) throw new WaybillError('LEDGER_LOCKED', `another process holds ${path}`);
    this.#locks.set(path, life);
    return {
      release: () =>
        this.operate(life, `unlock ${path}`, {
          effect: () => {
            if (this.#locks.get(path) === life) this.#locks.delete(path);
          },
        }),
    };
  }

  #change(change: NameChange): void {
    this.#changes.push(change);
    if (change.moved !== undefined) moveNames(this.#names, change.moved.from, change.moved.to);
    for (const [path, node] of change.effects) {
      if (node === null) this.#names.delete(path);
      else this.#names.set(path, node);
    }
  }

  #harden(change: NameChange): void {
    if (change.moved !== undefined) {
      const { from, to } = change.moved;
      moveNames(this.#durableNames, from, to);
      // What was done in the directory before it moved and is not durable yet is now done under its new name.
      this.#changes = this.#changes.map((one) => (one === change ? one : movedChange(one, from, to)));
    }
    for (const [path, node] of change.effects) {
      if (node === null) this.#durableNames.delete(path);
      else this.#durableNames.set(path, node);
    }
  }
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

function moveNames(names: Map<string, Inode | 'directory'>, from: string, to: string): void {
  for (const [path, node] of names) {
    if (!isWithin(path, from)) continue;
    names.delete(path);
    names.set(to + path.slice(from.length), node);
  }
}

function movedChange(change: NameChange, from: string, to: string): NameChange {
  const name = (path: string): string => (isWithin(path, from) ? to + path.slice(from.length) : path);
  return { ...change, directory: name(change.directory), effects: change.effects.map(([path, now]) => [name(path), now] as const) };
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
