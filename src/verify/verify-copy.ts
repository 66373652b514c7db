import type { Background } from '../contracts/ports.ts';
import { HASH_BYTES, leafHash } from '../tlog/hash.ts';
import { parseVerifierKey, type VerifierKey } from '../tlog/key.ts';
import type { Policy } from '../tlog/policy.ts';
import { ComputedTree } from './computed-tree.ts';
import type { Copy, HeadPiece, Piece } from './copy.ts';
import { type Finding, Findings } from './findings.ts';
import { Hashing } from './hashing.ts';
import { HeadCheck } from './head-check.ts';
import { IdentitySet } from './identity-set.ts';
import { sha256 } from './jobs.ts';
import { judge } from './judge.ts';
import { KeyChain } from './key-chain.ts';
import { type Declared, OrderCheck } from './order.ts';
import { TileCheck } from './tile-check.ts';
import type { Counted, Verification } from './verification.ts';

/** What a copy is verified against. */
export interface VerifyOptions {
  /** The keys of the log that are trusted. */
  readonly keys: readonly VerifierKey[];
  /** Where they came from when they were not given. */
  readonly keyFrom: string | null;
  /** Keys of cosigners that are known: freshness, witnesses. */
  readonly cosigners: readonly VerifierKey[];
  readonly policy: Policy | null;
  /** Heads that were kept elsewhere. */
  readonly heads: readonly HeadPiece[];
  /** Whether identities are looked at too, which takes memory. */
  readonly identities: boolean;
  /** Told from time to time what was checked so far. */
  readonly onProgress: (counted: Readonly<Counted>) => void;
}

/** Entries that the checksum of damaged bytes covers. */
export interface Damage {
  readonly message: string;
  readonly file: string;
  readonly first: number;
  readonly end: number;
}

/** What was seen of a copy once everything in it was read. */
export interface Seen {
  readonly tree: ComputedTree;
  readonly chain: KeyChain;
  readonly heads: HeadCheck;
  readonly tiles: TileCheck;
  readonly findings: Findings;
  readonly damages: readonly Damage[];
  /** How many entries there are, those after a gap included. */
  readonly size: number;
  /** The first entry that is there. */
  readonly beginning: number;
  /** Whether an entry in the tree says that retention removed everything up to this index. */
  readonly prunedThrough: number;
  /** The first entry from which on nothing could be hashed; `null` where there is none. */
  readonly brokenAt: number | null;
}

/** Reads a copy from its first entry to its end, and holds it against its heads and those that were given. */
export async function verifyCopy(copy: Copy, options: VerifyOptions, background: Background): Promise<Verification> {
  const walk = new Walk(copy, options, background);
  for await (const piece of copy.pieces()) await walk.take(piece);
  return walk.finish();
}

/** What came of a copy of which nothing can be read. */
export function unreadable(what: Verification['what'], finding: Finding, keyFrom: string | null): Verification {
  const { index, file } = finding;
  return {
    what,
    ok: false,
    origin: '',
    beginning: 0,
    size: 0,
    head: null,
    keyFrom,
    counted: { ...NOTHING },
    lowest: index === null ? null : { index, file },
    findings: [finding],
    counts: { [finding.code]: 1 },
  };
}

const NOTHING: Readonly<Counted> = { entries: 0, bytes: 0, hashes: 0, heads: 0, signatures: 0, cosignatures: 0, sources: 0, files: 0 };

class Walk {
  readonly #copy: Copy;
  readonly #options: VerifyOptions;
  readonly #findings = new Findings();
  readonly #counted: Counted = { ...NOTHING };
  readonly #tree: ComputedTree;
  readonly #chain: KeyChain;
  readonly #heads: HeadCheck;
  readonly #tiles: TileCheck;
  readonly #order: OrderCheck;
  readonly #hashing: Hashing;
  /** Heads over entries that are not hashed yet, the smallest first. */
  readonly #pending: HeadPiece[] = [];
  readonly #damages: Damage[] = [];
  #size = 0;
  #beginning = 0;
  #prunedThrough = -1;
  #brokenAt: number | null = null;
  #file = '';

  constructor(copy: Copy, options: VerifyOptions, background: Background) {
    this.#copy = copy;
    this.#options = options;
    this.#tree = new ComputedTree((bundle) => rehash(copy, bundle));
    this.#chain = new KeyChain(options.keys);
    this.#heads = new HeadCheck(copy.origin, this.#chain, options.cosigners, this.#findings);
    this.#tiles = new TileCheck(copy, this.#tree, this.#findings);
    this.#order = new OrderCheck(this.#findings, options.identities ? new IdentitySet() : null, (declared) => this.#declare(declared));
    this.#hashing = new Hashing(background, async (leaves, bundles) => {
      this.#tree.add(leaves, bundles);
      await this.#tiles.compareNewest(bundles.length / HASH_BYTES);
      await this.#checkPending(false);
    });
    for (const head of options.heads) this.#await(head);
  }

  async take(piece: Piece): Promise<void> {
    if (piece.kind === 'entries') return this.#takeEntries(piece);
    if (piece.kind === 'gap') return this.#takeGap(piece);
    if (piece.kind === 'head') {
      this.#await(piece);
      return;
    }
    if (piece.covers === undefined) this.#findings.add(piece.code, piece.message, piece);
    else this.#damages.push({ message: piece.message, file: piece.file, first: piece.covers[0], end: piece.covers[1] });
  }

  async finish(): Promise<Verification> {
    await this.#hashing.flush();
    await this.#checkPending(true);
    await this.#heads.finish(this.#tree);
    await this.#tiles.compareUpper();
    for await (const left of this.#copy.leftovers()) await this.take(left);
    const seen: Seen = {
      tree: this.#tree,
      chain: this.#chain,
      heads: this.#heads,
      tiles: this.#tiles,
      findings: this.#findings,
      damages: this.#damages,
      size: this.#size,
      beginning: this.#beginning,
      prunedThrough: this.#prunedThrough,
      brokenAt: this.#brokenAt,
    };
    return judge(this.#copy, this.#options, seen, this.#count());
  }

  async #takeEntries(piece: Piece & { readonly kind: 'entries' }): Promise<void> {
    const { first, bytes, starts, ends, file } = piece;
    this.#order.check(first, piece, file);
    this.#size = first + starts.length;
    this.#counted.entries += starts.length;
    for (let k = 0; k < starts.length; k += 1) this.#counted.bytes += (ends[k] ?? 0) - (starts[k] ?? 0);
    if (file !== this.#file) this.#counted.files += 1;
    this.#file = file;
    if (this.#brokenAt === null) await this.#hashing.add({ bytes, starts, ends });
    this.#options.onProgress(this.#count());
  }

  /** The tree goes on over entries that are not there where their hashes are: then everything behind them can still be verified. */
  async #takeGap({ first, end, declared }: Piece & { readonly kind: 'gap' }): Promise<void> {
    this.#order.interrupt();
    if (declared) this.#beginning = end;
    this.#size = end;
    if (this.#brokenAt !== null) return;
    for (let at = first; at < end; ) {
      const n = Math.floor(at / 256);
      const until = Math.min(end, (n + 1) * 256);
      const leaves = await this.#copy.tile(0, n, Math.min(256, until - n * 256));
      if (leaves === null) {
        this.#brokenAt = at;
        return;
      }
      await this.#hashing.addLeaves(leaves.slice((at - n * 256) * HASH_BYTES, (until - n * 256) * HASH_BYTES));
      at = until;
    }
  }

  #declare(declared: Declared): void {
    if (declared.type === 'prune') {
      this.#prunedThrough = Math.max(this.#prunedThrough, declared.through);
      return;
    }
    try {
      const { index } = declared;
      this.#chain.rotate({ index, old: parseVerifierKey(sha256, declared.old), next: parseVerifierKey(sha256, declared.new) });
    } catch {
      this.#findings.add('ENTRY_MALFORMED', `the entry ${declared.index} says that a key was replaced, and names none`, {
        index: declared.index,
      });
    }
  }

  /** Heads are recorded some entries after those that they cover, and hashed entries come some steps later. */
  async #checkPending(all: boolean): Promise<void> {
    for (;;) {
      const next = this.#pending[0];
      if (next === undefined || (!all && next.size > this.#tree.size)) return;
      this.#pending.shift();
      await this.#heads.check(next.note, next.file, this.#tree, next.sampled);
    }
  }

  #await(head: HeadPiece): void {
    let place = this.#pending.length;
    while (place > 0 && (this.#pending[place - 1]?.size ?? 0) > head.size) place -= 1;
    this.#pending.splice(place, 0, head);
  }

  #count(): Counted {
    const { heads, signatures, cosignatures } = this.#heads.counts;
    Object.assign(this.#counted, { heads, signatures, cosignatures, hashes: this.#tiles.compared, sources: this.#order.sources });
    return this.#counted;
  }
}

async function rehash(copy: Copy, bundle: number): Promise<Uint8Array | null> {
  const entries = await copy.bundle(bundle);
  if (entries === null) return null;
  const { bytes, starts, ends } = entries;
  let leaves = '';
  for (let k = 0; k < starts.length; k += 1) leaves += leafHash(sha256, bytes, starts[k] ?? 0, ends[k] ?? 0);
  return Buffer.from(leaves, 'latin1');
}
