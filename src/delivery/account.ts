import type { Receipt } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';
import type { ControlChoice, SideKind, TargetChange } from './records.ts';

/**
 * What is known about a destination for good: the fold of its journal, and nothing else. Plain data, never changed in place.
 * Cursor, quarantine and the last receipt live only here.
 */
export interface Account {
  readonly v: 1;
  /** The number of the last record that is folded in. */
  readonly records: number;
  /** When the destination began, in milliseconds since 1970. */
  readonly born: number;
  readonly live: Stream;
  readonly side: SideStream | null;
  /** Entries of the live stream that were refused alone and that no later entry has followed yet, ascending. */
  readonly aside: readonly Aside[];
  /** Entries that were set aside for good, ascending and apart. */
  readonly quarantine: readonly Quarantined[];
  /** When entries of the last hour were set aside for good. */
  readonly asideTimes: readonly number[];
  /** Control entries that this journal calls for and that are not known to be in the ledger yet, oldest first. */
  readonly outbox: readonly Declaration[];
  /** Every configuration under which batches were cut, oldest first. */
  readonly epochs: readonly Epoch[];
  /** How many batches at the head of a stream may have been attempted without a known outcome. */
  readonly inFlight: number;
  readonly paused: boolean;
  /** True once the destination acknowledged anything: only then can it lose something. */
  readonly acknowledged: boolean;
  /** What the destination answered about the last batch of the live stream. */
  readonly receipt: Receipt | null;
  readonly taken: { readonly batches: number; readonly entries: number; readonly bytes: number };
  /** Batches that a destination without deduplication may have twice. */
  readonly repeats: number;
  /** How many side streams there have been. */
  readonly sides: number;
  /** Where it writes, in the words of its sink, and which word of the configuration led there; `null` until that is known. */
  readonly target: { readonly text: string; readonly used: TargetChange | null } | null;
  /**
   * What it needs next, through here, is no longer in the ledger. `held`: nothing is sent until an operator acts. It ends with the batch
   * that accounts for it.
   */
  readonly detached: { readonly through: Index; readonly held: boolean } | null;
  /** Where a destination that keeps its place stands, when filling what it lost ended early: `receipt` is from there. */
  readonly stands: Index | null;
  /** The name that it began under and that its identities keep; `null`: it was never renamed. */
  readonly bornAs: string | null;
  /** The name that it had before this one; `null`: it was never renamed. */
  readonly renamedFrom: string | null;
}

/** A stream: everything below `cursor` is accounted for. */
export interface Stream {
  readonly cursor: Index;
  /** Intents that are not accounted for, in order and without an overlap. */
  readonly open: readonly Intent[];
  /** Where the next batches have to end, ascending: a refused batch is being narrowed down. */
  readonly fences: readonly Index[];
}

/** A stream that sends the old entries of [from, through] again while the live one waits. */
export interface SideStream extends Stream {
  readonly kind: SideKind;
  readonly name: string;
  readonly from: Index;
  readonly through: Index;
  readonly entries: number;
  /** True once its control entry is in the ledger: nothing is sent before. */
  readonly declared: boolean;
  /** Entries through here are not in the ledger any more, and are left out; `null`: all are there. */
  readonly gone: Index | null;
}

/** A batch whose bytes are fixed. `done`: taken, while an earlier one is not. */
export interface Intent {
  readonly from: Index;
  readonly through: Index;
  readonly count: number;
  readonly epoch: number;
  readonly sha256: string;
  readonly omit: readonly Index[];
  readonly gone: Index | null;
  /** The checkpoint that it carries, a signed note; absent: none. */
  readonly checkpoint?: string | undefined;
  readonly done: boolean;
}

/** An entry that was refused alone. */
export interface Aside {
  readonly index: Index;
  readonly code: string;
  readonly message: string;
  /** The pipeline wrote it itself: setting it aside is not declared, so that no gap entry ever causes another one. */
  readonly control: boolean;
  readonly at: number;
}

/** Neighbouring entries that were set aside for the same reason. */
export interface Quarantined {
  readonly from: Index;
  readonly through: Index;
  readonly code: string;
  /** What the destination answered about the first of them. */
  readonly message: string;
  readonly at: number;
}

/** A control entry that has to get into the ledger once. `record` is the number of the record that calls for it. */
export interface Declaration {
  readonly record: number;
  readonly type: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

/** A configuration under which batches are cut. */
export interface Epoch {
  readonly epoch: number;
  readonly format: string;
  readonly control: ControlChoice;
  /** The name that the destination had. */
  readonly name: string;
}

/** The account of a destination that begins now. */
export function newAccount(cursor: Index, at: number): Account {
  return {
    v: 1,
    records: 1,
    born: at,
    live: { cursor, open: [], fences: [] },
    side: null,
    aside: [],
    quarantine: [],
    asideTimes: [],
    outbox: [],
    epochs: [],
    inFlight: 1,
    paused: false,
    acknowledged: false,
    receipt: null,
    taken: { batches: 0, entries: 0, bytes: 0 },
    repeats: 0,
    sides: 0,
    target: null,
    detached: null,
    stands: null,
    bornAs: null,
    renamedFrom: null,
  };
}

/** The index at which the destination stands as far as its last receipt tells. */
export function standsAt({ side, stands, live }: Account): Index {
  if (side !== null && side.kind === 'recover' && side.cursor > side.from) return side.cursor;
  return stands ?? live.cursor;
}

/** Through which index a stream has entries that are not in the ledger any more; `null`: none. */
export function goneThrough(account: Account, lane: 'live' | 'side'): Index | null {
  return lane === 'side' ? (account.side?.gone ?? null) : (account.detached?.through ?? null);
}

/** The oldest index that the destination still needs from the ledger; `null`: none, because it is detached. */
export function neededFrom({ live, side, detached }: Account): Index | null {
  if (detached?.held === true) return null;
  const needed = detached === null ? live.cursor : Math.max(live.cursor, detached.through + 1);
  const again = side === null ? needed : Math.max(side.cursor, (side.gone ?? -1) + 1);
  return Math.min(needed, again) as Index;
}

/** The index after `index`. */
export function next(index: Index): Index {
  return (index + 1) as Index;
}
