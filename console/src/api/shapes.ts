/** What `GET /v1/status` answers, as far as the page shows it. */
export interface Status {
  readonly ledger: LedgerStatus;
  readonly sources: Readonly<Record<string, SourceStatus>>;
  readonly producers?: { readonly tracked: number; readonly open_ranges: number; readonly not_tracked: number };
  readonly refused_bytes?: number;
  readonly destinations: Readonly<Record<string, DestinationStatus>>;
}

/** The ledger. */
export interface LedgerStatus {
  readonly origin: string;
  readonly size: number;
  readonly durable: number;
  readonly beginning?: number;
  readonly head?: { readonly size: number; readonly root: string };
  readonly bytes?: { readonly used: number; readonly limit: number | null; readonly free: number | null };
  readonly days_left?: number | null;
  readonly identities?: { readonly entries: number; readonly rebuilding: boolean };
  readonly damage?: string | null;
}

/** A source. `entries` is for the life of the ledger, the others count since the start of the process. */
export interface SourceStatus {
  readonly entries: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly conflicts: number;
}

/** A destination. */
export interface DestinationStatus {
  readonly state: string;
  readonly cursor: number;
  readonly lag: number;
  readonly head: HeadBatch | null;
  readonly error: { readonly code: string; readonly message: string; readonly action: string } | null;
  /** In milliseconds since 1970. */
  readonly next_retry_at: number | null;
  readonly counters: {
    readonly entries: number;
    readonly bytes: number;
    readonly batches: number;
    readonly repeats: number;
    readonly attempts: number;
  };
  readonly quarantine?: readonly unknown[];
  readonly side?: { readonly kind: string; readonly from: number; readonly through: number; readonly cursor: number } | null;
}

/** The batch that everything behind it waits for. */
export interface HeadBatch {
  readonly from: number;
  readonly through: number;
  readonly count: number;
  readonly in_flight: boolean;
  readonly in_doubt: boolean;
  readonly attempts: number;
}

/** A line of `GET /v1/entries`. */
export interface EntryLine {
  readonly index: number;
  readonly entry: {
    readonly source: string;
    readonly received_at: string;
    readonly id: string;
    readonly schema: string;
    readonly event: unknown;
  };
}

/** What `GET /demo` answers. */
export interface Demo {
  readonly busy: 'no' | 'playing' | 'comparing';
  readonly breakable: readonly string[];
  readonly broken: readonly string[];
  readonly steps: readonly DemoStep[];
  readonly verdict: Verdict | null;
}

/** A step of the guided minute. */
export interface DemoStep {
  readonly title: string;
  readonly note: string;
  readonly state: 'ahead' | 'now' | 'done' | 'failed';
}

/** What a comparison of every destination with the ledger found. */
export interface Verdict {
  readonly agree: boolean;
  readonly entries: number;
  readonly places: readonly PlaceVerdict[];
  readonly findings: readonly { readonly what: string; readonly found: string; readonly good: boolean }[];
}

/** What one destination holds. */
export interface PlaceVerdict {
  readonly name: string;
  readonly entries: number;
  readonly lost: number;
  readonly repeated: number;
  readonly out_of_order: number;
  readonly changed: number;
}
