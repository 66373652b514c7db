import assert from 'node:assert/strict';
import type { Index, Size } from '../../src/contracts/units.ts';
import type { Account } from '../../src/delivery/account.ts';
import { neededFrom, newAccount } from '../../src/delivery/account.ts';
import { accountText, fold } from '../../src/delivery/fold.ts';
import { type JournalRecord, type Lane, recordsText } from '../../src/delivery/records.ts';
import type { Command, CutOrder, DeliveryEvent, Fault, OpenBatch, Rules, State, VerbEvent } from '../../src/delivery/state.ts';
import { openState, step } from '../../src/delivery/step.ts';
import { refuseVerb } from '../../src/delivery/verbs.ts';

/** One write that took effect at the model destination. `side`: it was marked as sent again. */
export interface Arrival {
  readonly from: number;
  readonly through: number;
  readonly records: readonly number[];
  readonly omit: readonly number[];
  /** How many at its beginning were not in the ledger any more. */
  readonly gone: number;
  readonly id: string;
  readonly marked: boolean;
}

interface Write {
  readonly lane: Lane;
  readonly batch: OpenBatch;
  readonly arrival: Arrival;
}

const fault = (code: Fault['code'], remedy: Fault['remedy'], unknown = false): Fault => ({ code, message: code, remedy, unknown });

/** How an attempt can go. `lose`: it takes effect and the answer is lost. `miss`: it does not, and the answer is lost all the same. */
export type Fate = 'take' | 'lose' | 'miss' | 'busy' | 'deny';

/**
 * Everything around `step`, in memory and without time: a ledger of a size, a journal of which a prefix is durable, a destination.
 * Whatever is begun waits until the test picks it, so that every order of things can happen.
 */
export class DeliveryModel {
  size = 0;
  rules: Rules;
  /** Entries that are never sent, as control entries may be. */
  readonly unwanted: (index: number) => boolean;
  readonly poison = new Set<number>();
  /** Entries that were refused at some time: only these may ever be set aside. */
  readonly refused = new Set<number>();
  readonly arrivals: Arrival[] = [];
  readonly declared: { readonly record: number; readonly type: string; readonly facts: Readonly<Record<string, string | number>> }[] = [];
  /** Batches whose answer was lost, or that were in flight at a crash, by identity: only these may come twice. */
  readonly doubted = new Set<string>();
  /** Original cuts of the live stream, as the journal's past has them. */
  readonly cuts = new Map<number, OpenBatch>();
  journal: string[] = [];
  durable = 0;
  state!: State;
  next = 0;
  lastOutcome: 'none' | 'refused' | 'taken' = 'none';
  refusedInARow = 0;
  readonly start: number;
  /** The oldest index that the ledger has. */
  beginning: number;
  /** Arrival is not the order: the names of what arrives carry the range. */
  readonly unordered: boolean;
  #stateText: string | null = null;
  #folded = 0;
  readonly #ids = new Set<string>();
  /** How many records there were after each step. */
  #ends: number[] = [];
  sends: Write[] = [];
  late: Write[] = [];
  order: CutOrder | null = null;
  asking = false;
  opening = false;
  backOff: number | null = null;
  declaring: number | null = null;
  crashes = 0;
  /** From where on the destination once lost everything. */
  lostFrom: number | null = null;
  lossy = false;
  #lostAgain = false;

  constructor(rules: Rules, start: number, unwanted: (index: number) => boolean) {
    this.rules = rules;
    this.start = start;
    this.beginning = start;
    this.unordered = rules.dedupe === 'key' && rules.inFlight > 1;
    this.size = start;
    this.next = start;
    this.unwanted = unwanted;
    this.boot();
  }

  get records(): number {
    return this.journal.length;
  }

  /** Begins a life: folds what the journal has, and opens the sink. */
  boot(): void {
    const account = fold(this.#stateText, this.journal.slice(this.#folded));
    if (account === null) {
      const began: JournalRecord = { type: 'began', v: 1, cursor: this.start as Index, at: 1 };
      this.journal.push(recordsText(1, [began]));
      this.state = openState(newAccount(this.start as Index, 1), 0);
    } else {
      this.durable = this.journal.length;
      this.state = openState(account, account.records);
      for (const batch of [...this.state.live, ...this.state.side]) if (batch.doubt) this.doubted.add(this.#idOf(batch));
    }
    this.happen({ type: 'begin' });
  }

  /** The process dies. Of the records that were not durable, the first `kept` survive all the same. */
  crash(kept: number): void {
    this.crashes += 1;
    this.journal = this.journal.slice(0, this.#wholeSteps(this.durable + kept));
    this.#ends = this.#ends.filter((end) => end <= this.journal.length);
    for (const write of this.sends) this.doubted.add(write.arrival.id);
    if (this.rules.dedupe !== 'none') this.late.push(...this.sends);
    this.durable = Math.min(this.durable, this.journal.length);
    if (this.#folded > this.journal.length) {
      // A snapshot holds records that never reached the journal by themselves: they are durable with it.
      const texts = this.#folded - this.journal.length;
      for (let k = 0; k < texts; k++) this.journal.push(recordsText(this.journal.length + 1, [{ type: 'resumed' }]));
      this.#ends.push(this.journal.length);
    }
    this.sends = [];
    this.order = null;
    this.asking = false;
    this.opening = false;
    this.backOff = null;
    this.declaring = null;
    this.refusedInARow = 0;
    this.boot();
  }

  /** The ledger writes a snapshot of what is durable now, and of whatever the account holds beyond. */
  compact(): void {
    this.#stateText = accountText(this.state.account);
    this.#folded = this.state.account.records;
    this.durableTo(this.#folded);
  }

  happen(event: DeliveryEvent): void {
    const before = this.state;
    const { state, commands } = step(before, event);
    this.state = state;
    for (const command of commands) this.#carryOut(command);
    this.#ends.push(this.journal.length);
  }

  verb(event: VerbEvent): boolean {
    if (refuseVerb(this.state, event, this.beginning as Index, this.size as Size) !== null) return false;
    this.happen(event);
    return true;
  }

  durableTo(count: number): void {
    const through = this.#wholeSteps(count);
    if (through <= this.durable) return;
    this.durable = through;
    this.happen({ type: 'journalled', through });
  }

  /** The ledger may let go of everything that the destination does not need any more. */
  prune(to: number): void {
    const needed = neededFrom(this.state.account) ?? this.size;
    if (this.state.detaching === null && this.durable === this.records) this.beginning = Math.max(this.beginning, Math.min(to, needed));
  }

  /** Answers the cut order with at most `most` records, if there is anything to answer. */
  cut(most: number): boolean {
    const { order } = this;
    if (order === null) return false;
    const { number, from, limit, fences, omit, only, epoch, gone } = order;
    if (order.original) {
      this.order = null;
      const original = this.cuts.get(from);
      if (original === undefined) {
        // Nothing of this stretch was ever sent.
        const following = Math.min(...[...this.cuts.keys()].filter((first) => first > from));
        const end = Math.min(following - 1, limit ?? from) as Index;
        this.happen({ type: 'cut', number, through: end, count: 0, sha256: '', omit: [], gone: null, epoch });
        return true;
      }
      const { through, count, sha256 } = original;
      this.happen({ type: 'cut', number, through, count, sha256, omit: original.omit, gone: original.gone, epoch: original.epoch });
      return true;
    }
    const end = limit === null ? this.size : Math.min(this.size, limit + 1);
    let through = from - 1;
    let count = 0;
    while (through + 1 < end && count < most) {
      through += 1;
      if (through <= (gone ?? -1)) continue;
      assert.ok(through >= this.beginning, `${through} is read, and the ledger begins at ${this.beginning}`);
      if (this.#wanted(through, omit, only)) count += 1;
      if (count > 0 && fences.includes(through as Index)) break;
    }
    // What follows and is not sent rides along where it could not ride on anything later.
    while (limit !== null && count > 0 && count === most && through < limit && !this.#wanted(through + 1, omit, only)) through += 1;
    const whole = limit !== null && through === limit;
    if (through < from || (count === 0 && !whole && !order.empty)) return false;
    this.order = null;
    const sha256 =
      this.rules.dedupe === 'position' ? '' : `${from}-${through}-${omit.filter((index) => index <= through && index >= from).join()}`;
    this.happen({
      type: 'cut',
      number,
      through: through as Index,
      count,
      sha256,
      omit: omit.filter((index) => index >= from && index <= through),
      gone: gone === null || gone < from ? null : (Math.min(gone, through) as Index),
      epoch,
    });
    return true;
  }

  /** Ends one attempt. */
  answer(at: number, fate: Fate): void {
    const write = this.sends.splice(at, 1)[0] as Write;
    const { lane, batch, arrival } = write;
    const { from } = batch;
    const failed = (what: Fault, middle: number | null = null, refused: number[] = []): void => {
      if (what.unknown) this.doubted.add(arrival.id);
      const where = { refused: refused as Index[], middle: middle as Index | null, control: false };
      this.happen({ type: 'failed', lane, from, fault: what, retryAfterMs: 0, at: 1, ...where });
    };
    if (fate === 'busy') return failed(fault('SINK_BUSY', 'retry'));
    if (fate === 'deny') return failed(fault('SINK_UNAUTHORIZED', 'halt'));
    if (fate === 'miss') return failed(fault('SINK_ANSWER_LOST', 'retry', true));
    const bad = arrival.records.filter((index) => this.poison.has(index));
    if (bad.length > 0) {
      for (const index of bad) this.refused.add(index);
      const middle = arrival.records[Math.max(0, Math.floor(arrival.records.length / 2) - 1)] as number;
      return failed(fault('SINK_REFUSED_ENTRY', 'reject'), middle, (bad[0] as number) % 2 === 0 ? bad : []);
    }
    if (!this.land(write)) return failed(fault('SINK_BUSY', 'retry'));
    if (fate === 'lose') return failed(fault('SINK_ANSWER_LOST', 'retry', true));
    if (lane === 'live') this.cuts.set(batch.from, batch);
    this.happen({ type: 'taken', lane, from, receipt: { through: batch.through }, bytes: batch.count });
  }

  /** A write arrives whose process died. The destination has not changed its mind meanwhile: what it would refuse, it refuses. */
  landLate(at: number): void {
    const write = this.late.splice(at, 1)[0] as Write;
    if (write.arrival.records.some((index) => this.poison.has(index) || this.refused.has(index))) return;
    this.land(write);
  }

  /** A write takes effect. Answers whether it did. */
  land({ arrival }: Write): boolean {
    if (this.rules.dedupe === 'position') {
      if (arrival.from !== this.next) return false;
      this.next = arrival.through + 1;
    } else if (this.rules.dedupe === 'key') {
      if (this.#ids.has(arrival.id)) return true;
      this.#ids.add(arrival.id);
    }
    this.arrivals.push(arrival);
    return true;
  }

  /** The destination loses everything from an index on, as after it was restored from a copy. */
  lose(from: number): void {
    this.lossy = true;
    this.#lostAgain = true;
    this.lostFrom = Math.min(this.lostFrom ?? from, from);
    for (const arrival of this.arrivals.splice(0)) {
      const { marked, id } = arrival;
      if (marked || arrival.through < from) this.arrivals.push(arrival);
      else if (arrival.from < from && this.rules.dedupe === 'position') {
        this.arrivals.push({ ...arrival, through: from - 1, records: arrival.records.filter((index) => index < from) });
      } else this.#ids.delete(id);
    }
    if (this.rules.dedupe === 'position') this.next = Math.min(this.next, from);
  }

  ask(): void {
    this.asking = false;
    this.happen({ type: 'next', next: this.next as Index, size: this.size as Size });
  }

  lost(what: 'open' | 'next' | 'cut'): void {
    if (what === 'open') this.opening = false;
    else if (what === 'next') this.asking = false;
    else this.order = null;
    this.happen({ type: 'lost', what, fault: fault('SINK_UNREACHABLE', 'retry'), retryAfterMs: 0 });
  }

  opened(): void {
    this.opening = false;
    this.happen({ type: 'opened', rules: this.rules, format: 'lines', control: 'all', name: 'lake' });
  }

  due(): void {
    const number = this.backOff ?? 0;
    this.backOff = null;
    this.happen({ type: 'due', number });
  }

  declare(): void {
    const record = this.declaring ?? 0;
    this.declaring = null;
    this.happen({ type: 'declared', record });
  }

  /** What the whole journal says must be what the running account holds. */
  checkFold(): void {
    const account = fold(this.#stateText, this.journal.slice(this.#folded)) as Account;
    assert.deepEqual(account, this.state.account);
    assert.deepEqual(JSON.parse(accountText(account)), account);
  }

  /** The most records up to `count` that end with a step: those of one step are written together, and all of them survive or none. */
  #wholeSteps(count: number): number {
    const most = Math.min(this.journal.length, count);
    return this.#ends.findLast((end) => end <= most) ?? 0;
  }

  #wanted(index: number, omit: readonly Index[], only: CutOrder['only']): boolean {
    if (omit.includes(index as Index) || this.unwanted(index)) return false;
    return only === null || only.some(({ from, through }) => index >= from && index <= through);
  }

  #idOf({ from, through, sha256 }: Pick<OpenBatch, 'from' | 'through' | 'sha256'>, side: string | null = null): string {
    return `${side ?? 'live'}/${from}-${through}/${sha256}`;
  }

  #carryOut(command: Command): void {
    switch (command.type) {
      case 'open':
        this.opening = true;
        return;
      case 'journal': {
        assert.equal(command.number, this.journal.length + 1);
        this.journal.push(recordsText(command.number, [command.record]));
        this.#noteRecovery(command.record);
        return;
      }
      case 'cut':
        this.order = command.order;
        return;
      case 'send':
        return this.#send(command.lane, command.batch);
      case 'ask':
        this.asking = true;
        return;
      case 'backOff':
        this.backOff = command.number;
        return;
      case 'declare': {
        // The intake writes a control entry once for its key, so that asking again changes nothing.
        this.declaring = command.record;
        assert.ok(command.record <= this.durable, 'a fact is declared before it is durable');
        const found = this.state.account.outbox.find(({ record }) => record === command.record);
        assert.ok(found !== undefined);
        const same = this.declared.find(({ record }) => record === command.record);
        if (same === undefined) this.declared.push(found);
        else assert.deepEqual(same, found);
        return;
      }
    }
  }

  #noteRecovery(record: JournalRecord): void {
    if (record.type === 'side' && record.kind === 'recover') this.#lostAgain = record.from > (this.lostFrom ?? record.from);
    const last = this.state.account.outbox.at(-1);
    const whole = record.type === 'ended' && record.how === 'done' && last?.type === 'recover.ended';
    // What was taken out of turn, above the cursor, is filled by another one.
    if (whole && !this.#lostAgain) this.lostFrom = Number(last.facts['through']) + 1;
  }

  #send(lane: Lane, batch: OpenBatch): void {
    const side = lane === 'side' ? this.state.account.side : null;
    const marked = side !== null && side.kind !== 'recover';
    const only = side?.kind === 'redeliver' ? this.state.account.quarantine : null;
    const records: number[] = [];
    const gone = batch.gone ?? -1;
    const first = Math.max(batch.from, gone + 1);
    for (let index = first; index <= batch.through; index++) if (this.#wanted(index, batch.omit, only)) records.push(index);
    assert.equal(records.length, batch.count, 'a batch has the records that were counted when it was cut');
    const arrival: Arrival = {
      from: batch.from,
      through: batch.through,
      records,
      omit: batch.omit,
      gone: Math.max(0, gone - batch.from + 1),
      id: this.#idOf(batch, marked && side !== null ? side.name : null),
      marked,
    };
    this.sends.push({ lane, batch, arrival });
  }
}
