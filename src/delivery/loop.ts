import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Sink } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';
import { newAccount, standsAt } from './account.ts';
import { attempt } from './attempt.ts';
import { CheckpointCourier } from './courier.ts';
import { Cutter } from './cutter.ts';
import { emitDeclaration } from './declaring.ts';
import type { Destination, DestinationOptions, DestinationStatus, SideRange, SideStarted } from './destination.ts';
import { faultOf, retryAfterOf } from './fault.ts';
import { accountText, fold } from './fold.ts';
import { JournalWriter } from './journal-writer.ts';
import { Operator } from './operator.ts';
import { Originals } from './originals.ts';
import { journalKey } from './records.ts';
import { Sender } from './sender.ts';
import { cutRulesOf } from './sent-batch.ts';
import { askNext, backOffMs, openInTime, rulesOf, slept, startOf, timeoutOf } from './sink-calls.ts';
import { type Command, type DeliveryEvent, type Fault, flying, type State } from './state.ts';
import { report, statusOf } from './status.ts';
import { openState, step } from './step.ts';
import { Watchers } from './watchers.ts';

/**
 * Carries out for one destination what `step` decides. It has no opinion of its own: whatever happens becomes an event,
 * and every command of the answer is begun at once and answered by another event.
 */
export class DeliveryLoop implements Destination {
  readonly name: string;
  readonly asked: Promise<void>;
  readonly failed: Promise<unknown>;
  readonly #options: DestinationOptions;
  readonly #closing = new AbortController();
  readonly #writer: JournalWriter;
  readonly #originals: Originals;
  readonly #sender: Sender;
  readonly #courier: CheckpointCourier | null;
  readonly #operator: Operator;
  readonly #tasks = new Set<Promise<void>>();
  #state: State;
  #sink: Sink | null = null;
  #cutter: Cutter | null = null;
  #journalFault: Fault | null = null;
  #backOff = new AbortController();
  #retryAt: number | null = null;
  #broken: { readonly reason: unknown } | null = null;
  /** Resolves once nothing more will be written to the journal. */
  readonly #ended: Promise<void>;
  #onEnded: () => void = () => {};
  #onAsked: () => void = () => {};
  #onFailed: (reason: unknown) => void = () => {};
  readonly #watchers = new Watchers();

  constructor(options: DestinationOptions) {
    this.name = options.name;
    this.#options = options;
    this.asked = new Promise((resolve) => {
      this.#onAsked = resolve;
    });
    this.#ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    this.failed = new Promise((resolve) => {
      this.#onFailed = resolve;
    });
    const { journal } = options.ledger;
    const key = journalKey(options.name);
    this.#originals = new Originals(journal, options.name, this.#closing.signal);
    this.#sender = new Sender({
      options,
      signal: this.#closing.signal,
      state: () => this.#state,
      sink: () => this.#opened(),
      dispatch: (event) => this.#dispatch(event),
      onCheckpoint: (note) => this.#courier?.taken(note),
    });
    this.#writer = new JournalWriter({
      journal,
      key,
      clock: options.ports.clock,
      signal: this.#closing.signal,
      onDurable: (through) => this.#dispatch({ type: 'journalled', through }),
      onFault: (fault) => this.#onJournalFault(fault),
      onBroken: (error) => this.#break(error),
    });
    this.#courier = this.#makeCourier(options);
    this.#operator = new Operator({
      name: options.name,
      ledger: options.ledger,
      closing: this.#closing.signal,
      ended: this.#ended,
      writer: this.#writer,
      state: () => this.#state,
      dispatch: (event) => this.#dispatch(event),
      until: (condition) => this.#until(condition),
    });
    const { state, records } = journal.load(key);
    const account = fold(state, records);
    this.#state = account === null ? this.#begin() : openState(account, account.records);
    // What a destination needs of the entries shows in its records: retention reads them there.
    journal.compact(key, () => accountText(this.#state.account));
    const { target } = options;
    this.#dispatch(target === undefined ? { type: 'begin' } : { type: 'begin', target: { ...target, start: startOf(options) } });
    if (this.#courier !== null) this.#run(this.#courier.run());
  }

  status(): DestinationStatus {
    const { ledger } = this.#options;
    const { cursor } = this.#state.account.live;
    const sought = this.#cutter?.unwantedUpTo(cursor) ?? cursor;
    const facts = { size: ledger.size(), beginning: ledger.beginning(), sought, attempts: this.#sender.attempts, retryAt: this.#retryAt };
    return { ...statusOf(this.#state, this.#journalFault, facts), checkpoint: this.#courier?.status() ?? null };
  }

  async pause(): Promise<void> {
    await this.#operator.verb({ type: 'pause' });
  }

  async resume(): Promise<void> {
    await this.#operator.verb({ type: 'resume', beginning: this.#options.ledger.beginning() });
  }

  async detach(through: Index): Promise<boolean> {
    await this.#operator.verb({ type: 'detach', through });
    return this.#state.account.detached?.held === true;
  }

  async retry(): Promise<void> {
    await this.#operator.verb({ type: 'retry' });
  }

  async cancel(): Promise<void> {
    await this.#operator.verb({ type: 'cancel' }, () => !this.#state.cancelling);
  }

  async waive(from: Index, through: Index): Promise<void> {
    await this.#operator.verb({ type: 'waive', from, through });
  }

  async replay(from: Index, through: Index): Promise<SideStarted> {
    return this.#operator.side('replay', { from, through, gone: null });
  }

  async redeliver(from: Index, through: Index): Promise<SideStarted> {
    return this.#operator.side('redeliver', { from, through, gone: null });
  }

  async replayable(from: Index, through: Index): Promise<SideRange> {
    return this.#operator.allowed('replay', { from, through, gone: null });
  }

  async recoverable(from: Index, through: Index): Promise<SideRange> {
    const beginning = this.#options.ledger.beginning();
    if (this.#state.rules.dedupe === 'position')
      return this.#operator.allowed('recover', { from, through, gone: from < beginning ? ((beginning - 1) as Index) : null });
    // Only whole batches have their original identity.
    const first = await this.#operator.whileOpen(this.#originals.at(from));
    const last = await this.#operator.whileOpen(this.#originals.at(through));
    return this.#operator.allowed('recover', { from: first.from, through: last.through, gone: first.gone });
  }

  async recover(from: Index, through: Index): Promise<SideStarted> {
    return this.#operator.side('recover', await this.recoverable(from, through));
  }

  async drain(ms: number): Promise<boolean> {
    const { clock } = this.#options.ports;
    this.#dispatch({ type: 'drain' });
    const late = new AbortController();
    const empty = this.#until(() => flying(this.#state) === 0 && !this.#writer.busy).then(
      () => true,
      () => false,
    );
    const over = clock.sleep(ms, late.signal).then(() => false);
    const drained = await Promise.race([empty, over.catch(() => false)]);
    late.abort();
    return drained;
  }

  async close(): Promise<void> {
    // What is known already should not be in doubt at the next start.
    this.#writer.flush();
    this.#closing.abort(new WaybillError('SINK_ANSWER_LOST', `the destination ${this.name} was closed`));
    this.#cutter?.order(null);
    this.#backOff.abort();
    this.#watchers.look();
    await Promise.all(this.#tasks);
    await this.#writer.end();
    this.#onEnded();
    await this.#sink?.close();
    this.#sink = null;
  }

  #makeCourier(options: DestinationOptions): CheckpointCourier | null {
    const { heads } = options;
    if (heads === undefined) return null;
    return new CheckpointCourier({
      options,
      heads,
      signal: this.#closing.signal,
      state: () => this.#state,
      sink: () => this.#sink,
      until: (condition) => this.#until(condition),
    });
  }

  #begin(): State {
    const cursor = startOf(this.#options);
    const at = this.#options.ports.clock.now();
    this.#writer.add({ type: 'began', v: 1, cursor, at }, 1);
    return openState(newAccount(cursor, at), 0);
  }

  /** Takes one step and begins what it asks for. It never calls itself: what was begun answers later. */
  #dispatch(event: DeliveryEvent): void {
    if (this.#closing.signal.aborted || this.#broken !== null) return;
    try {
      const before = this.#state;
      const { state, commands } = step(before, event);
      this.#state = state;
      for (const command of commands) this.#carryOut(command);
      this.#afterStep(before);
    } catch (error) {
      this.#break(error);
    }
  }

  #carryOut(command: Command): void {
    switch (command.type) {
      case 'open':
        return this.#run(this.#open());
      case 'journal':
        return this.#writer.add(command.record, command.number);
      case 'cut':
        return this.#cutter?.order(command.order);
      case 'send':
        return this.#run(this.#sender.send(command.lane, command.batch));
      case 'ask':
        return this.#run(this.#ask());
      case 'backOff':
        return this.#run(this.#wait(command));
      case 'declare':
        return this.#run(this.#declare(command.record));
    }
  }

  #afterStep(before: State): void {
    const state = this.#state;
    if (state.backOff === 0 && this.#retryAt !== null) {
      this.#backOff.abort();
      this.#retryAt = null;
    }
    this.#sender.forget(state);
    // While the next batch is being cut, its intent is nearly there: both facts then take one flush.
    if (this.#cutter?.soon !== true) this.#writer.flush();
    if (state.halted !== null || state.backOff !== 0 || (state.open && state.known)) this.#onAsked();
    report(this.#options, before, state);
    this.#watchers.look();
  }

  #run(task: Promise<void>): void {
    const settled = task
      .catch((error: unknown) => this.#break(error))
      .finally(() => {
        this.#tasks.delete(settled);
      });
    this.#tasks.add(settled);
  }

  async #open(): Promise<void> {
    const { name, origin, ports, codec, control, ledger } = this.#options;
    const { account } = this.#state;
    try {
      const context = { name, origin, ports, cursor: standsAt(account), size: ledger.size(), receipt: account.receipt };
      const sink = await openInTime(this.#options, context, this.#closing.signal);
      this.#sink = sink;
      this.#cutter = this.#makeCutter(sink);
      this.#dispatch({ type: 'opened', rules: rulesOf(this.#options, sink), format: codec.type, control: control ?? 'all', name });
    } catch (error) {
      this.#lost('open', error);
    }
  }

  #makeCutter(sink: Sink): Cutter {
    const { ledger, ports, batch } = this.#options;
    const { traits } = sink;
    return new Cutter({
      ledger,
      clock: ports.clock,
      limits: { entries: batch?.entries ?? traits.batch.entries, bytes: batch?.bytes ?? traits.batch.bytes },
      waitMs: batch?.waitMs ?? traits.batch.waitMs,
      rules: (epoch) => cutRulesOf(this.#options, this.#state, epoch),
      original: (index) => this.#originals.at(index),
      onCut: (event, cut) => {
        const order = this.#state.order;
        if (cut !== null && order !== null) this.#sender.keep(order.lane, cut);
        const checkpoint = cut === null || order?.lane !== 'live' ? undefined : this.#courier?.forBatch(cut.through);
        this.#dispatch(checkpoint === undefined ? event : { ...event, checkpoint });
      },
      onWaiting: () => this.#writer.flush(),
      onError: (error) => this.#lost('cut', error),
    });
  }

  async #ask(): Promise<void> {
    const { ledger, ports } = this.#options;
    const sink = this.#opened();
    try {
      const next = await attempt((signal) => askNext(sink, signal), timeoutOf(this.#options), ports.clock, this.#closing.signal);
      this.#dispatch({ type: 'next', next, size: ledger.size() });
    } catch (error) {
      this.#lost('next', error);
    }
  }

  async #wait({ number, failures, atLeastMs }: Extract<Command, { type: 'backOff' }>): Promise<void> {
    const { ports, retry } = this.#options;
    const ms = Math.max(atLeastMs, backOffMs(retry, failures, ports.random));
    this.#retryAt = ports.clock.now() + ms;
    this.#backOff.abort();
    this.#backOff = new AbortController();
    if (await slept(ports.clock, ms, this.#backOff.signal)) this.#dispatch({ type: 'due', number });
  }

  async #declare(record: number): Promise<void> {
    if (await emitDeclaration(this.#options, this.#state.account, record, this.#closing.signal))
      this.#dispatch({ type: 'declared', record });
  }

  #lost(what: 'open' | 'next' | 'cut', error: unknown): void {
    try {
      const fault = faultOf(error, what === 'cut' ? 'BATCH_FAILED' : 'SINK_FAILED');
      this.#dispatch({ type: 'lost', what, fault, retryAfterMs: retryAfterOf(error) });
    } catch (broken) {
      this.#break(broken);
    }
  }

  #onJournalFault(fault: Fault | null): void {
    this.#journalFault = fault;
    if (fault === null) return;
    this.#options.ports.log.error('the delivery journal cannot be written', {
      destination: this.name,
      code: fault.code,
      message: fault.message,
    });
  }

  /** A promise of this program was broken: nothing more is done here, and whoever runs it has to stop. */
  #break(reason: unknown): void {
    if (this.#broken !== null) return;
    this.#broken = { reason };
    this.#cutter?.order(null);
    this.#onFailed(reason);
    this.#onAsked();
    this.#watchers.look();
  }

  /** Resolves once `condition` holds after a step. Rejects when delivery stops before. */
  #until(condition: () => boolean): Promise<void> {
    return this.#watchers.until(
      () => this.#broken === null && condition(),
      () => this.#broken ?? (this.#closing.signal.aborted ? this.#closing.signal : null),
    );
  }

  #opened(): Sink {
    assert(this.#sink !== null, 'the sink is not open');
    return this.#sink;
  }
}
