import { hash } from 'node:crypto';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Observer } from '../contracts/observer.ts';
import type { Clock, Log } from '../contracts/ports.ts';
import type { Source, SourceBatch } from '../contracts/source.ts';
import { PARTITIONS_MAX, POSITION_BYTES_MAX } from '../contracts/units.ts';
import { checkEvents } from './pull-check.ts';
import type { Intake } from './sequencer.ts';
import type { Rejection, Sequenced, Submission, Submitted } from './sequencer-submission.ts';

/** What moving a pull source into the ledger needs. The source stays the caller's to close. */
export interface PullOptions {
  readonly name: string;
  readonly source: Source;
  readonly intake: Pick<Intake, 'check' | 'sequence' | 'control' | 'refused' | 'names'>;
  readonly ledger: Pick<Ledger, 'positions'>;
  readonly clock: Pick<Clock, 'sleep' | 'now' | 'monotonic'>;
  readonly log: Log;
  /** Is told of every batch that is durable. */
  readonly observer?: Observer;
  /** How many batches may wait to be settled. */
  readonly unsettledMax?: number;
}

const PARTITION_BYTES_MAX = 1_024;
const UNSETTLED_MAX = 64;
const PUSHBACK_MS = 1_000;

/**
 * Moves the events of one pull source into the ledger, each partition in its order, each event once. Resuming needs no bookkeeping
 * of its own: the position of a batch is durable with its run, also when the run holds no entry.
 *
 * Resolves when the signal ends it and everything that was sequenced is settled. Rejects when the source, the ledger or the room
 * for refused events fails; the batch that could not be taken is settled as refused.
 */
export async function runSource(options: PullOptions, signal: AbortSignal): Promise<void> {
  const { name, source, ledger } = options;
  const unsettledMax = options.unsettledMax ?? UNSETTLED_MAX;
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const settling: Promise<void>[] = [];
  let last: Promise<void> = Promise.resolve();
  try {
    for await (const batch of source.batches(ledger.positions(name), both)) {
      const accepted = observeAccept(options);
      const sequenced = await sequenceBatch(options, batch, both, () => last);
      const before = last;
      last = before.then(() => settleAccepted(sequenced, batch, accepted));
      last.catch((error: unknown) => failed.abort(error));
      settling.push(last);
      if (settling.length >= unsettledMax) await settling.shift();
    }
  } catch (error) {
    if (!both.aborted) throw await firstFailure(last, error);
  } finally {
    // As long as somebody listens to it such a signal is kept, with everything that the listener knows.
    await last.catch(() => undefined);
    failed.abort(new Error(`the run of source ${name} has ended`));
  }
  await last;
}

async function settleAccepted({ durable }: Sequenced, batch: SourceBatch, accepted: (submitted: Submitted) => void): Promise<void> {
  accepted(await durable);
  await batch.settle('accepted');
}

/** Begins to measure how long a batch takes until it is durable. What it answers is called then. */
function observeAccept({ name, clock, observer }: PullOptions): (submitted: Submitted) => void {
  const beganAt = clock.now();
  const began = clock.monotonic();
  return ({ accepted, firstIndex }) => {
    const ms = clock.monotonic() - began;
    observer?.accepted?.({ source: name, count: accepted, first: firstIndex, beganAt, ms, appendMs: ms, traceparent: null });
  };
}

/** What was sequenced before is settled first, and a failure there came first. */
async function firstFailure(last: Promise<void>, error: unknown): Promise<unknown> {
  try {
    await last;
    return error;
  } catch (earlier) {
    return earlier;
  }
}

/**
 * Gives a batch its place, however long the ledger pushes back. When that cannot be, the batch is settled as refused,
 * after those before it.
 */
async function sequenceBatch(
  options: PullOptions,
  batch: SourceBatch,
  signal: AbortSignal,
  before: () => Promise<void>,
): Promise<Sequenced> {
  const { name, intake, ledger, clock, log } = options;
  try {
    checkPlace(name, batch, ledger);
    for (;;) {
      try {
        await declareNotes(name, intake, batch);
        return await intake.sequence(submissionOf(options, batch), signal);
      } catch (error) {
        if (!isWaybillError(error) || error.remedy !== 'retry') throw error;
        log.warn('a source waits, because the ledger takes nothing at this moment', { source: name, code: error.code });
        await clock.sleep(PUSHBACK_MS, signal);
      }
    }
  } catch (error) {
    await before();
    await batch.settle('refused');
    throw error;
  }
}

/** What a source reads may come from outside, so a place that the ledger cannot keep is refused here, before anybody relies on it. */
function checkPlace(name: string, { partition, position, events }: SourceBatch, ledger: Pick<Ledger, 'positions'>): void {
  if (partition !== null && Buffer.byteLength(partition) > PARTITION_BYTES_MAX) {
    throw new WaybillError('SOURCE_BROKEN', `source ${name} names a partition of more than ${PARTITION_BYTES_MAX} bytes`);
  }
  for (const place of [position, ...events.map((event) => event.position)]) {
    if (place === null || Buffer.byteLength(place) <= POSITION_BYTES_MAX) continue;
    throw new WaybillError('SOURCE_BROKEN', `source ${name} names a position of more than ${POSITION_BYTES_MAX} bytes`);
  }
  const positions = ledger.positions(name);
  if (position !== null && positions.size >= PARTITIONS_MAX && !positions.has(partition ?? '')) {
    throw new WaybillError('SOURCE_BROKEN', `source ${name} has more than ${PARTITIONS_MAX} open partitions`);
  }
}

function submissionOf(options: PullOptions, batch: SourceBatch): Submission {
  const { name, intake } = options;
  const { events, partition, position, closes = false } = batch;
  return {
    source: name,
    checked: checkEvents(events, (body, shape) => intake.check(name, body, shape)),
    partition,
    position,
    closesPartition: closes,
    positions: events.map((event) => event.position),
    partial: true,
    declare: (rejected) => declareRefused(options, batch, rejected),
  };
}

/**
 * Tells what the source has to say before the run that goes with it. The key is the same when a crash makes the source say it again,
 * so that it is told once.
 */
async function declareNotes(name: string, intake: PullOptions['intake'], { partition, position, notes = [] }: SourceBatch): Promise<void> {
  for (const [place, { type, facts }] of notes.entries()) {
    const key =
      position === null ? undefined : hash('sha256', JSON.stringify([intake.names.first(name), partition, position, place]), 'base64url');
    await intake.control(type, { source: name, partition, ...facts }, key);
  }
}

/**
 * Declares the events that cannot become entries before the position of their batch goes into the ledger: their bytes are kept
 * first, then the control entry becomes durable, then the run with the position. Whatever a crash cuts off there, the source reads
 * the batch again, the bytes have the same name and the entry has the same key, so that neither is lost nor told twice.
 */
async function declareRefused({ name, intake, clock }: PullOptions, batch: SourceBatch, rejected: readonly Rejection[]): Promise<void> {
  const seen = new Map<string, number>();
  // What a crash has it say again is the same, also when its source was renamed in between.
  const source = intake.names.first(name);
  const firstOf = new Map<number, Rejection>();
  for (const rejection of rejected) if (!firstOf.has(rejection.at)) firstOf.set(rejection.at, rejection);
  for (const [at, { code, path, message }] of firstOf) {
    const event = batch.events[at];
    if (event === undefined) continue;
    const bytes = event.bytes.subarray(event.start, event.end);
    const sha256 = hash('sha256', bytes, 'hex');
    const { partition } = batch;
    const position = event.position ?? batch.position;
    const facts = { source: name, partition, position, sha256, bytes: bytes.length, reason: code, path, message };
    const place = JSON.stringify([source, partition, position, sha256]);
    const times = seen.get(place) ?? 0;
    seen.set(place, times + 1);
    await intake.refused.keep(bytes, { source, partition, position, nth: times, reason: code, message, at: clock.now() });
    // Without a position nothing is ever read again, and the same bytes twice are two events.
    const key = position === null ? undefined : hash('sha256', `${place}${times}`, 'base64url');
    await intake.control('source.refused', facts, key);
  }
}
