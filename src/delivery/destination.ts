import type { Codec } from '../contracts/codec.ts';
import type { ErrorCode } from '../contracts/errors.ts';
import type { Heads } from '../contracts/heads.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Observer } from '../contracts/observer.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Sink, SinkContext, SinkDefinition } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';
import type { Quarantined } from './account.ts';
import type { CheckpointStatus } from './courier.ts';
import { DeliveryLoop } from './loop.ts';
import type { ControlChoice, SideKind, TargetChange } from './records.ts';

/** What one destination is made of. Everything but the first block has a default. */
export interface DestinationOptions {
  readonly name: string;
  /** The origin of the ledger. */
  readonly origin: string;
  readonly ledger: Pick<Ledger, 'read' | 'size' | 'beginning' | 'waitBeyond' | 'journal'>;
  readonly openSink: (context: SinkContext) => Promise<Sink>;
  readonly codec: Codec;
  /** Where a destination begins that has no journal yet: an index, the oldest retained entry, or what comes next. */
  readonly start: 'beginning' | 'now' | Index;
  /**
   * Appends a control entry and resolves once it is durable. The same key must not make a second entry, also after a crash:
   * delivery asks again when it does not know whether the first time succeeded.
   */
  readonly emitControl: (entry: ControlEntry) => Promise<void>;
  readonly ports: Ports;

  /** Limits of a batch, where they differ from the sink's own. */
  readonly batch?: { readonly entries?: number; readonly bytes?: number; readonly waitMs?: number };
  /** How many batches may be in flight; never more than the sink allows. Default 1. */
  readonly inFlight?: number;
  /** Default `halt`. */
  readonly onReject?: 'halt' | 'quarantine';
  /** How many entries may be set aside in an hour. Default 100. */
  readonly quarantineMax?: number;
  /** How long one attempt may take. Default 30 s. */
  readonly timeoutMs?: number;
  /** The back-off doubles from `minMs` (default 100) to `maxMs` (default 30 s), with full jitter. */
  readonly retry?: { readonly minMs?: number; readonly maxMs?: number };
  /** Where it writes, in the words of its sink, and what the configuration says about a change of that. Absent: nobody compares. */
  readonly target?: { readonly text: string; readonly changed: TargetChange | null };
  /** The heads whose checkpoints it gets, where its sink takes any. Absent: it gets none. */
  readonly heads?: Heads;
  /** Is told of every attempt and every halt. */
  readonly observer?: Observer;
  /** Which control entries are sent. Default `all`. */
  readonly control?: ControlChoice;
  /** The codec of an earlier configuration, for batches that were cut under it; `undefined` when this program no longer has it. */
  readonly codecFor?: (format: string) => Codec | undefined;
}

/** A control entry that delivery asks for. `facts` name the destination. */
export interface ControlEntry {
  readonly type: string;
  readonly key: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

/** One destination at work: it delivers by itself from the moment it is opened. */
export interface Destination {
  readonly name: string;
  /** Resolves once the destination has answered or failed to answer for the first time; `status` says which. */
  readonly asked: Promise<void>;
  /** Resolves with the reason once a promise of this program was broken, and never otherwise: the process has to stop. */
  readonly failed: Promise<unknown>;
  status(): DestinationStatus;
  /** Begins no further attempt, also after a restart. Resolves once that is durable; what is in flight still comes back. */
  pause(): Promise<void>;
  /**
   * Goes on after a pause. A detached destination goes on with the oldest entry that the ledger has; its next batch accounts for the gap.
   */
  resume(): Promise<void>;
  /**
   * Lets go of everything that it needs through an index, because the ledger will not keep it: declared with one gap entry, and nothing is
   * sent until an operator resumes it. It may be called at any moment; what is in flight comes back first. Resolves once that is durable,
   * with whether the destination is detached: not when what came back was all of it.
   */
  detach(through: Index): Promise<boolean>;
  /** Ends a halt or a back-off and tries again at once. Rejects with `COMMAND_REFUSED` where only the configuration can. */
  retry(): Promise<void>;
  /**
   * Sends entries again under identities of their own, marked; the live stream waits. Rejects with `COMMAND_REFUSED` where that cannot
   * be.
   */
  replay(from: Index, through: Index): Promise<SideStarted>;
  /** What `replay` would send. Rejects as `replay` would now. */
  replayable(from: Index, through: Index): Promise<SideRange>;
  /** What `recover` would send: the whole batches that hold [from, through]. Rejects like `replay`. */
  recoverable(from: Index, through: Index): Promise<SideRange>;
  /** Fills what the destination lost, with the original cuts and identities. Rejects like `replay`. */
  recover(from: Index, through: Index): Promise<SideStarted>;
  /** Sends again what was set aside in a range. Rejects like `replay`. */
  redeliver(from: Index, through: Index): Promise<SideStarted>;
  /** Declares that what was set aside in a range will never be delivered. Rejects like `replay`. */
  waive(from: Index, through: Index): Promise<void>;
  /** Ends a replay, recovery or redelivery after what is in flight. Rejects like `replay`. */
  cancel(): Promise<void>;
  /** Begins nothing more and waits for what is in flight. Answers whether everything came back within `ms`. */
  drain(ms: number): Promise<boolean>;
  /** Stops at once. What is in flight stays in doubt and is resolved at the next start. */
  close(): Promise<void>;
}

/** Old entries to send. `gone`: those through here are not in the ledger any more; `null`: all are there. */
export interface SideRange {
  readonly from: Index;
  readonly through: Index;
  readonly gone: Index | null;
}

/** A stream of old entries that was begun. */
export interface SideStarted {
  readonly name: string;
  readonly from: Index;
  readonly through: Index;
}

/** What an operator sees of a destination. */
export interface DestinationStatus {
  /**
   * `waiting`: backing off after a failure. `detached`: what it needs is no longer in the ledger. `draining`: stopping. `removed`: not in
   * the configuration.
   */
  readonly state: 'running' | 'waiting' | 'paused' | 'halted' | 'detached' | 'draining' | 'removed';
  readonly cursor: Index;
  /** How many durable entries the destination is not known to have. A tail of which nothing is to be sent does not count. */
  readonly lag: number;
  /** The batch that everything waits for; `null` when none is cut. */
  readonly head: {
    readonly from: Index;
    readonly through: Index;
    readonly count: number;
    readonly inFlight: boolean;
    readonly inDoubt: boolean;
    readonly attempts: number;
  } | null;
  /** What went wrong last, until a batch is taken. */
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly action: string } | null;
  /** When the next attempt is made, in milliseconds since 1970; `null` when none is planned. */
  readonly nextRetryAt: number | null;
  /** `repeats`: batches that the destination may have twice, because it cannot tell. `attempts` counts since the start of the process. */
  readonly counters: {
    readonly entries: number;
    readonly bytes: number;
    readonly batches: number;
    readonly repeats: number;
    readonly attempts: number;
  };
  readonly quarantine: readonly Quarantined[];
  /** The oldest index that it still needs from the ledger; `null`: none, because it is detached. */
  readonly neededFrom: Index | null;
  /** What it lost by its own answer, or never had, while it is halted for that. */
  readonly lacks: { readonly from: Index; readonly through: Index } | null;
  /** What it will never get from this ledger, until a batch has accounted for it. */
  readonly detached: { readonly from: Index; readonly through: Index } | null;
  /** How far its checkpoints have come; `null` where none ever goes. */
  readonly checkpoint: CheckpointStatus | null;
  /** The stream of old entries that is being sent, if any. */
  readonly side: {
    readonly kind: SideKind;
    readonly name: string;
    readonly from: Index;
    readonly through: Index;
    readonly cursor: Index;
  } | null;
}

/**
 * Opens a destination, which begins to deliver at once. Throws `JOURNAL_INVALID` when its journal does not add up; all else is in its
 * status.
 */
export function openDestination(options: DestinationOptions): Destination {
  return new DeliveryLoop(options);
}

/** Makes `openSink` from a definition and its checked configuration. */
export function sinkOpener<Config>(definition: SinkDefinition<Config>, config: Config): DestinationOptions['openSink'] {
  return (context) => definition.open(config, context);
}
