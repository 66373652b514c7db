import type { Remedy } from '../contracts/delivery-errors.ts';
import type { ErrorCode } from '../contracts/errors.ts';
import type { Receipt } from '../contracts/sink.ts';
import type { Index, Size } from '../contracts/units.ts';
import type { Account, Epoch } from './account.ts';
import type { JournalRecord, Lane, SideKind, TargetChange } from './records.ts';

/** What configuration and traits together demand of one destination. It does not change while the destination is open. */
export interface Rules {
  readonly dedupe: 'position' | 'key' | 'none';
  /** How many batches may be in flight at once. */
  readonly inFlight: number;
  readonly carriesEmpty: boolean;
  readonly onReject: 'halt' | 'quarantine';
  /** How many entries may be set aside in an hour. */
  readonly quarantineMax: number;
}

/**
 * A destination while it is open. `account` outlives the process; all the rest is lost with it and begins anew.
 *
 *   cut ──► waiting ──► flying ──► taken          (one batch)
 *              ▲           │
 *              └── failed ◄┘   then, with nothing in flight: back off | narrow down or set aside | halt
 */
export interface State {
  readonly account: Account;
  readonly rules: Rules;
  readonly live: readonly OpenBatch[];
  readonly side: readonly OpenBatch[];
  /** The number of the newest record that is durable. */
  readonly durable: number;
  /** Whether the sink is open; until then `rules` are only a guess that nothing is done by. */
  readonly open: boolean;
  readonly opening: boolean;
  /** Nothing is sent before this record is durable: it holds where the destination began. */
  readonly opened: number;
  /** Numbers of records of taken batches that are not durable yet. */
  readonly unwritten: readonly number[];
  /** The cut that was asked for and has not been answered. */
  readonly order: CutOrder | null;
  /** How many cuts were asked for. */
  readonly orders: number;
  /** For `position`: whether the destination's own answer agrees with the cursor since the last failure. */
  readonly known: boolean;
  readonly asking: boolean;
  /** The failure that decides what comes next, until nothing is in flight any more. */
  readonly failure: Failure | null;
  /** Failures in a row. */
  readonly failures: number;
  /** The number of the back-off that is being waited for; 0 for none. */
  readonly backOff: number;
  readonly backOffs: number;
  /** Why delivery stopped until a person acts. */
  readonly halted: Fault | null;
  /** The last thing that went wrong, until a batch is taken. */
  readonly fault: Fault | null;
  /** Stretches that begin here or before have nothing to send but entries waiting to be set aside: batches after them may go first. */
  readonly barren: Index | null;
  /** The stream of old entries ends as soon as nothing of it is in flight. */
  readonly cancelling: boolean;
  readonly draining: boolean;
  /** What the destination needs through here is to go from the ledger, as soon as nothing is in flight; `null`: nothing is. */
  readonly detaching: Index | null;
  /** What the destination needs next by its own answer, where that is less than it had acknowledged or was told to begin at. */
  readonly lacksFrom: Index | null;
  /** The number of the record whose control entry is being appended; 0 for none. */
  readonly declaring: number;
}

/** A batch that was cut and is not accounted for. */
export interface OpenBatch {
  readonly from: Index;
  readonly through: Index;
  readonly count: number;
  readonly epoch: number;
  readonly sha256: string;
  readonly omit: readonly Index[];
  readonly gone: Index | null;
  /** The checkpoint that it carries, a signed note; absent: none. */
  readonly checkpoint?: string | undefined;
  readonly phase: 'waiting' | 'flying' | 'taken';
  /** The destination may have it although no answer came. It ends as it is, whatever changes around it. */
  readonly doubt: boolean;
  /** Its bytes could not be made again, so it is not sent. */
  readonly unmade: boolean;
  readonly tries: number;
  /** How often it was sent while in doubt. */
  readonly again: number;
  /** It sets out once this record is durable: its intent, or what it leaves out as set aside. 0 when it needs none. */
  readonly needs: number;
  /** Present once taken while an earlier one is not. */
  readonly receipt: { readonly receipt: Receipt; readonly bytes: number } | null;
}

/** Asks for the next batch of a stream. */
export interface CutOrder {
  readonly number: number;
  readonly lane: Lane;
  readonly from: Index;
  /** The last index that the batch may account for; `null`: as far as the ledger goes. */
  readonly limit: Index | null;
  /** The batch ends at the first of these that gives it a record. Ascending. */
  readonly fences: readonly Index[];
  readonly epoch: number;
  /** Entries to leave out because they are set aside, ascending. */
  readonly omit: readonly Index[];
  /** Ranges outside of which everything is left out; `null`: there is no such limit. */
  readonly only: readonly { readonly from: Index; readonly through: Index }[] | null;
  /** What lies here or before is not in the ledger any more, and is left out; `null`: everything is there. */
  readonly gone: Index | null;
  /** Nothing waits for it yet: it is worth cutting only once it would be full, because until then it can still grow. */
  readonly ahead: boolean;
  /** The original cut is wanted, as the journal's history has it. */
  readonly original: boolean;
  /** Whether a range without a limit may be answered with a batch without records, once nothing came for a while. */
  readonly empty: boolean;
}

/** What went wrong, in the words of the error table. */
export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: Remedy;
  readonly unknown: boolean;
}

/** An attempt that failed. */
export interface Failure {
  readonly lane: Lane;
  readonly from: Index;
  readonly fault: Fault;
  readonly retryAfterMs: number;
  /** Records that the destination named as refused, by index. */
  readonly refused: readonly Index[];
  /** The last record of the batch's first half; of a batch of one, that record. `null` for a batch without records. */
  readonly middle: Index | null;
  /** For a batch of one: whether that record is a control entry. */
  readonly control: boolean;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** Something that happened to an open destination. */
export type DeliveryEvent =
  /** Nothing yet: the state alone says what to do. */
  | { readonly type: 'begin'; readonly target?: TargetChoice }
  | ({ readonly type: 'opened'; readonly rules: Rules } & Omit<Epoch, 'epoch'>)
  | CutEvent
  | { readonly type: 'journalled'; readonly through: number }
  | { readonly type: 'taken'; readonly lane: Lane; readonly from: Index; readonly receipt: Receipt; readonly bytes: number }
  | ({ readonly type: 'failed' } & Failure)
  /** The batch could not be made again with the same bytes, so that it was not sent. */
  | { readonly type: 'unmade'; readonly lane: Lane; readonly from: Index; readonly fault: Fault }
  | { readonly type: 'next'; readonly next: Index; readonly size: Size }
  /** The sink could not be opened, `next()` failed, or the ledger could not be read. */
  | { readonly type: 'lost'; readonly what: 'open' | 'next' | 'cut'; readonly fault: Fault; readonly retryAfterMs: number }
  | { readonly type: 'due'; readonly number: number }
  | { readonly type: 'declared'; readonly record: number }
  | VerbEvent;

/** Where the configuration lets a destination write, and what it says about a change; `start`: where a restarted one begins. */
export interface TargetChoice {
  readonly text: string;
  readonly changed: TargetChange | null;
  readonly start: Index;
}

/** The answer to a cut order: a batch and the range that it accounts for. */
export interface CutEvent {
  readonly type: 'cut';
  readonly number: number;
  readonly through: Index;
  readonly count: number;
  readonly sha256: string;
  /** The set aside entries that lie in the range. */
  readonly omit: readonly Index[];
  readonly gone: Index | null;
  /** The configuration under which it was cut: another one than ordered only for an original cut. */
  readonly epoch: number;
  /** The checkpoint that it carries, a signed note; absent: none. */
  readonly checkpoint?: string | undefined;
}

/** What an operator asks for. */
export type VerbEvent =
  | { readonly type: 'pause' | 'retry' | 'cancel' | 'drain' }
  /** `beginning`: the oldest index that the ledger has. */
  | { readonly type: 'resume'; readonly beginning: Index }
  | { readonly type: 'side'; readonly kind: SideKind; readonly from: Index; readonly through: Index; readonly gone: Index | null }
  | { readonly type: 'detach'; readonly through: Index }
  | { readonly type: 'waive'; readonly from: Index; readonly through: Index };

/** What has to be done next. Commands are carried out in order; each but `journal` is answered by an event. */
export type Command =
  | { readonly type: 'open' }
  | { readonly type: 'journal'; readonly record: JournalRecord; readonly number: number }
  | { readonly type: 'cut'; readonly order: CutOrder | null }
  | { readonly type: 'send'; readonly lane: Lane; readonly batch: OpenBatch }
  | { readonly type: 'ask' }
  | { readonly type: 'backOff'; readonly number: number; readonly failures: number; readonly atLeastMs: number }
  | { readonly type: 'declare'; readonly record: number };

/** A state that is being worked on inside one step: reactions change its fields, and nobody else ever sees it. */
export interface Work {
  state: State;
  readonly commands: Command[];
}

/** Changes some fields of the state. */
export function set(work: Work, fields: Partial<State>): void {
  work.state = { ...work.state, ...fields };
}

/** Stops delivery until a person acts. */
export function halt(work: Work, fault: Fault): void {
  set(work, { halted: fault, fault });
}

/** The open batches of a stream. */
export function batchesOf(state: State, lane: Lane): readonly OpenBatch[] {
  return lane === 'live' ? state.live : state.side;
}

/** Replaces the open batches of a stream. */
export function setBatches(work: Work, lane: Lane, batches: readonly OpenBatch[]): void {
  set(work, lane === 'live' ? { live: batches } : { side: batches });
}

/** How many batches are in flight, in either stream. */
export function flying(state: State): number {
  return state.live.filter(isFlying).length + state.side.filter(isFlying).length;
}

function isFlying(batch: OpenBatch): boolean {
  return batch.phase === 'flying';
}
