import type { Background } from '../contracts/ports.ts';
import { HASH_BYTES, hashAt } from '../tlog/hash.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';
import { type Carry, carryOn, HASH_JOB, type HashInput, type HashOutput } from './jobs.ts';

/** How much goes to the hashing thread at a time: large enough that the hop costs nothing for each entry. */
const STEP = { entries: 4_096, bytes: 2 << 20 };

/** Entries one behind the other. Entry `k` is `bytes[starts[k] … ends[k]]`. */
export interface EntryBytes {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** Takes the leaf hashes of the entries that follow, and the roots of the bundles that became full with them. The bytes are used again. */
export type TakeHashes = (leaves: Uint8Array, bundles: Uint8Array) => Promise<void> | void;

/** One of the two memories: while the other thread hashes what is in one, the next entries gather in the other. They grow to a step. */
class Gathering {
  bytes = sharedBytes(16_384);
  starts = new Uint32Array(64);
  ends = new Uint32Array(64);
  leaves = sharedBytes(64 * HASH_BYTES);
  count = 0;
  length = 0;

  /** Whether one more entry belongs to this step. */
  takes(length: number): boolean {
    return this.count < STEP.entries && this.length + length <= STEP.bytes;
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    if (this.count === this.starts.length) this.#growCount();
    if (this.length + end - start > this.bytes.length) this.#growBytes(this.length + end - start);
    this.bytes.set(bytes.subarray(start, end), this.length);
    this.starts[this.count] = this.length;
    this.length += end - start;
    this.ends[this.count] = this.length;
    this.count += 1;
  }

  #growCount(): void {
    const larger = Math.min(STEP.entries, this.count * 8);
    const grown = (places: Uint32Array): Uint32Array<ArrayBuffer> => {
      const copy = new Uint32Array(larger);
      copy.set(places);
      return copy;
    };
    this.starts = grown(this.starts);
    this.ends = grown(this.ends);
    this.leaves = sharedBytes(larger * HASH_BYTES);
  }

  #growBytes(least: number): void {
    const larger = sharedBytes(Math.max(least, Math.min(STEP.bytes, this.bytes.length * 8)));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

function sharedBytes(length: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(length));
}

/** Hashes entries in their order on a thread of its own, and gives the hashes back in that order. */
export class Hashing {
  readonly #background: Background;
  readonly #take: TakeHashes;
  #gathering = new Gathering();
  #other = new Gathering();
  #underWay: Promise<HashOutput> | null = null;
  #carry: Carry = { count: 0, hashes: [] };

  constructor(background: Background, take: TakeHashes) {
    this.#background = background;
    this.#take = take;
  }

  /** Adds entries; their bytes are copied before it resolves. */
  async add({ bytes, starts, ends }: EntryBytes): Promise<void> {
    for (let k = 0; k < starts.length; k += 1) {
      const start = starts[k] ?? 0;
      const end = ends[k] ?? 0;
      if (!this.#gathering.takes(end - start)) await this.#send();
      this.#gathering.push(bytes, start, end);
    }
  }

  /** Resolves once everything that was added has been hashed and taken. */
  async flush(): Promise<void> {
    await this.#send();
    await this.#settle();
  }

  /** Goes on over entries of which only the leaf hashes are known, one behind the other. */
  async addLeaves(leaves: Uint8Array): Promise<void> {
    await this.flush();
    let { count } = this.#carry;
    const hashes = [...this.#carry.hashes];
    let bundles = '';
    for (let at = 0; at < leaves.length; at += HASH_BYTES) {
      const added = carryOn(count, hashes, hashAt(leaves, at));
      count = (count + 1) % TILE_WIDTH;
      bundles += added ?? '';
    }
    this.#carry = { count, hashes };
    await this.#take(leaves, Buffer.from(bundles, 'latin1'));
  }

  async #send(): Promise<void> {
    await this.#settle();
    const { bytes, starts, ends, leaves, count } = this.#gathering;
    if (count === 0) return;
    const input: HashInput = { bytes, starts: starts.slice(0, count), ends: ends.slice(0, count), carry: this.#carry, leaves };
    this.#underWay = this.#background.run(HASH_JOB, input) as Promise<HashOutput>;
    // It is awaited by the next step, and a failure in between is not a surprise of the process.
    this.#underWay.catch(() => {});
    [this.#gathering, this.#other] = [this.#other, this.#gathering];
    this.#gathering.count = 0;
    this.#gathering.length = 0;
  }

  async #settle(): Promise<void> {
    if (this.#underWay === null) return;
    const { carry, bundles } = await this.#underWay;
    this.#underWay = null;
    this.#carry = carry;
    const { leaves, count } = this.#other;
    // Shared memory is read slowly piece by piece: one copy as a whole.
    await this.#take(leaves.slice(0, count * HASH_BYTES), Buffer.from(bundles, 'latin1'));
  }
}
