/** `retry`: the same call may succeed later. `reject`: this entry never will. `halt`: a person has to act. */
export type Remedy = 'retry' | 'reject' | 'halt';

/** What is fixed about one code. */
export interface CodeFacts {
  readonly remedy: Remedy;
  /** True when the other side may have taken it although no answer came. */
  readonly unknown?: true;
  /** What the code means: a sentence for the person who meets it. */
  readonly means: string;
  /** What that person does: a sentence with the command, where there is one. */
  readonly action: string;
}

/** The errors of deliveries: rows of the closed table in `errors.ts`. */
export const DELIVERY_CODES = {
  SINK_UNREACHABLE: {
    remedy: 'retry',
    means: 'The destination could not be reached; nothing was sent.',
    action: 'Nothing to do if it comes back: delivery retries for ever, in order.',
  },
  SINK_ADDRESS_PRIVATE: {
    remedy: 'halt',
    means: 'The name of the destination leads to an address inside a private network or to this machine, and this type goes out only.',
    action: 'Correct the address. If the receiver really is inside, set `allow_private: true`, then run `waybill retry DEST`.',
  },
  SINK_ANSWER_LOST: {
    remedy: 'retry',
    unknown: true,
    means: 'The destination may have taken the batch, but no answer arrived.',
    action: 'Nothing to do: the same batch with the same identity and bytes is sent again.',
  },
  SINK_BUSY: {
    remedy: 'retry',
    means: 'The destination answered that it cannot take more now (408, 425, 429 or 5xx).',
    action: 'Nothing to do: delivery waits as long as the destination asked for, and retries.',
  },
  SINK_OUT_OF_TURN: {
    remedy: 'retry',
    means: 'The batch does not begin where the destination goes on, so the destination changed nothing.',
    action: 'Nothing to do: delivery asks the destination where it stands and goes on from there.',
  },
  SINK_UNAUTHORIZED: {
    remedy: 'halt',
    means: 'The destination refused the credentials (401 or 403).',
    action: 'Correct the credentials, then run `waybill retry DEST`.',
  },
  SINK_NOT_FOUND: {
    remedy: 'halt',
    means: 'The destination says that there is nothing at this address (404, 410 or a redirect).',
    action: 'Correct the address, then run `waybill retry DEST`.',
  },
  SINK_REFUSED: {
    remedy: 'halt',
    means: 'The destination refused the request for a reason that is not in its entries.',
    action: 'Read the answer in `waybill status`, correct the configuration, then run `waybill retry DEST`.',
  },
  SINK_REFUSED_ENTRY: {
    remedy: 'reject',
    means: 'The destination will never take an entry of this batch (400, 413 or 422).',
    action:
      'Look at the entry with `waybill tap DEST`, correct the destination and run `waybill retry DEST`, or set `on_reject: quarantine`.',
  },
  OUTPUT_CLOSED: {
    remedy: 'halt',
    unknown: true,
    means: 'Whoever read standard output has ended, so nobody knows how much of the batch was still read.',
    action: 'Start the process again with a reader: it goes on with the same batch.',
  },
  SINK_PACKAGE_MISSING: {
    remedy: 'halt',
    means: 'The settings of the destination need a package that is not installed, because few need it.',
    action: 'Install the package that the message names beside waybill and start again, or use settings that do not need it.',
  },
  SINK_FAILED: {
    remedy: 'halt',
    unknown: true,
    means: 'The sink failed in a way that it has no word for, so nobody knows whether the destination has the batch.',
    action: 'Report the message as a fault of the sink, then run `waybill retry DEST`: the same batch is sent again.',
  },
  BATCH_FAILED: {
    remedy: 'halt',
    means: 'A batch could not be made from its entries, in a way that there is no word for.',
    action: 'Report the message as a fault of this program, or use another format, then run `waybill retry DEST`.',
  },
  BATCH_CHANGED: {
    remedy: 'halt',
    means: 'A batch whose outcome is unknown can no longer be made with the same bytes, so it was not sent again.',
    action:
      'Start the version and configuration that cut it, or run `waybill retry DEST`: its entries then go as a new batch, maybe twice.',
  },
  QUARANTINE_LIMIT: {
    remedy: 'halt',
    means: 'The destination refused so many entries that it, and not the entries, is probably at fault. The one named was not set aside.',
    action: 'Correct the destination, then run `waybill retry DEST`. What is set aside is listed by `waybill quarantine list`.',
  },
  COMMAND_REFUSED: {
    remedy: 'halt',
    means: 'The destination cannot do now what was asked for. Nothing was changed.',
    action: 'Look at the destination with `waybill status`, then give the command again with what the message asks for.',
  },
  DESTINATION_LOST_DATA: {
    remedy: 'halt',
    means: 'The destination has less than it had acknowledged.',
    action:
      'Run `waybill recover DEST`, which sends what is missing again. Or restore what the destination lost, then run `waybill retry DEST`.',
  },
  DESTINATION_BEHIND: {
    remedy: 'halt',
    means: 'The destination is not empty, and it needs entries that come before the place where it was told to begin.',
    action: 'Run `waybill recover DEST`, which sends what comes before. Or give the destination an empty target and restart it.',
  },
  DESTINATION_DETACHED: {
    remedy: 'halt',
    means: 'The ledger let go of entries that the destination had not taken, because it was behind by more than its `max_lag`.',
    action: 'Run `waybill resume DEST`: it goes on with the oldest entry that the ledger has, and its next batch accounts for the gap.',
  },
  TARGET_CHANGED: {
    remedy: 'halt',
    means: 'The configuration lets the destination write to another place than before. Nothing was sent there.',
    action:
      'Set `target_changed: continue` (go on at its cursor) or `restart` (begin anew by `start`) on the destination, or put the ' +
      'old place ' +
      'back, then run `waybill reload`.',
  },
  RENAME_REFUSED: {
    remedy: 'halt',
    means:
      'A destination cannot take over the cursor of the one that `renamed_from` names, or a source the place of another one; or a source ' +
      'has the name that another one gave up. Nothing was sent, and nothing was read.',
    action:
      'A destination: take `renamed_from` out to begin by `start`, or forget the one that is not wanted with ' +
      '`waybill destination forget NAME`; then restart. A source: take `renamed_from` out where it is a new one, or give it the name ' +
      'that the message says.',
  },
  CONFIRMATION_MISSING: {
    remedy: 'halt',
    means: 'The command changes what destinations get, and nobody confirmed it. Nothing was changed.',
    action: 'Answer `y` on a terminal, or add `--yes` where nobody is there to ask.',
  },
  DESTINATION_LOCKED: {
    remedy: 'halt',
    means: 'Another process, or another destination of this one, writes to the same place.',
    action: 'Stop the other process, or give each destination a place of its own, then run `waybill retry DEST`.',
  },
  CHECKPOINT_REFUSED: {
    remedy: 'halt',
    means: 'The receiver does not take a request that carries a checkpoint and no entry. Batches go on.',
    action: 'Let the receiver answer it with a 2xx status, or set `checkpoints: false` on the destination and run `waybill reload`.',
  },
  CHECKPOINT_CONFLICT: {
    remedy: 'halt',
    means:
      'The destination holds a checkpoint of this log over as many entries with another root, or over more entries. ' +
      'Entries go on to it; checkpoints do not.',
    action:
      'History was rewritten, or the ledger is an older copy: keep both checkpoints, and check ledger and destination against each. ' +
      'Once it is clear which one is right, move the other one away from the place that the message names.',
  },
  DESTINATION_FOREIGN: {
    remedy: 'halt',
    means: 'The destination holds something that this ledger did not put there. It was left as it is.',
    action: 'Look at the place that the message names. Move it away or choose another place, then run `waybill retry DEST`.',
  },
} as const satisfies Record<string, CodeFacts>;
