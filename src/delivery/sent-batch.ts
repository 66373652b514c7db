import { WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { SinkBatch } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';
import { batchId, type Cut, type CutRules, cutAgain } from './cut.ts';
import type { DestinationOptions } from './destination.ts';
import type { Lane } from './records.ts';
import type { OpenBatch, State } from './state.ts';

/** The rules under which batches of an epoch are cut. Throws `BATCH_CHANGED` when this program does not have that format any more. */
export function cutRulesOf(options: DestinationOptions, state: State, epoch: number): CutRules {
  const { codec, codecFor } = options;
  const rules = state.account.epochs[epoch];
  const format = rules?.format ?? '';
  const found = format === codec.type ? codec : codecFor?.(format);
  if (rules === undefined || found === undefined) {
    throw new WaybillError('BATCH_CHANGED', `a batch was cut in the format ${format}, which this program does not have`);
  }
  return { codec: found, control: rules.control, destination: rules.name, hashed: state.rules.dedupe !== 'position' };
}

/** Whether these are the bytes of that batch. */
export function isCutOf(batch: OpenBatch, cut: Cut): boolean {
  return cut.from === batch.from && cut.through === batch.through && cut.count === batch.count && cut.sha256 === batch.sha256;
}

/**
 * Makes the bytes of a batch again. Rejects with `BATCH_CHANGED` when they are not the same: what is in doubt must never go as something
 * else.
 */
export async function remake(
  ledger: Pick<Ledger, 'read' | 'size'>,
  batch: OpenBatch,
  state: State,
  lane: Lane,
  rules: CutRules,
): Promise<Cut> {
  const { from, through, omit, gone } = batch;
  const { side, quarantine } = state.account;
  const only = lane === 'side' && side?.kind === 'redeliver' ? quarantine : null;
  const cut = await cutAgain(ledger, { from, limit: through, omit, only, gone }, rules);
  if (isCutOf(batch, cut)) return cut;
  const had = `${batch.count} records and SHA-256 ${batch.sha256}`;
  throw new WaybillError('BATCH_CHANGED', `the batch [${from}, ${through}] had ${had}, and now has ${cut.count} and ${cut.sha256}`);
}

/** The batch as a sink gets it. */
export function sinkBatchOf(options: DestinationOptions, state: State, lane: Lane, { checkpoint }: OpenBatch, cut: Cut): SinkBatch {
  const { from, through, count, omitted, body, offsets, contentType, sha256 } = cut;
  const side = lane === 'side' ? state.account.side : null;
  // What fills a loss is the original batch; everything else that is sent again says so, under an identity of its own.
  const replay = side === null || side.kind === 'recover' ? null : side.name;
  const id = batchId(options.origin, state.account.bornAs ?? options.name, { from, through, sha256, checkpoint }, replay);
  const batch = { from, through, count, omitted, body, offsets, contentType, sha256, id };
  return { ...batch, ...(replay === null ? {} : { replay }), ...(checkpoint === undefined ? {} : { checkpoint }) };
}

/** Under which key the bytes of an open batch are kept. */
export function cutKey(lane: Lane, from: Index): string {
  return `${lane}:${from}`;
}
