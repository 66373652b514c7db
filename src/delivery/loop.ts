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
import { Originals } from './originals.ts';
import { journalKey, type SideKind } from './records.ts';
import { Sender } from './sender.ts';
import { cutRulesOf } from './sent-batch.ts';
import { askNext, backOffMs, openInTime, rulesOf, slept, startOf, timeoutOf } from './sink-calls.ts';
import { type Command, type DeliveryEvent, type Fault, flying, type State, type VerbEvent } from './state.ts';
import { report, statusOf } from './status.ts';
import { openState, step } from './step.ts';
import { refuseVerb } from './verbs.ts';
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
  readonly #tasks = new Set<Promise<void>>();
  #state: State;
  #sink: Sink | null = null;
  #cutter: Cutter | null = null;
  #journalFault: Fault | null = null;
  #backOff = new AbortController();
  #retryAt: number | null = null;
  #broken: { readonly reason: unknown } | null = null;
  #onAsked: () => void = () => {};
  #onFailed: (reason: unknown) => void = () => {};
  readonly #watchers = new Watchers();

  constructor(options: DestinationOptions) {
    this.name = options.name;
    this.#options = options;
    this.asked = new Promise((resolve) => {
      this.#onAsked = resolve;
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
    await this.#verb({ type: 'pause' });
  }

  async resume(): Promise<void> {
    await this.#verb({ type: 'resume', beginning: this.#options.ledger.beginning() });
  }

  async detach(through: Index): Promise<boolean> {
    await this.#verb({ type: 'detach', through });
    return this.#state.account.detached?.held === true;
  }

  async retry(): Promise<void> {
    await this.#verb({ type: 'retry' });
  }

  async cancel(): Promise<void> {
    await this.#verb({ type: 'cancel' });
    await this.#until(() => !this.#state.cancelling);
    await this.#written();
  }

  async waive(from: Index, through: Index): Promise<void> {
    await this.#verb({ type: 'waive', from, through });
  }

  async replay(from: Index, through: Index): Promise<SideStarted> {
    return this.#side('replay', { from, through, gone: null });
  }

  async redeliver(from: Index, through: Index): Promise<SideStarted> {
    return this.#side('redeliver', { from, through, gone: null });
  }

  async replayable(from: Index, through: Index): Promise<SideRange> {
    return this.#allowed('replay', { from, through, gone: null });
  }

  async recoverable(from: Index, through: Index): Promise<SideRange> {
    const beginning = this.#options.ledger.beginning();
    if (this.#state.rules.dedupe === 'position')
      return this.#allowed('recover', { from, through, gone: from < beginning ? ((beginning - 1) as Index) : null });
    // Only whole batches have their original identity.
    const first = await this.#originals.at(from);
    const last = await this.#originals.at(through);
    return this.#allowed('recover', { from: first.from, through: last.through, gone: first.gone });
  }

  async recover(from: Index, through: Index): Promise<SideStarted> {
    return this.#side('recover', await this.recoverable(from, through));
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

  async #verb(event: VerbEvent): Promise<void> {
    const { ledger } = this.#options;
    const refusal = refuseVerb(this.#state, event, ledger.beginning(), ledger.size());
    if (refusal !== null) throw refusal;
    this.#dispatch(event);
    await this.#until(() => this.#state.detaching === null);
    await this.#written();
  }

  /** Resolves once everything that is known now is durable. */
  async #written(): Promise<void> {
    const { records } = this.#state.account;
    await this.#until(() => this.#state.durable >= records);
  }

  async #side(kind: SideKind, { from, through, gone }: SideRange): Promise<SideStarted> {
    const begun = this.#verb({ type: 'side', kind, from, through, gone });
    // By the time it is durable it may be over, and another one begun.
    const name = `${kind}-${this.#state.account.sides}`;
    await begun;
    return { name, from, through };
  }

  /** The range, or a rejection where it could not be begun now. */
  #allowed(kind: SideKind, range: SideRange): SideRange {
    const { ledger } = this.#options;
    const refused = refuseVerb(this.#state, { type: 'side', kind, ...range }, ledger.beginning(), ledger.size());
    if (refused !== null) throw refused;
    return range;
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
