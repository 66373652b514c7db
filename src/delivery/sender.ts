import type { Sink } from '../contracts/sink.ts';
import { attempt } from './attempt.ts';
import type { Cut } from './cut.ts';
import type { DestinationOptions } from './destination.ts';
import { blame, faultOf } from './fault.ts';
import { observeAttempt } from './observing.ts';
import type { Lane } from './records.ts';
import { cutKey, cutRulesOf, isCutOf, remake, sinkBatchOf } from './sent-batch.ts';
import { timeoutOf } from './sink-calls.ts';
import type { DeliveryEvent, OpenBatch, State } from './state.ts';

/** What a sender works with, and whom it tells. */
export interface SenderParts {
  readonly options: DestinationOptions;
  /** Ends attempts that are under way. */
  readonly signal: AbortSignal;
  state(): State;
  sink(): Sink;
  readonly dispatch: (event: DeliveryEvent) => void;
  /** Called with the checkpoint of a batch that was taken. */
  onCheckpoint(note: string): void;
}

/** Carries out the attempts of one destination, and keeps the bytes of batches that are open. */
export class Sender {
  /** How many attempts there were. */
  attempts = 0;
  readonly #parts: SenderParts;
  /** Bodies of batches that are open, so that they are not read and cut again for each attempt. */
  readonly #cuts = new Map<string, Cut>();

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Keeps the bytes of a batch that was cut. */
  keep(lane: Lane, cut: Cut): void {
    this.#cuts.set(cutKey(lane, cut.from), cut);
  }

  /** Lets go of the bytes of batches that are not open any more. */
  forget({ live, side }: State): void {
    if (this.#cuts.size <= live.length + side.length) return;
    const open = new Set([...live.map(({ from }) => cutKey('live', from)), ...side.map(({ from }) => cutKey('side', from))]);
    for (const key of this.#cuts.keys()) if (!open.has(key)) this.#cuts.delete(key);
  }

  /** Makes one attempt for a batch, and tells what came of it. */
  async send(lane: Lane, batch: OpenBatch): Promise<void> {
    const { options, signal: closing, dispatch } = this.#parts;
    const { clock } = options.ports;
    const { from } = batch;
    const cut = await this.#cutOf(lane, batch);
    if (cut === null) return;
    const sink = this.#parts.sink();
    const sent = sinkBatchOf(options, this.#parts.state(), lane, batch, cut);
    this.attempts += 1;
    const ended = observeAttempt(options, lane, batch, cut);
    try {
      const receipt = await attempt((signal) => sink.write(sent, signal), timeoutOf(options), clock, closing);
      ended(null);
      if (sent.checkpoint !== undefined) this.#parts.onCheckpoint(sent.checkpoint);
      dispatch({ type: 'taken', lane, from, receipt, bytes: cut.body.length });
    } catch (error) {
      ended(error);
      const fault = faultOf(error, 'SINK_FAILED');
      dispatch({ type: 'failed', lane, from, fault, ...blame(error, cut), at: clock.now() });
    }
  }

  /** The bytes of a batch, kept or made again; `null` when they cannot be had, which is told. */
  async #cutOf(lane: Lane, batch: OpenBatch): Promise<Cut | null> {
    const { options, dispatch } = this.#parts;
    const state = this.#parts.state();
    const kept = this.#cuts.get(cutKey(lane, batch.from));
    if (kept !== undefined && isCutOf(batch, kept)) return kept;
    try {
      const cut = await remake(options.ledger, batch, state, lane, cutRulesOf(options, state, batch.epoch));
      this.keep(lane, cut);
      return cut;
    } catch (error) {
      const fault = faultOf(error, 'BATCH_FAILED');
      const { from } = batch;
      if (fault.code === 'BATCH_CHANGED') dispatch({ type: 'unmade', lane, from, fault });
      else dispatch({ type: 'failed', lane, from, fault, ...blame(error, null), at: options.ports.clock.now() });
      return null;
    }
  }
}
