import { type Checkpoint, formatCheckpoint } from '../../src/tlog/checkpoint.ts';
import { encodeHash, type Hash, leafHash, nodeHash } from '../../src/tlog/hash.ts';
import { formatNote } from '../../src/tlog/note.ts';
import { consistencyProof, rootOf } from '../../src/tlog/proof.ts';
import { type NoteSigner, sha256 } from './note-signer.ts';

/** What a test asks a witness for. */
export interface TestRequest {
  readonly from: number;
  readonly to: number;
  readonly signers: readonly NoteSigner[];
  /** Absent: the right one. */
  readonly proof?: readonly Hash[];
  /** Absent: the right one. */
  readonly root?: Hash;
}

/** A log in memory. Two with the same name and another `parts` are the same up to there, and branches after it. */
export class TestLog {
  readonly origin: string;
  readonly #leaves: readonly Hash[];
  readonly #inner = new Map<string, Hash>();

  constructor(origin: string, size: number, parts = Number.POSITIVE_INFINITY) {
    this.origin = origin;
    this.#leaves = Array.from({ length: size }, (_, k) => {
      const entry = Buffer.from(k < parts ? `entry ${k}` : `other ${parts} ${k}`);
      return leafHash(sha256, entry, 0, entry.length);
    });
  }

  readonly read = (level: number, index: number): Hash => {
    if (level === 0) return this.#leaves[index] ?? '';
    const place = `${level}/${index}`;
    const known = this.#inner.get(place);
    if (known !== undefined) return known;
    const made = nodeHash(sha256, this.read(level - 1, 2 * index), this.read(level - 1, 2 * index + 1));
    this.#inner.set(place, made);
    return made;
  };

  /** The head of the first `size` entries. */
  async head(size: number): Promise<Checkpoint> {
    return { origin: this.origin, size, root: await rootOf(sha256, size, this.read) };
  }

  proof(from: number, to: number): Promise<readonly Hash[]> {
    return from > to ? Promise.resolve([]) : consistencyProof(sha256, from, to, this.read);
  }

  /** The signed head of the first `size` entries. */
  async checkpoint(size: number, signers: readonly NoteSigner[], root?: Hash): Promise<string> {
    const head = await this.head(size);
    const text = formatCheckpoint(root === undefined ? head : { ...head, root });
    return formatNote(
      text,
      signers.map((signer) => signer.sign(text)),
    );
  }

  /** The body of `add-checkpoint`. */
  async request({ from, to, signers, proof, root }: TestRequest): Promise<Buffer> {
    const hashes = (proof ?? (await this.proof(from, to))).map((hash) => `${encodeHash(hash)}\n`);
    return Buffer.from(`old ${from}\n${hashes.join('')}\n${await this.checkpoint(to, signers, root)}`);
  }
}
