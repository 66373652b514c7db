import type { Heads, LogKey, PublishedHead } from '../../src/contracts/heads.ts';
import { asSize, type Size } from '../../src/contracts/units.ts';
import { formatCheckpoint, parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { encodeHash, type Hash, leafHash, nodeHash } from '../../src/tlog/hash.ts';
import { formatNote, openNote, parseNote } from '../../src/tlog/note.ts';
import { rootOf } from '../../src/tlog/proof.ts';
import { checkEd25519, noteSigner, sha256 } from './note-signer.ts';

/** Heads over entries that a test gives, really signed, published when the test says so. */
export class SignedHeads implements Heads {
  readonly #log;
  readonly #freshness;
  readonly #origin: string;
  readonly #clock: { now(): number };
  readonly #waiting = new Set<() => void>();
  #newest: PublishedHead | null = null;

  constructor(origin: string, clock: { now(): number }) {
    this.#origin = origin;
    this.#clock = clock;
    this.#log = noteSigner(origin, 1);
    this.#freshness = noteSigner(`${origin}/freshness`, 2, 4);
  }

  /** Publishes the head over these entries; the same ones again make it fresh. */
  async publish(entries: readonly Uint8Array[]): Promise<PublishedHead> {
    const root = await rootOfEntries(entries);
    const at = this.#clock.now();
    const text = formatCheckpoint({ origin: this.#origin, size: entries.length, root });
    const checkpoint = formatNote(text, [this.#log.sign(text), this.#freshness.sign(text, Math.floor(at / 1_000))]);
    this.#newest = { size: asSize(entries.length), root: encodeHash(root), checkpoint, at };
    for (const wake of this.#waiting) wake();
    return this.#newest;
  }

  /**
   * Opens a checkpoint as who knows the two keys does, and compares its root with that of the entries that it covers. Throws where anything
   * is wrong with it. Gives its size.
   */
  async check(note: string, held: readonly Uint8Array[]): Promise<number> {
    const parsed = parseNote(Buffer.from(note));
    const signed = openNote(parsed, [this.#log.key, this.#freshness.key], checkEd25519);
    if (!signed.some(({ key }) => key.id === this.#log.key.id)) throw new Error('the log has not signed the checkpoint');
    const { origin, size, root } = parseCheckpoint(parsed.text);
    if (origin !== this.#origin) throw new Error(`the checkpoint is one of ${origin}`);
    if (size > held.length) throw new Error(`the checkpoint covers ${size} entries, and ${held.length} are held`);
    if (root !== (await rootOfEntries(held.slice(0, size)))) throw new Error(`the ${size} entries that are held have another root`);
    return size;
  }

  published(): PublishedHead | null {
    return this.#newest;
  }

  waitCovering(size: Size, signal: AbortSignal): Promise<PublishedHead> {
    return this.#until((head) => head.size >= size, signal);
  }

  waitNewer(seen: PublishedHead | null, signal: AbortSignal): Promise<PublishedHead> {
    return this.#until((head) => head !== seen, signal);
  }

  keys(): readonly LogKey[] {
    return [{ verifierKey: this.#log.verifierKey, from: asSize(0), through: null }];
  }

  policy(): string {
    return `log ${this.#log.verifierKey}\nquorum none\n`;
  }

  async #until(condition: (head: PublishedHead) => boolean, signal: AbortSignal): Promise<PublishedHead> {
    signal.throwIfAborted();
    while (this.#newest === null || !condition(this.#newest)) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const stop = (): void => reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      this.#waiting.add(resolve);
      try {
        await promise;
      } finally {
        this.#waiting.delete(resolve);
        signal.removeEventListener('abort', stop);
      }
    }
    return this.#newest;
  }
}

/** The root over these entries, RFC 6962 section 2.1. */
export async function rootOfEntries(entries: readonly Uint8Array[]): Promise<Hash> {
  const read = (level: number, index: number): Hash => {
    const entry = entries[index] as Uint8Array;
    return level === 0
      ? leafHash(sha256, entry, 0, entry.length)
      : nodeHash(sha256, read(level - 1, 2 * index), read(level - 1, 2 * index + 1));
  };
  return rootOf(sha256, entries.length, read);
}
