import { type Checkpoint, parseCheckpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { encodeHash } from '../tlog/hash.ts';
import { formatVerifierKey, type VerifierKey } from '../tlog/key.ts';
import { type Note, openNote, parseNote, type VerifiedSignature } from '../tlog/note.ts';
import type { ComputedTree } from './computed-tree.ts';
import type { Findings } from './findings.ts';
import type { KeyChain } from './key-chain.ts';
import { checkSignature } from './signatures.ts';

/**
 * The root of every head is compared. A signature costs as much as hashing a hundred entries, so of heads that follow one another closely
 * only one in so many entries has it checked; the newest one, and those around a rotation, always.
 */
const SIGNATURE_EVERY = 4_096;

/** A head that its key has signed. */
export interface SignedHead {
  readonly checkpoint: Checkpoint;
  readonly file: string;
  /** Keys of the log, and cosigners with their times. */
  readonly signatures: readonly VerifiedSignature[];
}

/** What was counted of heads. */
export interface HeadCounts {
  heads: number;
  signatures: number;
  cosignatures: number;
}

/** Holds the heads of a copy, and those that were given, against the entries. */
export class HeadCheck {
  readonly counts: HeadCounts = { heads: 0, signatures: 0, cosignatures: 0 };
  /** The newest signed head that the entries add up to. */
  newest: SignedHead | null = null;
  /** The smallest signed head that they do not add up to. */
  contradicted: SignedHead | null = null;
  /** The largest signed head of all, also when there are fewer entries. */
  largest: SignedHead | null = null;
  readonly #origin: string;
  readonly #chain: KeyChain;
  readonly #cosigners: readonly VerifierKey[];
  readonly #findings: Findings;
  /** Heads of keys that no entry has named so far: the newest of each key. They are looked at once more at the end. */
  #strangers = new Map<string, { readonly note: Uint8Array; readonly file: string }>();
  #skipped: { readonly note: Uint8Array; readonly file: string } | null = null;
  #lastSize = Number.NEGATIVE_INFINITY;
  #before = 0;

  constructor(origin: string, chain: KeyChain, cosigners: readonly VerifierKey[], findings: Findings) {
    this.#origin = origin;
    this.#chain = chain;
    this.#cosigners = cosigners;
    this.#findings = findings;
  }

  /** Checks a head. `tree` has its entries, or will never have them. `sampled`: its signature may be one of many. */
  async check(note: Uint8Array, file: string, tree: ComputedTree, sampled: boolean): Promise<void> {
    const parsed = this.#parse(note, file);
    if (parsed === null) return;
    const { checkpoint } = parsed;
    const root = checkpoint.size <= tree.size ? await tree.root(checkpoint.size) : null;
    const matches = root === checkpoint.root;
    const rotated = this.#chain.rotatedWithin(this.#before, checkpoint.size);
    this.#before = Math.max(this.#before, checkpoint.size);
    if (sampled && matches && !rotated && checkpoint.size < this.#lastSize + SIGNATURE_EVERY) {
      this.counts.heads += 1;
      this.#skipped = { note, file };
      return;
    }
    this.#skipped = null;
    const signatures = this.#open(parsed.note, note, file);
    if (signatures === null) return;
    this.counts.heads += 1;
    this.#lastSize = checkpoint.size;
    this.#settle({ checkpoint, file, signatures }, root === null ? 'absent' : matches);
  }

  /** Checks what was put off. After this everything that is known of keys is known. */
  async finish(tree: ComputedTree): Promise<void> {
    if (this.#skipped !== null) {
      const { note, file } = this.#skipped;
      this.counts.heads -= 1;
      await this.check(note, file, tree, false);
    }
    const strangers = this.#strangers;
    this.#strangers = new Map();
    for (const { note, file } of strangers.values()) {
      await this.check(note, file, tree, false);
    }
    for (const [names, { file }] of this.#strangers) {
      this.#findings.add('KEY_UNKNOWN', `${file} is signed by ${names}, and none of these keys is known`, { file });
    }
  }

  #settle(head: SignedHead, matches: boolean | 'absent'): void {
    const { checkpoint, signatures } = head;
    if (checkpoint.size >= (this.largest?.checkpoint.size ?? 0)) this.largest = head;
    if (matches === false && checkpoint.size < (this.contradicted?.checkpoint.size ?? Number.POSITIVE_INFINITY)) this.contradicted = head;
    if (matches !== true) return;
    if (checkpoint.size >= (this.newest?.checkpoint.size ?? 0)) this.newest = head;
    for (const { key } of signatures) if (key.algorithm === 1) this.#chain.prove(key, checkpoint.size);
    this.#checkExpected(head);
  }

  /** Behind a rotation the old key signs one head together with the new one, and none alone. */
  #checkExpected({ checkpoint, file, signatures }: SignedHead): void {
    const expected = this.#chain.expected(checkpoint.size);
    if (expected === null || signatures.some(({ key }) => formatVerifierKey(key) === formatVerifierKey(expected))) return;
    const key = `${expected.name} (${expected.id}), which was the key of the log by then`;
    this.#findings.add('KEY_REPLACED', `the head of ${checkpoint.size} entries in ${file} is not signed by ${key}`, { file });
  }

  #parse(note: Uint8Array, file: string): { readonly note: Note; readonly checkpoint: Checkpoint } | null {
    try {
      const parsed = parseNote(note);
      const checkpoint = parseCheckpoint(parsed.text);
      if (checkpoint.origin === this.#origin) return { note: parsed, checkpoint };
      this.#findings.add('ORIGIN_OTHER', `${file} is a head of ${checkpoint.origin}, not of ${this.#origin}`, { file });
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
      this.#findings.add('HEAD_INVALID', `${file} is not a signed head: ${error.reason}`, { file });
    }
    return null;
  }

  /** The lines of known keys, all of them right and at least one of the log; else what is wrong has been said, or is said at the end. */
  #open(note: Note, bytes: Uint8Array, file: string): readonly VerifiedSignature[] | null {
    const ofLog = this.#chain.named();
    const known = (keys: readonly VerifierKey[]): boolean =>
      note.signatures.some((line) => keys.some(({ name, id }) => name === line.name && id === line.id));
    const names = note.signatures.map(({ name, id }) => `${name} (${id})`).join(', ');
    if (!known(ofLog)) {
      this.#strangers.set(names, { note: bytes, file });
      return null;
    }
    const verified: VerifiedSignature[] = [];
    try {
      verified.push(...openNote(note, ofLog, checkSignature));
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
      this.#findings.add('HEAD_INVALID', `the head in ${file} was not signed by its key: ${error.reason}`, { file });
      return null;
    }
    this.counts.signatures += verified.length;
    if (!known(this.#cosigners)) return verified;
    try {
      const cosigned = openNote(note, this.#cosigners, checkSignature);
      this.counts.cosignatures += cosigned.length;
      verified.push(...cosigned);
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
      this.#findings.add('COSIGNATURE_INVALID', `a cosignature in ${file} is wrong: ${error.reason}`, { file });
    }
    return verified;
  }
}

/** How many entries a note says that its head covers, before anything of it is checked; 0 where it is no head. */
export function claimedSize(note: Uint8Array): number {
  try {
    return parseCheckpoint(parseNote(note).text).size;
  } catch (error) {
    if (error instanceof TlogError) return 0;
    throw error;
  }
}

/** A head as a person compares it: its size and its root in base64. */
export function headText({ checkpoint }: SignedHead): string {
  return `${checkpoint.size} entries with root ${encodeHash(checkpoint.root)}`;
}
