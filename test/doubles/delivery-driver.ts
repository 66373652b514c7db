import assert from 'node:assert/strict';
import type { Remedy } from '../../src/contracts/delivery-errors.ts';
import type { ErrorCode } from '../../src/contracts/errors.ts';
import type { Index } from '../../src/contracts/units.ts';
import { newAccount } from '../../src/delivery/account.ts';
import { fold } from '../../src/delivery/fold.ts';
import { type JournalRecord, type Lane, recordsText } from '../../src/delivery/records.ts';
import type { Command, DeliveryEvent, Failure, Fault, Rules, State, TargetChoice } from '../../src/delivery/state.ts';
import { openState, step } from '../../src/delivery/step.ts';

/** How a destination is delivered to unless a test says otherwise. */
export const RULES: Rules = { dedupe: 'key', inFlight: 1, carriesEmpty: false, onReject: 'halt', quarantineMax: 100 };

/** What happens: an event, what a test works out when it is its turn, or that every record became durable. */
type Happening = DeliveryEvent | ((driver: Driver) => DeliveryEvent) | 'all durable';

/** One destination that a test drives event by event; what it commands is told in words. */
export class Driver {
  state: State;
  readonly records: JournalRecord[] = [{ type: 'began', v: 1, cursor: 0 as Index, at: 1 }];
  readonly #rules: Rules;

  constructor(rules: Partial<Rules> = {}, state: State = openState(newAccount(0 as Index, 1), 1)) {
    this.#rules = { ...RULES, ...rules };
    this.state = state;
  }

  /** Begins as every destination does: opened, everything durable. */
  static opened(rules: Partial<Rules> = {}): Driver {
    const driver = new Driver(rules);
    driver.after({ type: 'begin' }, driver.open(), 'all durable');
    return driver;
  }

  open(): DeliveryEvent {
    return { type: 'opened', rules: this.#rules, format: 'native', control: 'all', name: 'lake' };
  }

  /** What is commanded by the last of these events. */
  after(...happenings: readonly Happening[]): string[] {
    let said: string[] = [];
    for (const happening of happenings) {
      const event = happening === 'all durable' ? this.#allDurable() : typeof happening === 'function' ? happening(this) : happening;
      const { state, commands } = step(this.state, event);
      for (const command of commands) if (command.type === 'journal') this.records.push(command.record);
      this.state = state;
      said = commands.map(words);
    }
    return said;
  }

  #allDurable(): DeliveryEvent {
    return { type: 'journalled', through: this.state.account.records };
  }

  /** The process dies when so many records are durable (all of them unless said otherwise), and begins anew. */
  crashed(durable = this.records.length, rules: Partial<Rules> = {}, target?: TargetChoice, opens = true): Driver {
    const account = fold(null, [recordsText(1, this.records.slice(0, durable))]);
    assert.ok(account !== null);
    const next = new Driver({ ...this.#rules, ...rules }, openState(account, durable));
    next.records.splice(0, 1, ...this.records.slice(0, durable));
    next.after(target === undefined ? { type: 'begin' } : { type: 'begin', target });
    if (opens && next.state.opening) next.after(next.open());
    else if (opens && next.state.halted === null) next.after('all durable', next.open());
    return next;
  }
}

/** Answers the order that is out, whichever it is by then, with a batch through `through`. */
export function cut(through: number, count?: number, omit: readonly number[] = []): (driver: Driver) => DeliveryEvent {
  return ({ state }) => {
    const { order, rules } = state;
    assert.ok(order !== null, 'no cut is ordered');
    const sha256 = rules.dedupe === 'position' ? '' : `hash of ${order.from}-${through}`;
    const records = count ?? through - order.from + 1;
    return {
      type: 'cut',
      number: order.number,
      through: through as Index,
      count: records,
      sha256,
      omit: omit as Index[],
      gone: order.gone,
      epoch: order.epoch,
    };
  };
}

/** A batch was taken. */
export const taken = (from: number, lane: Lane = 'live'): DeliveryEvent => ({
  type: 'taken',
  lane,
  from: from as Index,
  receipt: { at: from },
  bytes: 10,
});

/** An attempt failed; it may be made again unless `remedy` says otherwise. */
export function failed(
  from: number,
  code: ErrorCode,
  more: Partial<Failure> & { readonly remedy?: Remedy; readonly unknown?: boolean } = {},
): DeliveryEvent {
  const { remedy = 'retry', unknown = false, lane = 'live', ...rest } = more;
  const fault: Fault = { code, message: code, remedy, unknown };
  return { type: 'failed', lane, from: from as Index, fault, retryAfterMs: 0, refused: [], middle: null, control: false, at: 5, ...rest };
}

/** No answer came. */
export const lostAnswer = (from: number): DeliveryEvent => failed(from, 'SINK_ANSWER_LOST', { unknown: true });
/** The destination will never take something in this batch. */
export const refusal = (from: number, middle: number, more: Partial<Failure> = {}): DeliveryEvent =>
  failed(from, 'SINK_REFUSED_ENTRY', { remedy: 'reject', middle: middle as Index, ...more });

function words(command: Command): string {
  switch (command.type) {
    case 'journal':
      return `journal ${recordWords(command.record)}`;
    case 'cut': {
      const { order } = command;
      if (order === null) return 'cut nothing';
      const limit = order.limit === null ? '' : ` to ${order.limit}`;
      const fences = order.fences.length === 0 ? '' : ` fences ${order.fences.join()}`;
      const omit = order.omit.length === 0 ? '' : ` omit ${order.omit.join()}`;
      return `cut ${order.lane} from ${order.from}${limit}${fences}${omit}${order.ahead ? ' ahead' : ''}`;
    }
    case 'send':
      return `send ${command.lane} ${command.batch.from}-${command.batch.through}${command.batch.doubt ? ' again' : ''}`;
    case 'backOff':
      return `back off ${command.failures}`;
    case 'declare':
      return `declare ${command.record}`;
    default:
      return command.type;
  }
}

function recordWords(record: JournalRecord): string {
  if (record.type === 'ended') return `ended ${record.how}`;
  if (record.type === 'target') return `target ${record.target}${record.used === null ? '' : ` ${record.used}`}`;
  const range =
    'through' in record
      ? 'from' in record
        ? ` ${record.from}-${record.through}`
        : ` through ${record.through}`
      : 'from' in record
        ? ` ${record.from}`
        : 'index' in record
          ? ` ${record.index}`
          : '';
  return `${record.type}${range}`;
}
