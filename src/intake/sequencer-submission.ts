import type { Fault } from '../contracts/entry.ts';
import type { Index, Position, Size } from '../contracts/units.ts';
import type { Checked } from './checked.ts';

/** How the events of one source are taken. */
export interface SourceRules {
  readonly schema: 'json' | 'waybill/1';
  /** For schema `json`: the top-level key that holds the identity; `null`: every event gets an identity of its own. */
  readonly idField: string | null;
  /** What happens to an event that fails its schema: `refuse` answers its sender, `keep` stores it with its faults. */
  readonly onInvalid: 'refuse' | 'keep';
  /** How long a hole in a producer's numbers may stay open before it is declared; absent: the intake's own. */
  readonly gapAfterMs?: number;
}

/** Events of one source that are accepted together. */
export interface Submission {
  readonly source: string;
  readonly checked: Checked;
  readonly partition?: string | null;
  /** Where the source resumes after these events. With it, the run is appended also when it holds no entry. */
  readonly position?: Position | null;
  /** True when the source will never use this partition again. */
  readonly closesPartition?: boolean;
  /** The position of each event, by place. */
  readonly positions?: readonly (Position | null)[];
  /** `false`: one event that cannot be accepted refuses all of them. */
  readonly partial: boolean;
  /** Gives events without an identity one that is the same when the same request comes again. */
  readonly idempotencyKey?: string;
  /**
   * For a source that cannot be refused: is told of events that cannot be accepted before the others are appended,
   * and declares them in the ledger.
   * It may be called again with others when the ledger moved on meanwhile.
   */
  readonly declare?: (rejected: readonly Rejection[]) => Promise<void>;
}

/** One thing wrong with the event at a place of the submission. */
export interface Rejection extends Fault {
  readonly at: number;
}

/** The event at this place is the entry at `index`: its identity and its bytes are the same. */
export interface Duplicate {
  readonly at: number;
  readonly index: Index;
}

/** What became of a submission. Everything that it names is durable. */
export interface Submitted {
  /** `invalid` and `conflict`: nothing was appended; `conflict` when nothing but conflicts was wrong. */
  readonly outcome: 'accepted' | 'invalid' | 'conflict';
  readonly accepted: number;
  /** Where the accepted events begin; they lie there in the order of the submission. `null` when none was accepted. */
  readonly firstIndex: Index | null;
  /** How many entries were durable when this was answered. */
  readonly size: Size;
  readonly duplicates: readonly Duplicate[];
  readonly rejected: readonly Rejection[];
}

/** A submission that has its place in the order. */
export interface Sequenced {
  /** Resolves once everything it names is durable. */
  readonly durable: Promise<Submitted>;
}
