import type { Finding, FindingCode } from './findings.ts';

/** What was checked. */
export interface Counted {
  entries: number;
  /** Bytes of entries. */
  bytes: number;
  /** Stored hashes that were compared with those of the entries. */
  hashes: number;
  /** Heads whose root was compared. */
  heads: number;
  /** Signatures of the log's keys. */
  signatures: number;
  cosignatures: number;
  sources: number;
  files: number;
}

/** What came of a verification. */
export interface Verification {
  readonly what: 'ledger' | 'export' | 'proof';
  /** True only when everything that was asked for was checked and nothing was found. */
  readonly ok: boolean;
  readonly origin: string;
  /** The oldest entry that is there: what lies below was removed by declared retention. */
  readonly beginning: number;
  readonly size: number;
  /** The newest signed head that the entries add up to. */
  readonly head: {
    readonly size: number;
    /** In base64. */
    readonly root: string;
    readonly signedBy: readonly string[];
    /** Who cosigned it, and when, in seconds since 1970. */
    readonly cosignedBy: readonly { readonly name: string; readonly time: number }[];
  } | null;
  /** Where the trusted key came from when it was not given. */
  readonly keyFrom: string | null;
  readonly counted: Readonly<Counted>;
  /** The lowest index in question and the file that it is in. */
  readonly lowest: { readonly index: number; readonly file: string | null } | null;
  /** Findings, those with the lowest index first; of many alike only some. */
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Partial<Record<FindingCode, number>>>;
}
