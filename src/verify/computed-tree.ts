import type { Hash } from '../tlog/hash.ts';
import { HASH_BYTES, hashAt, nodeHash } from '../tlog/hash.ts';
import { rootOf } from '../tlog/proof.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';
import { sha256 } from './jobs.ts';

/** How many of the newest leaf hashes stay in memory: a head is recorded this many entries late at most before entries are read again. */
const NEWEST_LEAVES = 1 << 18;

/** The level of a full bundle. */
const BUNDLE_LEVEL = 8;

/** Gives the leaf hashes of a bundle that are no longer in memory, from its entries; `null` where those cannot be read. */
export type Reread = (bundle: number) => Promise<Uint8Array | null>;

/**
 * The tree that follows from the entries that were read, and from nothing else. It keeps the root of every full bundle and of what is above
 * them: a quarter of a byte for each entry; and the newest leaf hashes.
 */
export class ComputedTree {
  #size = 0;
  /** By level from 8 on: the roots of the full subtrees, one behind the other. */
  readonly #levels: Growing[] = [];
  /** The newest leaf hashes, each at its index modulo `NEWEST_LEAVES`; it grows to that. */
  #newest = new Uint8Array(TILE_WIDTH * HASH_BYTES);
  readonly #reread: Reread;
  /** Nodes below a bundle that were computed last. */
  readonly #inside = new Map<number, Hash>();
  #insideOf = -1;
  #rereadBundle = -1;
  #rereadLeaves: Uint8Array | null = null;

  constructor(reread: Reread) {
    this.#reread = reread;
  }

  /** How many entries were hashed. */
  get size(): number {
    return this.#size;
  }

  /** Adds the leaf hashes that follow, and the roots of the bundles that became full with them, one behind the other. */
  add(leaves: Uint8Array, bundles: Uint8Array): void {
    this.#makeRoom(this.#size + leaves.length / HASH_BYTES);
    for (let at = 0; at < leaves.length; ) {
      const place = (this.#size % NEWEST_LEAVES) * HASH_BYTES;
      const taken = Math.min(leaves.length - at, this.#newest.length - place);
      this.#newest.set(leaves.subarray(at, at + taken), place);
      this.#size += taken / HASH_BYTES;
      at += taken;
    }
    for (let at = 0; at < bundles.length; at += HASH_BYTES) this.#addNode(0, hashAt(bundles, at));
  }

  /** The root over the first `size` entries; `null` where entries that it needs cannot be read again. */
  async root(size: number): Promise<Hash | null> {
    try {
      return await rootOf(sha256, size, (level, index) => this.#node(level, index));
    } catch (error) {
      if (error === UNREADABLE) return null;
      throw error;
    }
  }

  /** The root of the full subtree of 2^`level` entries from `index` · 2^`level` on; `null` as for `root`. */
  async node(level: number, index: number): Promise<Hash | null> {
    if ((index + 1) * 2 ** level > this.#size) return null;
    try {
      return await this.#node(level, index);
    } catch (error) {
      if (error === UNREADABLE) return null;
      throw error;
    }
  }

  /** The leaf hashes of a bundle, as a view of at least as many as it has; `null` as for `root`. */
  async leaves(bundle: number): Promise<Uint8Array | null> {
    try {
      return await this.#leaves(bundle);
    } catch (error) {
      if (error === UNREADABLE) return null;
      throw error;
    }
  }

  /** The roots at a level from 8 on, one behind the other, as a view. */
  stored(level: number): Uint8Array {
    return this.#levels[level - BUNDLE_LEVEL]?.bytes() ?? new Uint8Array(0);
  }

  #makeRoom(count: number): void {
    let room = this.#newest.length / HASH_BYTES;
    if (room >= Math.min(count, NEWEST_LEAVES)) return;
    while (room < Math.min(count, NEWEST_LEAVES)) room *= 2;
    const larger = new Uint8Array(room * HASH_BYTES);
    larger.set(this.#newest);
    this.#newest = larger;
  }

  #addNode(place: number, hash: Hash): void {
    const level = (this.#levels[place] ??= new Growing());
    const before = level.count;
    level.push(hash);
    if (before % 2 === 1) this.#addNode(place + 1, nodeHash(sha256, level.at(before - 1), hash));
  }

  async #node(level: number, index: number): Promise<Hash> {
    if (level >= BUNDLE_LEVEL) {
      const stored = this.#levels[level - BUNDLE_LEVEL];
      if (stored === undefined || index >= stored.count) throw UNREADABLE;
      return stored.at(index);
    }
    const first = index * 2 ** level;
    const bundle = Math.floor(first / TILE_WIDTH);
    if (bundle !== this.#insideOf) {
      this.#inside.clear();
      this.#insideOf = bundle;
    }
    const leaves = await this.#leaves(bundle);
    return this.#inner(leaves, level, index - (bundle * TILE_WIDTH) / 2 ** level);
  }

  /** A node within a bundle, by its place among those of its level there. */
  #inner(leaves: Uint8Array, level: number, place: number): Hash {
    if (level === 0) return hashAt(leaves, place * HASH_BYTES);
    const key = level * TILE_WIDTH + place;
    const known = this.#inside.get(key);
    if (known !== undefined) return known;
    const hash = nodeHash(sha256, this.#inner(leaves, level - 1, 2 * place), this.#inner(leaves, level - 1, 2 * place + 1));
    this.#inside.set(key, hash);
    return hash;
  }

  /** The leaf hashes of a bundle, as far as it goes. */
  async #leaves(bundle: number): Promise<Uint8Array> {
    const first = bundle * TILE_WIDTH;
    const place = (first % NEWEST_LEAVES) * HASH_BYTES;
    if (first >= this.#size - NEWEST_LEAVES + TILE_WIDTH) return this.#newest.subarray(place, place + TILE_WIDTH * HASH_BYTES);
    if (bundle !== this.#rereadBundle) {
      this.#rereadLeaves = await this.#reread(bundle);
      this.#rereadBundle = bundle;
    }
    if (this.#rereadLeaves === null) throw UNREADABLE;
    return this.#rereadLeaves;
  }
}

const UNREADABLE: Error = new Error('entries that the tree needs cannot be read again');

/** Hashes one behind the other in one memory that doubles. */
class Growing {
  count = 0;
  #memory = new Uint8Array(64 * HASH_BYTES);

  push(hash: Hash): void {
    const at = this.count * HASH_BYTES;
    if (at === this.#memory.length) {
      const larger = new Uint8Array(2 * at);
      larger.set(this.#memory);
      this.#memory = larger;
    }
    for (let k = 0; k < HASH_BYTES; k += 1) this.#memory[at + k] = hash.charCodeAt(k);
    this.count += 1;
  }

  at(index: number): Hash {
    return hashAt(this.#memory, index * HASH_BYTES);
  }

  bytes(): Uint8Array {
    return this.#memory.subarray(0, this.count * HASH_BYTES);
  }
}
