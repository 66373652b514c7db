import type { LogParts } from '../../src/api/tlog.ts';
import type { PublishedHead } from '../../src/contracts/heads.ts';
import { asSize } from '../../src/contracts/units.ts';
import { formatCheckpoint, parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { encodeHash, type Hash, hashBytes, leafHash, nodeHash } from '../../src/tlog/hash.ts';
import { formatVerifierKey, type VerifierKey } from '../../src/tlog/key.ts';
import { formatNote, openNote, parseNote } from '../../src/tlog/note.ts';
import { formatPolicy } from '../../src/tlog/policy.ts';
import { checkInclusion, inclusionProof, rootOf } from '../../src/tlog/proof.ts';
import { parseTlogProof } from '../../src/tlog/tlog-proof.ts';
import { checkEd25519, noteSigner, sha256 } from './note-signer.ts';

/** The published side of a log whose entries are texts: its tree is made anew for each question, and `publish` signs its head. */
export class PublishedLog {
  readonly heads: LogParts['heads'];
  readonly tree: LogParts['tree'];
  readonly key: VerifierKey;
  readonly #origin: string;
  readonly #texts: () => readonly string[];
  readonly #signer;
  #head: PublishedHead | null = null;
  #published = Promise.withResolvers<void>();

  constructor(origin: string, texts: () => readonly string[]) {
    this.#origin = origin;
    this.#texts = texts;
    this.#signer = noteSigner(origin, 7);
    this.key = this.#signer.key;
    this.heads = {
      keys: () => [{ verifierKey: formatVerifierKey(this.key), from: asSize(0), through: null }],
      policy: () => formatPolicy({ logs: [{ key: this.key, url: null }], witnesses: [], groups: [], quorum: null }),
      published: () => this.#head,
      waitCovering: async (size, signal) => {
        const ended = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
        while ((this.#head?.size ?? 0) < size) await Promise.race([this.#published.promise, ended]);
        return this.#head as PublishedHead;
      },
    };
    this.tree = {
      tile: async (level, n, width) => {
        const hashes = Array.from({ length: width }, (_, k) => hashBytes(this.#hash(8 * level, n * 256 + k)));
        return new Uint8Array(Buffer.concat(hashes));
      },
      inclusion: (index, size) => inclusionProof(sha256, size, index, (level, at) => this.#hash(level, at)),
    };
  }

  /** Signs and publishes the head over so many entries. */
  async publish(size: number): Promise<void> {
    const root = await rootOf(sha256, size, (level, index) => this.#hash(level, index));
    const text = formatCheckpoint({ origin: this.#origin, size, root });
    const checkpoint = formatNote(text, [this.#signer.sign(text)]);
    this.#head = { size: asSize(size), root: encodeHash(root), checkpoint, at: 0 };
    this.#published.resolve();
    this.#published = Promise.withResolvers();
  }

  #hash(level: number, index: number): Hash {
    if (level > 0) return nodeHash(sha256, this.#hash(level - 1, 2 * index), this.#hash(level - 1, 2 * index + 1));
    const entry = Buffer.from(this.#texts()[index] ?? '');
    return leafHash(sha256, entry, 0, entry.length);
  }
}

/** Checks a `.tlog-proof` as anybody would who has the entry and the key: answers its index and size. Throws where it does not hold. */
export function provedBy(text: string, entry: Uint8Array, keys: readonly VerifierKey[]): { readonly index: number; readonly size: number } {
  const { index, proof, checkpoint } = parseTlogProof(text);
  const note = parseNote(Buffer.from(checkpoint));
  openNote(note, keys, checkEd25519);
  const { size, root } = parseCheckpoint(note.text);
  const leaf = leafHash(sha256, entry, 0, entry.length);
  if (!checkInclusion(sha256, { size, index, leaf, proof, root })) throw new Error(`entry ${index} is not proved`);
  return { index, size };
}
