import { hash } from 'node:crypto';
import { WaybillError } from '../../src/contracts/errors.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import { asIndex, asSize } from '../../src/contracts/units.ts';
import type { FollowedLedger } from '../../src/tree/followed.ts';
import { openTree, type Tree } from '../../src/tree/follower.ts';
import { treeJobs } from '../../src/tree/grow.ts';
import { createChance } from '../sim/chance.ts';
import { type Ending, StepDisk } from './step-disk.ts';

/** The directory of the tree in these tests. */
export const DIRECTORY = 'tree';

/** The origin of the log in these tests. */
export const ORIGIN = 'test.example/log';

/** The bytes of an entry. */
export function entryOf(index: number): Uint8Array {
  return Buffer.from(`entry ${index}${'.'.repeat(index % 7)}`);
}

/** A ledger that only has a size, with its tree on a disk that ends, fills up and rots when a test wants it to. */
export class TreeWorld {
  readonly disk: StepDisk;
  readonly warnings: string[] = [];
  readonly notes: string[] = [];
  /** How often and where the tree has read the ledger since it was opened. */
  readonly reads: number[] = [];
  size = 0;
  beginning = 0;
  /** The entry whose bytes somebody has changed. */
  changed = -1;
  tree: Tree | null = null;
  readonly register = new Map<string, string>();
  readonly #storeEvery: number;
  #life = 0;
  #grown = Promise.withResolvers<void>();

  constructor(options: { readonly storeEvery?: number; readonly seed?: number } = {}) {
    this.disk = new StepDisk(createChance(options.seed ?? 1, 'tree'));
    this.#storeEvery = options.storeEvery ?? 1 << 18;
  }

  /** The open tree. */
  get open(): Tree {
    if (this.tree === null) throw new Error('the tree is not open');
    return this.tree;
  }

  /** Opens the tree in a new process. */
  async start(): Promise<Tree> {
    this.reads.length = 0;
    this.tree = await openTree(DIRECTORY, this.#ledger(), this.#ports(), { storeEvery: this.#storeEvery });
    return this.tree;
  }

  /** Closes the tree. */
  async stop(): Promise<void> {
    await this.open.close();
    this.tree = null;
    if (this.disk.openFiles > 0) throw new Error(`${this.disk.openFiles} files are open after the tree was closed`);
  }

  /** The process ends here and now. */
  crash(ending: Ending): void {
    this.#life++;
    this.disk.end(ending);
    this.tree = null;
  }

  /** The ledger has more entries, and the tree has taken them in. */
  async grow(to: number): Promise<void> {
    this.grown(to);
    await this.reached();
  }

  /** The ledger has more entries. */
  grown(to: number): void {
    this.size = to;
    this.#grown.resolve();
    this.#grown = Promise.withResolvers<void>();
  }

  /** Waits until the tree has taken in everything. */
  async reached(): Promise<void> {
    const failed = this.open.failed.then((error) => {
      throw error;
    });
    while (this.open.size() < this.size) await Promise.race([failed, new Promise((resolve) => setImmediate(resolve))]);
  }

  #ledger(): FollowedLedger {
    return {
      origin: ORIGIN,
      size: () => asSize(this.size),
      beginning: () => asIndex(this.beginning),
      read: async (from, limits) => {
        this.reads.push(from);
        if (from < this.beginning) throw new WaybillError('LEDGER_PRUNED', `entry ${from} is gone`);
        const count = Math.min(this.size - from, limits.entries);
        const parts = Array.from({ length: count }, (_, k) => (from + k === this.changed ? Buffer.from('changed') : entryOf(from + k)));
        const ends = new Uint32Array(count);
        for (let k = 0, at = 0; k < count; k++) ends[k] = at += parts[k]?.length ?? 0;
        const starts = ends.map((end, k) => end - (parts[k]?.length ?? 0));
        return { first: from, count, bytes: Buffer.concat(parts), starts, ends };
      },
      waitBeyond: async (beyond, signal) => {
        const aborted = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
        while (this.size <= beyond) await Promise.race([this.#grown.promise, aborted]);
        return asSize(this.size);
      },
      register: {
        get: (key) => this.register.get(key) ?? null,
        set: async (key, value, expected) => {
          if ((this.register.get(key) ?? null) !== expected) throw new WaybillError('REGISTER_CONFLICT', key);
          this.register.set(key, value);
        },
      },
    };
  }

  #ports(): Pick<Ports, 'clock' | 'disk' | 'background' | 'log'> {
    const life = this.#life;
    const pass = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      if (life !== this.#life) await new Promise(() => {});
    };
    return {
      disk: this.disk.start(),
      clock: {
        now: () => 0,
        monotonic: () => 0,
        sleep: async (_ms, signal) => {
          await pass();
          signal?.throwIfAborted();
        },
      },
      background: {
        run: async (job, input) => {
          await pass();
          // As on a real thread: everything is copied, except for shared memory.
          return treeJobs[job]?.(structuredClone(input));
        },
      },
      log: {
        info: (message) => void this.notes.push(message),
        warn: (message) => void this.warnings.push(message),
        error: (message) => void this.warnings.push(message),
      },
    };
  }
}

const levels: Buffer[][] = [[]];

/**
 * The root of the full subtree of 2^`level` entries with this number, by the definition of RFC 6962 section 2.1 and none of the product's
 * code.
 */
export function naiveHash(level: number, index: number): Buffer {
  const known = (levels[level] ??= []);
  return (known[index] ??=
    level === 0
      ? sha256(Uint8Array.of(0), entryOf(index))
      : sha256(Uint8Array.of(1), naiveHash(level - 1, 2 * index), naiveHash(level - 1, 2 * index + 1)));
}

/** The root over all entries from `from` to `end`, by the same definition. */
export function naiveRoot(from: number, end: number): Buffer {
  const count = end - from;
  if (count === 0) return sha256();
  let left = 1;
  while (left * 2 < count) left *= 2;
  if (count === 1 || left * 2 === count) return naiveHash(Math.log2(count), from / count);
  return sha256(Uint8Array.of(1), naiveRoot(from, from + left), naiveRoot(from + left, end));
}

/** The content of a tile, by the definition of C2SP tlog-tiles. */
export function naiveTile(level: number, n: number, width: number): Buffer {
  return Buffer.concat(Array.from({ length: width }, (_, k) => naiveHash(8 * level, n * 256 + k)));
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}
