import { hash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import type { ReadEntry } from './ledger-check.ts';

/** The width of a tile. */
const WIDTH = 256;
const HASH_BYTES = 32;
const TILE_BYTES = WIDTH * HASH_BYTES;
const RECORD_BYTES = TILE_BYTES + 16;

/** The heads and tiles that the tree ever showed or stored, over all lives. */
export class TreeWatch {
  readonly #roots = new Map<number, Set<string>>();
  /** The size of the newest head that was published. */
  #published = 0;
  /** The digests of what was seen as a tile, by its path. */
  readonly #tiles = new Map<string, Set<string>>();

  /** Somebody has looked at the tree. */
  head(head: { readonly size: number; readonly root: string }): void {
    const roots = this.#roots.get(head.size) ?? new Set();
    this.#roots.set(head.size, roots.add(head.root));
  }

  /**
   * A head was published while the ledger had so many durable entries. Answers what is wrong: it covers more than that, or less than one
   * that was published before, in whichever life.
   */
  published(head: { readonly size: number; readonly root: string }, durable: number): string | null {
    this.head(head);
    if (head.size > durable) return `a head over ${head.size} entries was published, of which ${durable} were durable`;
    if (head.size < this.#published) return `a head over ${head.size} entries was published after one over ${this.#published}`;
    this.#published = head.size;
    return null;
  }

  /** Somebody was given the first hashes of a tile. */
  tile(level: number, n: number, bytes: Uint8Array): void {
    const key = `${level}/${n}/${bytes.length / HASH_BYTES}`;
    this.#tiles.set(key, (this.#tiles.get(key) ?? new Set()).add(sha256(bytes).toString('hex')));
  }

  /**
   * Reads what a process finds of the tree when it starts, as docs/formats/tree-v1.md fixes it: the stored edge covers only tiles that are
   * there. Answers what is not as it has to be.
   */
  stored(directory: string, peek: (path: string) => Uint8Array | null): string[] {
    const file = peek(`${directory}/edge`);
    if (file === null) return [];
    const line = Buffer.from(file).toString('utf8');
    const json = line.slice(9, -1);
    if (line.slice(0, 8) !== crc32c(json).toString(16).padStart(8, '0')) return ['the stored edge of the tree is torn'];
    const { size, tiles } = JSON.parse(json) as { readonly size: number; readonly tiles: readonly string[] };
    const faults: string[] = [];
    for (let level = 0; WIDTH ** level <= size; level++) {
      const full = Math.floor(size / WIDTH ** (level + 1));
      const partial = Buffer.from(tiles[level] ?? '', 'base64');
      if (partial.length !== (Math.floor(size / WIDTH ** level) % WIDTH) * HASH_BYTES)
        faults.push(`the edge of the tree over ${size} entries has ${partial.length} bytes of level ${level}`);
      if (partial.length > 0) this.tile(level, full, partial);
      for (let n = 0; n < full; n++) {
        const bytes = storedTile(directory, peek, level, n);
        if (bytes === null) faults.push(`the edge of the tree covers ${size} entries, and its tile ${level}/${n} is not stored`);
        else this.tile(level, n, bytes);
      }
    }
    return faults;
  }

  /**
   * Compares every head and every tile with the tree over the entries as they are at the end, by the definition of RFC 6962 and none of the
   * product's code.
   */
  compare(entries: readonly ReadEntry[]): string[] {
    const leaves = entries.map(({ line }) => leafOf(line));
    const known = new Map<string, Buffer>();
    const heads = [...this.#roots].flatMap(([size, roots]) => {
      const root = rootOf(leaves, 0, size, known).toString('base64');
      return [...roots]
        .filter((shown) => shown !== root)
        .map((shown) => `the tree of ${size} entries was shown as ${shown} and is ${root}`);
    });
    const tiles = [...this.#tiles].flatMap(([key, digests]) => {
      const [level = 0, n = 0, width = 0] = key.split('/').map(Number);
      const each = WIDTH ** level;
      const hashes = Array.from({ length: width }, (_, k) => rootOf(leaves, (n * WIDTH + k) * each, (n * WIDTH + k + 1) * each, known));
      const digest = sha256(...hashes).toString('hex');
      return [...digests].every((shown) => shown === digest) ? [] : [`the tile ${key} was another one than that of the entries`];
    });
    return [...heads, ...tiles];
  }
}

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

/** A full tile in its pack, or `null`. */
function storedTile(directory: string, peek: (path: string) => Uint8Array | null, level: number, n: number): Uint8Array | null {
  const upper = level % 2;
  const pack = upper === 1 ? n : Math.floor(n / WIDTH);
  const file = peek(`${directory}/packs/${(level - upper) / 2}-${String(pack).padStart(12, '0')}.pack`);
  const at = 64 + RECORD_BYTES * (upper === 1 ? WIDTH : n % WIDTH);
  const record = Buffer.from(file ?? []).subarray(at, at + RECORD_BYTES);
  if (record.length < RECORD_BYTES || record.readUInt32LE(RECORD_BYTES - 4) !== crc32c(record.subarray(0, RECORD_BYTES - 4))) return null;
  if (record.readUInt32LE(TILE_BYTES) !== n || record.readUInt32LE(TILE_BYTES + 8) !== level) return null;
  return record.subarray(0, TILE_BYTES);
}

/** The hash of a leaf, RFC 6962 section 2.1. */
export function leafOf(entry: string): Buffer {
  return sha256(LEAF, Buffer.from(entry));
}

/** MTH of RFC 6962, section 2.1, over the leaves from `from` to `end`. Subtrees are `known` once they were needed. */
export function rootOf(leaves: readonly Buffer[], from: number, end: number, known: Map<string, Buffer>): Buffer {
  const count = end - from;
  if (count === 0) return sha256();
  if (count === 1) return leaves[from] as Buffer;
  const key = `${from}-${end}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  let left = 1;
  while (left * 2 < count) left *= 2;
  const root = sha256(NODE, rootOf(leaves, from, from + left, known), rootOf(leaves, from + left, end, known));
  known.set(key, root);
  return root;
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}
