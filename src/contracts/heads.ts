import type { Index, Size } from './units.ts';

/** Signs with one private key, wherever that is: in a file, in the environment, or in a device that never shows it. */
export interface Signer {
  /** The verifier key of the C2SP signed note: name, id and public key in one line. */
  readonly verifierKey: string;
  /** The 64 bytes of an Ed25519 signature. Rejects with `SIGNING_FAILED` where the key cannot be reached; it is tried again later. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** A head that was signed, recorded and then published. A newer one covers everything that it covers. */
export interface PublishedHead {
  readonly size: Size;
  /** The root hash in base64. */
  readonly root: string;
  /** The checkpoint whole: the signed note with the lines of the log, of its freshness and of witnesses. */
  readonly checkpoint: string;
  /** When it was last signed or made fresh, in milliseconds since 1970. */
  readonly at: number;
}

/** What everybody may know of the heads that were published. */
export interface Heads {
  /** The newest one; `null` before the first. */
  published(): PublishedHead | null;
  /** Resolves with a head that covers the entries below `size`, or rejects with the signal's reason. */
  waitCovering(size: Size, signal: AbortSignal): Promise<PublishedHead>;
  /** Resolves once there is another head, or the same one made fresh, than `seen`. */
  waitNewer(seen: PublishedHead | null, signal: AbortSignal): Promise<PublishedHead>;
  /** Every verifier key that ever signed for this log, the newest last: those of `from` up to sizes of `through`, `null` while in use. */
  keys(): readonly LogKey[];
  /** What published heads meet, as text in the form of C2SP tlog-policy: the keys of the log, its witnesses, and how many have to sign. */
  policy(): string;
}

/** A key of the log, and for which sizes of the tree it signed. */
export interface LogKey {
  readonly verifierKey: string;
  readonly from: Size;
  readonly through: Size | null;
}

/** The hashes of the tree, as far as it has grown. Nothing of it changes once it is there. */
export interface TreeHashes {
  /** How many entries are hashed. */
  size(): Size;
  /**
   * The root of the full subtree of 2^`level` leaves that begins at leaf `index` · 2^`level`, as 32 characters, one a byte.
   * Rejects with `LEDGER_PRUNED` where neither the hash nor what it is made of is kept.
   */
  hash(level: number, index: number): Promise<string>;
  /**
   * The first `width` hashes of tile `n` at the tile level `level` of C2SP tlog-tiles, 32 bytes each; `null` where the tree has not grown
   * so far, or it is no longer kept.
   */
  tile(level: number, n: number, width: number): Promise<Uint8Array | null>;
  /** The root over the first `size` entries, in base64; `size` is at most `size()`. */
  root(size: Size): Promise<string>;
  /** The inclusion proof of an entry in the tree of `size` entries, RFC 6962 section 2.1.1: hashes as `hash` gives them. */
  inclusion(index: Index, size: Size): Promise<readonly string[]>;
  /** The consistency proof between two sizes, RFC 6962 section 2.1.2. */
  consistency(from: Size, to: Size): Promise<readonly string[]>;
}
