import type { FindingCode } from './findings.ts';
import type { EntryBytes } from './hashing.ts';

/** A head that a copy holds: the bytes of a signed note, and the size that they say. */
export interface HeadPiece {
  readonly kind: 'head';
  readonly note: Uint8Array;
  readonly size: number;
  readonly file: string;
  /** One of very many: its root is always compared, its signature where it is the newest or long after the one before. */
  readonly sampled: boolean;
}

/** Something that whoever reads the copy has seen to be wrong. */
export interface FindingPiece {
  readonly kind: 'finding';
  readonly code: FindingCode;
  readonly message: string;
  readonly file: string;
  readonly index: number | null;
  /** The entries that the checksum of damaged bytes covers: their hashes tell which of them are changed. */
  readonly covers?: readonly [first: number, end: number];
}

/** One piece of a copy, in the order of the entries. */
export type Piece =
  | (EntryBytes & { readonly kind: 'entries'; readonly first: number; readonly file: string })
  /**
   * Entries that are not there or cannot be told apart, which has been said already; or which retention may have removed, if `declared`.
   */
  | { readonly kind: 'gap'; readonly first: number; readonly end: number; readonly declared: boolean }
  | HeadPiece
  | FindingPiece;

/** What a copy of a log must give to be verified. Nothing of it is trusted. */
export interface Copy {
  /** What is verified, for people. */
  readonly what: 'ledger' | 'export';
  /** The name of the log, as the copy says it. */
  readonly origin: string;
  /**
   * What the copy holds, from the first entry to the end. Where more is written meanwhile it ends with a head that covers what was read.
   */
  pieces(): AsyncIterable<Piece>;
  /** True once somebody was seen writing: then what lies behind the newest head is on its way to the next one. */
  readonly growing: boolean;
  /** Whether every tile belongs to the copy: then one that is not there is missing. */
  readonly allTiles: boolean;
  /** The first `width` hashes of a tile as they are stored; `null` where they are not. */
  tile(level: number, n: number, width: number): Promise<Uint8Array | null>;
  /** Which file holds the hashes of a tile. */
  tileFile(level: number, n: number, width: number): string;
  /** The entries of a bundle once more, as far as it goes; `null` where they cannot be read. */
  bundle(n: number): Promise<EntryBytes | null>;
  /** Which file holds an entry. */
  entryFile(index: number): string | null;
  /** What is there and does not belong. */
  leftovers(): AsyncIterable<FindingPiece>;
  close(): Promise<void>;
}
