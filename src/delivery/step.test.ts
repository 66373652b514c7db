import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BrokenInvariant } from '../contracts/assert.ts';
import type { ErrorCode, Remedy } from '../contracts/errors.ts';
import type { Index, Size } from '../contracts/units.ts';
import { newAccount } from './account.ts';
import { accountText, fold } from './fold.ts';
import { type JournalRecord, type Lane, recordsText } from './records.ts';
import type { Command, DeliveryEvent, Failure, Fault, Rules, State } from './state.ts';
import { openState, step } from './step.ts';

const RULES: Rules = { dedupe: 'key', inFlight: 1, carriesEmpty: false, onReject: 'halt', quarantineMax: 100 };
const HOUR_MS = 3_600_000;

/** What happens: an event, what a test works out when it is its turn, or that every record became durable. */
type Happening = DeliveryEvent | ((driver: Driver) => DeliveryEvent) | 'all durable';

/** One destination that a test drives event by event; what it commands is told in words. */
class Driver {
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
    return { type: 'opened', rules: this.#rules, format: 'native', control: 'all' };
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
  crashed(durable = this.records.length, rules: Partial<Rules> = {}): Driver {
    const account = fold(null, [recordsText(1, this.records.slice(0, durable))]);
    assert.ok(account !== null);
    const next = new Driver({ ...this.#rules, ...rules }, openState(account, durable));
    next.records.splice(0, 1, ...this.records.slice(0, durable));
    next.after({ type: 'begin' }, next.open());
    return next;
  }
}

/** Answers the order that is out, whichever it is by then, with a batch through `through`. */
function cut(through: number, count?: number, omit: readonly number[] = []): (driver: Driver) => DeliveryEvent {
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
      epoch: order.epoch,
    };
  };
}

const taken = (from: number, lane: Lane = 'live'): DeliveryEvent => ({
  type: 'taken',
  lane,
  from: from as Index,
  receipt: { at: from },
  bytes: 10,
});

function failed(
  from: number,
  code: ErrorCode,
  more: Partial<Failure> & { readonly remedy?: Remedy; readonly unknown?: boolean } = {},
): DeliveryEvent {
  const { remedy = 'retry', unknown = false, lane = 'live', ...rest } = more;
  const fault: Fault = { code, message: code, remedy, unknown };
  return { type: 'failed', lane, from: from as Index, fault, retryAfterMs: 0, refused: [], middle: null, control: false, at: 5, ...rest };
}

const lostAnswer = (from: number): DeliveryEvent => failed(from, 'SINK_ANSWER_LOST', { unknown: true });
const refusal = (from: number, middle: number, more: Partial<Failure> = {}): DeliveryEvent =>
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
  const range =
    'through' in record
      ? ` ${record.from}-${record.through}`
      : 'from' in record
        ? ` ${record.from}`
        : 'index' in record
          ? ` ${record.index}`
          : '';
  return `${record.type}${range}`;
}

describe('a destination begins', () => {
  test('it opens the sink, and sends nothing before its beginning is durable', () => {
    const driver = new Driver({}, openState(newAccount(0 as Index, 1), 0));
    assert.deepEqual(driver.after({ type: 'begin' }), ['open']);
    assert.deepEqual(driver.after(driver.open()), ['journal epoch']);
    assert.deepEqual(driver.after('all durable'), ['cut live from 0']);
  });

  test('one that keeps its place is asked first', () => {
    const driver = new Driver({ dedupe: 'position' });
    assert.deepEqual(driver.after({ type: 'begin' }, driver.open()), ['journal epoch', 'ask']);
    assert.deepEqual(driver.after('all durable'), []);
    assert.deepEqual(driver.after({ type: 'next', next: 0 as Index, size: 9 as Size }), ['cut live from 0']);
  });

  test('a sink that cannot be opened is tried again', () => {
    const driver = new Driver();
    driver.after({ type: 'begin' });
    const fault: Fault = { code: 'SINK_UNREACHABLE', message: 'refused', remedy: 'retry', unknown: false };
    assert.deepEqual(driver.after({ type: 'lost', what: 'open', fault, retryAfterMs: 0 }), ['back off 1']);
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['open']);
    const halt: Fault = { ...fault, code: 'SINK_UNAUTHORIZED', remedy: 'halt' };
    assert.deepEqual(driver.after({ type: 'lost', what: 'open', fault: halt, retryAfterMs: 0 }), []);
    assert.deepEqual(driver.after({ type: 'retry' }), ['open']);
  });
});

describe('one batch after the other', () => {
  test('the intent is durable before the batch sets out, and what was taken before the next one does', () => {
    const driver = Driver.opened({ dedupe: 'none' });
    assert.deepEqual(driver.after(cut(4)), ['journal intent 0-4']);
    assert.deepEqual(driver.after('all durable'), ['send live 0-4', 'cut live from 5 ahead']);
    assert.deepEqual(driver.after(cut(9)), ['journal intent 5-9']);
    assert.deepEqual(driver.after('all durable'), []);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-4']);
    assert.deepEqual(driver.after('all durable'), ['send live 5-9', 'cut live from 10 ahead']);
  });

  test('an order that is wanted now keeps its number', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    const ahead = driver.state.order;
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-4', 'cut live from 5']);
    assert.equal(driver.state.order?.number, ahead?.number);
  });

  test('one that keeps its place needs no intent and does not wait for the journal', () => {
    const driver = Driver.opened({ dedupe: 'position' });
    driver.after({ type: 'next', next: 0 as Index, size: 9 as Size });
    assert.deepEqual(driver.after(cut(4)), ['send live 0-4', 'cut live from 5 ahead']);
    assert.deepEqual(driver.after(cut(9)), []);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-4', 'send live 5-9', 'cut live from 10 ahead']);
  });

  test('a cut for an order that was withdrawn changes nothing', () => {
    const driver = Driver.opened();
    const late = cut(4)(driver);
    assert.deepEqual(driver.after({ type: 'pause' }), ['journal paused', 'cut nothing']);
    assert.deepEqual(driver.after(late), []);
    assert.deepEqual(driver.state.live, []);
  });
});

describe('a failed attempt', () => {
  test('is made again as it was, after a back-off that grows', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    assert.deepEqual(driver.after(failed(0, 'SINK_BUSY')), ['back off 1', 'cut nothing']);
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['send live 0-4', 'cut live from 5 ahead']);
    assert.deepEqual(driver.after(failed(0, 'SINK_BUSY')), ['back off 2', 'cut nothing']);
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), [], 'a back-off that is over ends nothing');
    assert.deepEqual(driver.after({ type: 'due', number: 2 }, taken(0), 'all durable'), []);
    assert.equal(driver.state.failures, 0);
  });

  test('with an unknown outcome makes a repeat possible, which is counted where it is kept', () => {
    const driver = Driver.opened({ dedupe: 'none' });
    driver.after(cut(4), 'all durable', lostAnswer(0));
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['send live 0-4 again', 'cut live from 5 ahead']);
    driver.after(taken(0));
    assert.equal(driver.state.account.repeats, 1);
  });

  test('is resolved by the destination where it keeps its place', () => {
    const driver = Driver.opened({ dedupe: 'position' });
    driver.after({ type: 'next', next: 0 as Index, size: 9 as Size }, cut(4), cut(8), lostAnswer(0));
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['ask']);
    assert.deepEqual(driver.after({ type: 'next', next: 5 as Index, size: 9 as Size }), ['journal adopted 0-4', 'cut live from 5']);
    assert.equal(driver.state.account.live.cursor, 5);
  });

  test('with a verdict for a person halts, and goes on where it stopped', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    assert.deepEqual(driver.after(failed(0, 'SINK_UNAUTHORIZED', { remedy: 'halt' })), ['cut nothing']);
    assert.equal(driver.state.halted?.code, 'SINK_UNAUTHORIZED');
    assert.deepEqual(driver.after({ type: 'retry' }), ['send live 0-4', 'cut live from 5 ahead']);
  });

  test('of several in flight lets the others come back, begins none, and then goes on in order', () => {
    const driver = Driver.opened({ inFlight: 3 });
    driver.after(cut(0), cut(1), cut(2), 'all durable');
    assert.deepEqual(
      driver.state.live.map(({ phase }) => phase),
      ['flying', 'flying', 'flying'],
    );
    assert.deepEqual(driver.after(failed(1, 'SINK_BUSY')), ['cut nothing']);
    assert.deepEqual(driver.after(taken(2)), ['journal taken 2-2']);
    assert.deepEqual(driver.after(lostAnswer(0)), ['back off 1']);
    assert.deepEqual(driver.after('all durable', { type: 'due', number: 1 }), ['send live 0-0 again', 'send live 1-1', 'cut live from 3']);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-0']);
    assert.deepEqual(driver.after(taken(1)), ['journal taken 1-1']);
    assert.equal(driver.state.account.live.cursor, 3);
  });

  test('stays in doubt once one attempt had an unknown outcome, whatever the next ones say', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', lostAnswer(0), { type: 'due', number: 1 }, failed(0, 'SINK_BUSY'));
    assert.deepEqual(driver.after({ type: 'due', number: 2 }), ['send live 0-4 again', 'cut live from 5 ahead']);
  });

  test('whose bytes cannot be made again is not sent as something else, until a person says so', () => {
    const driver = Driver.opened({ dedupe: 'none' });
    driver.after(cut(4), 'all durable', lostAnswer(0), { type: 'due', number: 1 });
    const fault: Fault = { code: 'BATCH_CHANGED', message: 'other bytes', remedy: 'halt', unknown: false };
    assert.deepEqual(driver.after({ type: 'unmade', lane: 'live', from: 0 as Index, fault }), ['cut nothing']);
    assert.deepEqual(driver.after({ type: 'retry' }), ['journal withdrawn 0', 'cut live from 0']);
    assert.equal(driver.state.account.repeats, 1);
  });
});

describe('after a crash', () => {
  test('the batch in flight goes again, under its own configuration; the one that was only cut as well', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', cut(9), 'all durable');
    const next = driver.crashed();
    assert.deepEqual(
      next.state.live.map(({ from, doubt }) => [from, doubt]),
      [
        [0, true],
        [5, false],
      ],
    );
    assert.deepEqual(next.after('all durable'), [], 'it was sent already by being opened');
    assert.equal(next.state.live[0]?.phase, 'flying');
    next.after(taken(0));
    assert.deepEqual(next.after('all durable'), ['send live 5-9', 'cut live from 10 ahead']);
  });

  test('an outcome that was not durable is not known', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', taken(0));
    assert.equal(driver.crashed().state.account.live.cursor, 5);
    assert.equal(driver.crashed(driver.records.length - 1).state.account.live.cursor, 0);
  });

  test('a new configuration begins after the last intent', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    const account = fold(null, [recordsText(1, driver.records)]);
    assert.ok(account !== null);
    const next = new Driver({}, openState(account, account.records));
    next.after({ type: 'begin' }, { type: 'opened', rules: RULES, format: 'ocsf', control: 'own' }, 'all durable');
    assert.equal(next.state.live[0]?.epoch, 0);
    assert.equal(next.state.order?.epoch, 1);
    next.after(taken(0), 'all durable', cut(9));
    assert.equal(next.state.live[0]?.epoch, 1);
  });

  test('intents of a configuration that needed them end where the destination keeps its place', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    const next = driver.crashed(undefined, { dedupe: 'position' });
    assert.deepEqual(next.records.at(-1), { type: 'withdrawn', lane: 'live', from: 0, doubt: false });
    next.after('all durable');
    assert.deepEqual(next.after({ type: 'next', next: 5 as Index, size: 9 as Size }), ['journal adopted 0-4', 'cut live from 5']);
  });

  test('what is in doubt stays so when fewer may be in flight', () => {
    const driver = Driver.opened({ inFlight: 3 });
    driver.after(cut(0), cut(1), cut(2), 'all durable');
    const narrower = driver.crashed(undefined, { inFlight: 1 });
    assert.equal(narrower.state.account.inFlight, 3);
    assert.deepEqual(
      narrower.crashed().state.live.map(({ doubt }) => doubt),
      [true, true, true],
    );
  });
});

describe('a refused batch', () => {
  test('is narrowed down to the entry, which halts', () => {
    const driver = Driver.opened();
    driver.after(cut(7), 'all durable');
    assert.deepEqual(driver.after(refusal(0, 3)), ['journal rejected 0', 'cut live from 0 fences 3,7']);
    assert.deepEqual(driver.after(cut(3), 'all durable'), ['send live 0-3']);
    driver.after(taken(0));
    assert.deepEqual(driver.after('all durable', cut(7), 'all durable'), ['send live 4-7']);
    driver.after(refusal(4, 5), cut(5), 'all durable', refusal(4, 4), cut(4), 'all durable');
    assert.deepEqual(driver.after(refusal(4, 4)), []);
    assert.equal(driver.state.halted?.code, 'SINK_REFUSED_ENTRY');
    assert.equal(driver.state.account.live.cursor, 4);
    assert.deepEqual(driver.after({ type: 'retry' }), ['send live 4-4']);
  });

  test('is split around the entry that the destination names', () => {
    const driver = Driver.opened();
    driver.after(cut(7), 'all durable');
    assert.deepEqual(driver.after(refusal(0, 3, { refused: [5 as Index] })), ['journal rejected 0', 'cut live from 0 fences 4,5,7']);
  });

  test('goes before what was sent after it and is not known to be taken', () => {
    const driver = Driver.opened({ inFlight: 3 });
    driver.after(cut(3), cut(5), cut(7), 'all durable', lostAnswer(4), taken(6));
    assert.deepEqual(driver.after(refusal(0, 1)), ['journal rejected 0', 'cut live from 0 to 3 fences 1,3']);
    assert.deepEqual(driver.after(cut(1)), ['journal intent 0-1']);
    assert.deepEqual(driver.after('all durable'), ['send live 0-1']);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-1', 'cut live from 2 to 3 fences 3']);
    assert.deepEqual(driver.after('all durable', cut(3), 'all durable'), ['send live 2-3']);
    assert.deepEqual(driver.after(taken(2)), ['journal taken 2-3', 'send live 4-5 again', 'cut live from 8']);
  });

  test('takes batches with it that were cut and never sent', () => {
    const driver = Driver.opened();
    driver.after(cut(3), 'all durable', cut(7), 'all durable');
    assert.deepEqual(driver.after(refusal(0, 1)), ['journal rejected 0', 'journal withdrawn 4', 'cut live from 0 fences 1,3']);
  });

  test('without a record halts: there is no entry to blame', () => {
    const driver = Driver.opened({ carriesEmpty: true, onReject: 'quarantine' });
    driver.after(cut(3, 0), 'all durable');
    driver.after(failed(0, 'SINK_REFUSED_ENTRY', { remedy: 'reject' }));
    assert.equal(driver.state.halted?.code, 'SINK_REFUSED_ENTRY');
  });
});

describe('setting aside', () => {
  /** A destination that has refused entry 0 alone. */
  function refusedOne(more: Partial<Failure> = {}): Driver {
    const driver = Driver.opened({ onReject: 'quarantine' });
    driver.after(cut(0), 'all durable', refusal(0, 0, more));
    return driver;
  }

  test('becomes final when a later entry is taken, and is declared once that is durable', () => {
    const driver = refusedOne();
    assert.deepEqual(driver.state.account.quarantine, []);
    assert.equal(driver.state.account.live.cursor, 0);
    assert.deepEqual(driver.state.order?.omit, [0]);
    assert.deepEqual(driver.after('all durable', cut(2, 2, [0]), 'all durable'), ['send live 0-2']);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-2', 'cut live from 3']);
    assert.deepEqual(driver.state.account.quarantine, [{ from: 0, through: 0, code: 'SINK_REFUSED_ENTRY', at: 5 }]);
    const number = driver.state.account.records;
    assert.deepEqual(driver.after('all durable'), [`declare ${number}`]);
    assert.deepEqual(driver.after({ type: 'declared', record: number }), ['journal declared']);
    assert.deepEqual(driver.after('all durable'), []);
  });

  test('is declared after a crash as well, under the same number', () => {
    const driver = refusedOne();
    driver.after('all durable', cut(2, 2, [0]), 'all durable', taken(0));
    const number = driver.state.account.records;
    const next = driver.crashed();
    assert.equal(next.state.declaring, number);
    assert.deepEqual(next.state.account.outbox, [
      { record: number, type: 'destination.gap', facts: { from: 0, through: 0, count: 1, code: 'SINK_REFUSED_ENTRY' } },
    ]);
  });

  test('of a control entry is not declared: a gap entry never causes another one', () => {
    const driver = refusedOne({ control: true });
    driver.after('all durable', cut(2, 2, [0]), 'all durable', taken(0), 'all durable');
    assert.equal(driver.state.account.quarantine.length, 1);
    assert.deepEqual(driver.state.account.outbox, []);
  });

  test('before a batch in doubt lets that one go first, which proves it; the gap is accounted for then', () => {
    const driver = Driver.opened({ onReject: 'quarantine', inFlight: 2 });
    driver.after(cut(0), cut(1), 'all durable', lostAnswer(1));
    assert.deepEqual(driver.after(refusal(0, 0)), ['journal rejected 0', 'journal aside 0', 'cut live from 0 to 0 omit 0']);
    assert.deepEqual(driver.after('all durable', cut(0, 0, [0])), ['send live 1-1 again']);
    assert.deepEqual(driver.after(taken(1)), ['journal taken 1-1', 'cut live from 0 to 0 omit 0']);
    assert.equal(driver.state.account.quarantine.length, 1);
    assert.deepEqual(driver.after(cut(0, 0, [0])).slice(0, 1), ['journal omitted 0-0']);
    assert.equal(driver.state.account.live.cursor, 2);
  });

  test('two neighbours are covered by one gap', () => {
    const driver = refusedOne();
    driver.after('all durable', cut(1, 1, [0]), 'all durable', refusal(0, 1), 'all durable');
    assert.deepEqual(driver.state.order?.omit, [0, 1]);
    driver.after(cut(2, 1, [0, 1]), 'all durable', taken(0));
    assert.deepEqual(driver.state.account.quarantine, [{ from: 0, through: 1, code: 'SINK_REFUSED_ENTRY', at: 5 }]);
    assert.deepEqual(
      driver.state.account.outbox.map(({ facts }) => facts),
      [{ from: 0, through: 1, count: 2, code: 'SINK_REFUSED_ENTRY' }],
    );
  });

  test('three in a row halt with nothing set aside', () => {
    const driver = refusedOne();
    driver.after('all durable', cut(1, 1, [0]), 'all durable', refusal(0, 1), 'all durable', cut(2, 1, [0, 1]), 'all durable');
    assert.deepEqual(driver.after(refusal(0, 2)), ['journal rejected 0', 'journal restored']);
    assert.equal(driver.state.halted?.code, 'QUARANTINE_LIMIT');
    assert.deepEqual(driver.state.account.aside, []);
    assert.deepEqual(driver.state.account.quarantine, []);
    assert.equal(driver.state.account.live.cursor, 0);
    assert.deepEqual(driver.after({ type: 'retry' }), ['cut live from 0']);
  });

  test('more than the limit within an hour halts; an hour later it goes on', () => {
    const driver = Driver.opened({ onReject: 'quarantine', quarantineMax: 1 });
    const lose = (at: number, from: number): void => {
      driver.after(cut(from), 'all durable', refusal(from, from, { at }), 'all durable');
    };
    lose(1, 0);
    driver.after(cut(1, 1, [0]), 'all durable', taken(0), 'all durable');
    lose(HOUR_MS, 2);
    assert.equal(driver.state.halted?.code, 'QUARANTINE_LIMIT');
    assert.deepEqual(driver.state.account.aside, []);
    driver.after({ type: 'retry' }, 'all durable', refusal(2, 2, { at: HOUR_MS }));
    assert.equal(driver.state.halted, null, 'the operator said to go on');
    driver.after('all durable', cut(3, 1, [2]), 'all durable', taken(2), 'all durable');
    lose(3 * HOUR_MS, 4);
    assert.equal(driver.state.halted, null);
    assert.equal(driver.state.account.aside.length, 1);
  });
});

describe('what the destination says it needs next', () => {
  /** A destination that keeps its place and has acknowledged [0, 4]; its answer after a restart. */
  function restarted(next: number, size = 20): { readonly driver: Driver; readonly said: string[] } {
    const first = Driver.opened({ dedupe: 'position' });
    first.after({ type: 'next', next: 0 as Index, size: 9 as Size }, cut(4), taken(0));
    const driver = first.crashed();
    return { driver, said: driver.after({ type: 'next', next: next as Index, size: size as Size }) };
  }

  test('is the cursor', () => assert.deepEqual(restarted(5).said, ['cut live from 5']));

  test('between cursor and size it is believed and journalled', () => {
    const { driver, said } = restarted(9);
    assert.deepEqual(said, ['journal adopted 5-8', 'cut live from 9']);
    assert.equal(driver.state.account.live.cursor, 9);
  });

  for (const [next, size, code] of [
    [4, 20, 'DESTINATION_LOST_DATA'],
    [21, 20, 'LEDGER_REWOUND'],
  ] as const) {
    test(`at ${next} of ${size} it halts with ${code}, and again until that is resolved`, () => {
      const { driver, said } = restarted(next, size);
      assert.deepEqual(said, []);
      assert.equal(driver.state.halted?.code, code);
      assert.deepEqual(driver.after({ type: 'retry' }), ['ask']);
      driver.after({ type: 'next', next: next as Index, size: size as Size });
      assert.equal(driver.state.halted?.code, code);
    });
  }

  test('below a cursor that was never acknowledged nothing is lost', () => {
    const driver = new Driver({ dedupe: 'position' }, openState(newAccount(50 as Index, 1), 1));
    driver.after({ type: 'begin' }, driver.open(), 'all durable');
    assert.deepEqual(driver.after({ type: 'next', next: 0 as Index, size: 60 as Size }), ['cut live from 50']);
  });

  test('a loss is filled by a recovery, and then the live stream goes on', () => {
    const { driver } = restarted(2);
    assert.deepEqual(driver.after({ type: 'side', kind: 'recover', from: 2 as Index, through: 4 as Index }), ['journal side 2-4']);
    const number = driver.state.account.records;
    assert.deepEqual(driver.after('all durable'), [`declare ${number}`]);
    assert.deepEqual(driver.after({ type: 'declared', record: number }), ['journal declared', 'ask']);
    assert.deepEqual(driver.after('all durable', { type: 'next', next: 2 as Index, size: 20 as Size }), ['cut side from 2 to 4']);
    assert.deepEqual(driver.after(cut(4)), ['send side 2-4']);
    assert.deepEqual(driver.after(taken(2, 'side')), ['journal taken 2-4', 'journal ended done', 'ask']);
    driver.after('all durable');
    assert.deepEqual(driver.after({ type: 'next', next: 5 as Index, size: 20 as Size }), ['cut live from 5']);
  });
});

test('a loss with nothing to send is told to a destination that keeps its place all the same', () => {
  const first = Driver.opened({ dedupe: 'position' });
  first.after({ type: 'next', next: 0 as Index, size: 9 as Size }, cut(4, 3), taken(0));
  const driver = first.crashed();
  driver.after(
    { type: 'next', next: 4 as Index, size: 9 as Size },
    { type: 'side', kind: 'recover', from: 4 as Index, through: 4 as Index },
  );
  driver.after('all durable', ({ state }) => ({ type: 'declared', record: state.declaring }), 'all durable', {
    type: 'next',
    next: 4 as Index,
    size: 9 as Size,
  });
  assert.deepEqual(driver.after(cut(4, 0)), ['send side 4-4']);
});

describe('sending again', () => {
  /** A destination with [0, 4] taken and [5, 9] cut, whose replay of [1, 3] was begun and declared. */
  function replaying(): Driver {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', cut(9), 'all durable', taken(0));
    driver.after({ type: 'side', kind: 'replay', from: 1 as Index, through: 3 as Index });
    return driver;
  }

  test('waits for its control entry and for what is in flight; the live stream waits then, and its cursor stays', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    assert.deepEqual(driver.after('all durable'), [`declare ${began}`, 'send live 5-9', 'cut live from 10 ahead']);
    assert.deepEqual(driver.after({ type: 'declared', record: began }, 'all durable'), []);
    assert.deepEqual(driver.after(taken(5)), ['journal taken 5-9', 'cut side from 1 to 3']);
    assert.deepEqual(driver.after(cut(3), 'all durable'), ['send side 1-3']);
    assert.equal(driver.state.account.live.cursor, 10);
    assert.deepEqual(driver.after(taken(1, 'side')), ['journal taken 1-3', 'journal ended done', 'cut live from 10']);
    assert.equal(driver.state.account.live.cursor, 10);
    assert.equal(driver.state.account.outbox[0]?.type, 'replay.ended');
    assert.equal(driver.state.account.outbox[0]?.facts['entries'], 3);
  });

  test('lets the live stream cut nothing new while it waits for what is in flight', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable');
    assert.deepEqual(driver.after({ type: 'declared', record: began }), ['journal declared', 'cut nothing']);
    driver.after('all durable', lostAnswer(5));
    assert.deepEqual(driver.after({ type: 'due', number: 1 }), ['send live 5-9 again'], 'what is in doubt goes first');
  });

  test('ends after a crash that came between its last batch and its end', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable', taken(5), { type: 'declared', record: began }, 'all durable', cut(3), 'all durable', taken(1, 'side'));
    assert.equal(driver.records.at(-1)?.type, 'ended');
    const next = driver.crashed(driver.records.length - 1);
    assert.equal(next.state.account.side, null);
    assert.deepEqual(next.after('all durable'), [`declare ${next.state.account.records}`]);
    assert.equal(next.state.order?.from, 10);
  });

  test('goes on after a crash with the batch in doubt', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable', taken(5), { type: 'declared', record: began }, 'all durable', cut(2), 'all durable');
    const next = driver.crashed();
    assert.deepEqual(
      next.state.side.map(({ from, doubt }) => [from, doubt]),
      [[1, true]],
    );
  });

  test('an entry that is refused ends it, and not the live stream', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable', taken(5), { type: 'declared', record: began }, 'all durable', cut(1), 'all durable');
    assert.deepEqual(driver.after(refusal(1, 1, { lane: 'side' })), ['journal ended refused', 'cut live from 10']);
    assert.equal(driver.state.halted, null);
  });

  test('is cancelled after what is in flight', () => {
    const driver = replaying();
    const began = driver.state.account.records;
    driver.after('all durable', taken(5), { type: 'declared', record: began }, 'all durable', cut(2), 'all durable');
    assert.deepEqual(driver.after({ type: 'cancel' }), []);
    assert.deepEqual(driver.after(failed(1, 'SINK_BUSY', { lane: 'side' })), ['journal ended cancelled', 'cut live from 10']);
  });
});

describe('an operator', () => {
  test('pauses and resumes; a pause outlives the process', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable');
    assert.deepEqual(driver.after({ type: 'pause' }), ['journal paused', 'cut nothing']);
    assert.deepEqual(driver.after(taken(0), 'all durable'), []);
    const next = driver.crashed();
    assert.deepEqual(next.after('all durable'), []);
    assert.deepEqual(next.after({ type: 'resume' }), ['journal resumed', 'cut live from 5']);
  });

  test('cuts a back-off short', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', failed(0, 'SINK_BUSY'));
    assert.deepEqual(driver.after({ type: 'retry' }), ['send live 0-4', 'cut live from 5 ahead']);
    assert.equal(driver.state.failures, 0);
  });

  test('drains: what is in flight comes back, and nothing more begins', () => {
    const driver = Driver.opened();
    driver.after(cut(4), 'all durable', cut(9), 'all durable');
    assert.deepEqual(driver.after({ type: 'drain' }), []);
    assert.deepEqual(driver.after(taken(0)), ['journal taken 0-4']);
    assert.deepEqual(driver.after('all durable'), []);
  });
});

describe('promises to itself', () => {
  test('an answer for a batch that is not in flight is a broken invariant', () => {
    const driver = Driver.opened();
    assert.throws(() => driver.after(taken(0)), BrokenInvariant);
  });

  test('so is a cut beyond what was ordered', () => {
    const driver = Driver.opened();
    driver.after(cut(7), 'all durable', refusal(0, 3));
    const { order } = driver.state;
    assert.ok(order !== null);
    assert.throws(() => driver.after({ ...cut(3)(driver), through: -1 as Index } as DeliveryEvent), BrokenInvariant);
  });

  test('the account is plain data that survives its own text', () => {
    const driver = Driver.opened({ onReject: 'quarantine' });
    driver.after(cut(0), 'all durable', refusal(0, 0), 'all durable', cut(2, 2, [0]), 'all durable', taken(0));
    assert.deepEqual(fold(accountText(driver.state.account), []), driver.state.account);
  });
});
