import type { Heads } from '../../src/contracts/heads.ts';
import type { Ledger } from '../../src/contracts/ledger.ts';
import { asSize, type Size } from '../../src/contracts/units.ts';
import { encodeHash, leafHash, nodeHash } from '../../src/tlog/hash.ts';
import { consistencyProof, rootOf } from '../../src/tlog/proof.ts';
import { sha256 } from '../../src/tree/grow.ts';

/** A ledger and its tree that grow when a test says so: entry `k` of them is `NAME k`. What the tree has may lag behind the ledger. */
export class GrownTree {
  readonly origin = 'test.example/log';
  /** What the register holds; who shares it is the same ledger after a restart. */
  readonly facts: Map<string, string>;
  readonly register: Ledger['register'];
  /** How often something was recorded. */
  recorded: string[] = [];
  /** Called before something is recorded. */
  onRecord: (key: string, value: string) => void = () => {};
  #durable: number;
  #hashed: number;
  readonly #name: string;
  #grown = Promise.withResolvers<void>();

  constructor(size = 0, facts: Map<string, string> = new Map(), name = 'entry') {
    this.#durable = size;
    this.#hashed = size;
    this.#name = name;
    this.facts = facts;
    this.register = {
      get: (key) => facts.get(key) ?? null,
      set: async (key, value, expected) => {
        if ((facts.get(key) ?? null) !== expected) throw new Error(`${key} changed`);
        this.onRecord(key, value);
        this.recorded.push(key);
        facts.set(key, value);
      },
    };
  }

  /** Entries become durable, and go into the tree unless it lags. */
  grow(by: number, lag = 0): void {
    this.#durable += by;
    this.#hashed = this.#durable - lag;
    this.#grown.resolve();
    this.#grown = Promise.withResolvers();
  }

  /** The tree has so many entries again, as after the loss of its files. */
  hashedTo(size: number): void {
    this.#hashed = size;
  }

  readonly ledger = {
    origin: this.origin,
    size: (): Size => asSize(this.#durable),
    waitBeyond: async (size: Size, signal: AbortSignal): Promise<Size> => {
      while (this.#durable <= size) {
        const ended = new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        });
        await Promise.race([this.#grown.promise, ended]);
      }
      return asSize(this.#durable);
    },
  };

  readonly tree = {
    size: (): Size => asSize(this.#hashed),
    root: async (size: Size): Promise<string> => encodeHash(await rootOf(sha256, size, this.#read)),
    consistency: async (from: Size, to: Size): Promise<readonly string[]> => consistencyProof(sha256, from, to, this.#read),
  };

  readonly #read = (level: number, index: number): string => {
    if (level > 0) return nodeHash(sha256, this.#read(level - 1, 2 * index), this.#read(level - 1, 2 * index + 1));
    const entry = Buffer.from(`${this.#name} ${index}`);
    return leafHash(sha256, entry, 0, entry.length);
  };
}

/** Waits for heads over so many entries, within the turns of a test. */
export async function covering(heads: Heads, size: number): Promise<string> {
  return (await heads.waitCovering(asSize(size), new AbortController().signal)).checkpoint;
}
