import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Arrival, DeliveryModel, type Fate } from '../../test/doubles/delivery-model.ts';
import type { Index } from '../contracts/units.ts';
import type { Rules } from './state.ts';

type Dedupe = Rules['dedupe'];

/** Draws from a list of numbers that fast-check makes and shrinks; when it is used up, everything goes well. */
class Tape {
  #at = 0;
  readonly #numbers: readonly number[];

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  get over(): boolean {
    return this.#at >= this.#numbers.length;
  }

  below(limit: number): number {
    return (this.#numbers[this.#at++] ?? 0) % limit;
  }
}

const FATES: readonly Fate[] = ['take', 'take', 'take', 'lose', 'miss', 'busy', 'deny'];

/** One thing happens, as the tape says. */
function happen(model: DeliveryModel, tape: Tape): void {
  const choices: (() => void)[] = [
    () => {
      const grown = model.size + 1 + tape.below(6);
      // An entry is bad from the beginning, or never: a destination that takes an entry takes it again.
      for (let index = model.size; index < grown; index++) if (tape.below(12) === 0) model.poison.add(index);
      model.size = grown;
    },
    () => model.durableTo(model.durable + 1 + tape.below(4)),
    () => model.durableTo(model.records),
    () => void model.cut(1 + tape.below(5)),
    () => void model.cut(1 + tape.below(5)),
    () => operator(model, tape),
  ];
  if (model.opening) choices.push(() => (tape.below(3) === 0 ? model.lost('open') : model.opened()));
  if (model.asking) choices.push(() => (tape.below(4) === 0 ? model.lost('next') : model.ask()));
  if (model.backOff !== null) choices.push(() => model.due());
  if (model.declaring !== null) choices.push(() => model.declare());
  if (model.sends.length > 0) {
    const answer = (): void => model.answer(tape.below(model.sends.length), FATES[tape.below(FATES.length)] as Fate);
    choices.push(answer, answer, answer);
  }
  if (model.late.length > 0) choices.push(() => model.landLate(tape.below(model.late.length)));
  (choices[tape.below(choices.length)] as () => void)();
}

function operator(model: DeliveryModel, tape: Tape): void {
  const { cursor } = model.state.account.live;
  const from = (model.start + tape.below(Math.max(1, cursor - model.start))) as Index;
  const through = Math.min(cursor - 1, from + tape.below(8)) as Index;
  switch (tape.below(16)) {
    case 0:
      return void model.verb({ type: 'pause' });
    case 1:
    case 2:
      return void model.verb({ type: 'resume', beginning: model.beginning as Index });
    case 3:
    case 4:
      return void model.verb({ type: 'retry' });
    case 5:
      return model.rules.dedupe === 'position' ? undefined : void model.verb({ type: 'side', kind: 'replay', from, through, gone: null });
    case 6:
      return void model.verb({ type: 'side', kind: 'redeliver', from: model.start as Index, through: (cursor - 1) as Index, gone: null });
    case 7:
      return void model.verb({ type: 'waive', from, through });
    case 8:
      return void model.verb({ type: 'cancel' });
    case 9:
      return model.compact();
    case 10: {
      const { rules } = model;
      // A reload changes how it is delivered; whether names carry the range is in the nature of the destination.
      const inFlight = model.unordered || rules.dedupe === 'position' ? 1 + tape.below(4) : 1;
      model.rules = { ...rules, inFlight, onReject: tape.below(2) === 0 ? 'halt' : 'quarantine' };
      return model.crash(tape.below(3));
    }
    case 11:
      // What was written and not answered may be lost without a trace; whatever was acknowledged must be asked for.
      if (model.beginning > model.start && model.rules.dedupe !== 'position') return;
      if (model.rules.dedupe !== 'none' && !(model.unordered && !model.rules.carriesEmpty) && tape.below(2) === 0) model.lose(from);
      return;
    case 12:
      return recover(model, false);
    case 14:
      // What a destination lost by itself it cannot get under its old identity once the ledger has let go of it.
      if (model.lossy && model.rules.dedupe !== 'position') return;
      return void model.verb({ type: 'detach', through: Math.min(model.size - 1, cursor + tape.below(8)) as Index });
    case 15:
      if (model.lossy && model.rules.dedupe !== 'position') return;
      return model.prune(model.beginning + tape.below(12));
    case 13: {
      for (const index of model.poison) if (tape.below(3) === 0) model.poison.delete(index);
      return;
    }
  }
}

/** Fills what was lost: from the beginning of the batch that it begins in, to the cursor. */
function recover(model: DeliveryModel, atRest: boolean): void {
  const { lostFrom, cuts, next, rules } = model;
  if (lostFrom === null) return;
  const through = (model.state.account.live.cursor - 1) as Index;
  const covering = [...cuts.values()].find((batch) => batch.from <= lostFrom && batch.through >= lostFrom);
  const from = (rules.dedupe === 'position' ? next : (covering?.from ?? lostFrom)) as Index;
  if (from > through) model.lostFrom = atRest ? null : lostFrom;
  else if (model.state.account.side !== null) model.verb({ type: 'cancel' });
  else {
    const gone = rules.dedupe !== 'position' ? (covering?.gone ?? null) : from < model.beginning ? ((model.beginning - 1) as Index) : null;
    model.verb({ type: 'side', kind: 'recover', from, through, gone });
  }
}

/** Everything goes well from here on, until nothing is left to do. */
function calm(model: DeliveryModel): void {
  while (model.late.length > 0) model.landLate(0);
  model.poison.clear();
  model.verb({ type: 'resume', beginning: model.beginning as Index });
  model.verb({ type: 'retry' });
  for (let turn = 0; turn < 10_000; turn++) {
    if (model.opening) model.opened();
    else if (model.durable < model.records) model.durableTo(model.records);
    else if (model.asking) model.ask();
    else if (model.declaring !== null) model.declare();
    else if (model.backOff !== null) model.due();
    else if (model.sends.length > 0) model.answer(0, 'take');
    else if (model.cut(4)) continue;
    else if (model.state.account.detached?.held === true) model.verb({ type: 'resume', beginning: model.beginning as Index });
    else if (model.state.halted?.code === 'DESTINATION_LOST_DATA') recover(model, true);
    else if (model.state.halted !== null) model.verb({ type: 'retry' });
    else if (model.lostFrom !== null) recover(model, true);
    else return;
  }
  assert.fail('it never came to rest');
}

/** Everything of the live stream arrived, accounted for once, in order. */
function checkArrivals(model: DeliveryModel): void {
  const live = model.arrivals.filter(({ marked }) => !marked);
  if (model.rules.dedupe === 'none') checkRepeats(model, live);
  const once = model.rules.dedupe === 'none' ? live.filter((arrival, at) => !live.slice(0, at).some(({ id }) => id === arrival.id)) : live;
  // Names that carry their range are read in the order of the range, whenever they arrived.
  const line = model.unordered || model.lossy ? once.toSorted((a, b) => a.from - b.from) : once;
  let next = model.start;
  for (const { from, through, records, omit, gone } of line) {
    while (next < from && mayBeUnsaid(model, next)) next += 1;
    // What may have arrived when the ledger let go of a part of it is accounted for once more.
    const late = line.filter((earlier) => earlier.from < next && earlier.through >= from && model.doubted.has(earlier.id));
    const again = from < next && late.some((earlier) => spanOf(earlier).some((index) => isDetached(model, index)));
    if (!again) assert.equal(from, next, `a batch begins at ${from} where ${next} is next`);
    for (let index = from; index <= through; index++) {
      if (index < from + gone) {
        assert.ok(isDetached(model, index) || model.lossy, `${index} is said to be gone, and nobody declared it`);
        assert.ok(!records.includes(index));
        continue;
      }
      const sent = records.includes(index);
      assert.ok(!(sent && omit.includes(index)));
      assert.ok(sent || omit.includes(index) || model.unwanted(index), `${index} is left out without a word`);
      assert.ok(!omit.includes(index) || model.refused.has(index), `${index} is set aside and nobody refused it`);
    }
    next = Math.max(next, through + 1);
  }
  const { account } = model.state;
  const tail = Array.from({ length: model.size - next }, (_, k) => next + k);
  assert.ok(
    tail.every(
      (index) =>
        model.unwanted(index) ||
        isDetached(model, index) ||
        account.quarantine.some(({ from, through }) => index >= from && index <= through) ||
        account.aside.some((aside) => aside.index === index),
    ),
    `[${next}, ${model.size}) never arrived`,
  );
}

/** Where later batches are there already and an empty one cannot be carried, only the gap entry tells of what is set aside. */
function mayBeUnsaid(model: DeliveryModel, index: number): boolean {
  const { rules, unwanted, refused, state, unordered } = model;
  if (!rules.carriesEmpty && rules.dedupe !== 'position' && isDetached(model, index)) return true;
  if (!unordered) return false;
  return state.account.aside.some((aside) => aside.index === index) || (!rules.carriesEmpty && (unwanted(index) || refused.has(index)));
}

function spanOf({ from, through }: Arrival): number[] {
  return Array.from({ length: through - from + 1 }, (_, k) => from + k);
}

function isDetached({ declared }: DeliveryModel, index: number): boolean {
  return declared.some(({ type, facts }) => {
    const gap = type === 'destination.detached' && Number(facts['from']) <= index;
    return gap && Number(facts['through']) >= index;
  });
}

/** What a destination keeps twice had an unknown outcome, and came again before anything after it did. */
function checkRepeats(model: DeliveryModel, live: readonly Arrival[]): void {
  for (const [at, arrival] of live.entries()) {
    const first = live.findIndex(({ id }) => id === arrival.id);
    if (first === at) continue;
    assert.ok(model.doubted.has(arrival.id), `${arrival.id} came again without a reason`);
    assert.equal(live[at - 1]?.id, arrival.id, `${arrival.id} came again after something later`);
  }
}

/** Every gap that the journal calls for was declared once, and covers exactly what was set aside. */
function checkDeclared(model: DeliveryModel): void {
  assert.equal(model.state.account.outbox.length, 0);
  const records = model.declared.map(({ record }) => record);
  assert.equal(new Set(records).size, records.length);
  const gaps = model.declared.filter(({ type }) => type === 'destination.gap' || type === 'destination.detached');
  for (const { quarantine } of [model.state.account]) {
    for (const { from, through } of quarantine) {
      for (let index = from as number; index <= through; index++) {
        assert.ok(
          gaps.some(({ facts }) => Number(facts['from']) <= index && Number(facts['through']) >= index),
          `${index} is not declared`,
        );
      }
    }
  }
  for (const index of model.arrivals.filter(({ marked }) => !marked).flatMap(({ omit }) => omit)) {
    assert.ok(
      gaps.some(({ facts }) => Number(facts['from']) <= index && Number(facts['through']) >= index),
      `${index} was left out in silence`,
    );
  }
  const begun = model.declared.filter(({ type }) => type.endsWith('.started')).length;
  assert.equal(model.declared.filter(({ type }) => type.endsWith('.ended')).length, begun - (model.state.account.side === null ? 0 : 1));
}

export function run(rules: Rules, start: number, numbers: readonly number[]): DeliveryModel {
  const tape = new Tape(numbers);
  const every = 2 + tape.below(6);
  const model = new DeliveryModel(rules, start, (index) => index % every === 1 && every < 6);
  while (!tape.over) {
    happen(model, tape);
    model.checkFold();
  }
  calm(model);
  model.checkFold();
  assert.equal(model.state.halted, null);
  checkArrivals(model);
  checkDeclared(model);
  return model;
}

describe('whatever happens', () => {
  const cases: readonly [Dedupe, number, boolean][] = [
    ['position', 1, false],
    ['position', 3, true],
    ['key', 1, false],
    ['key', 1, true],
    ['key', 3, true],
    ['key', 3, false],
    ['none', 1, true],
    ['none', 1, false],
  ];
  for (const [dedupe, inFlight, carriesEmpty] of cases) {
    for (const onReject of ['halt', 'quarantine'] as const) {
      test(`${dedupe}, ${inFlight} in flight, ${carriesEmpty ? 'with' : 'without'} empty batches, ${onReject}`, () => {
        const rules: Rules = { dedupe, inFlight, carriesEmpty, onReject, quarantineMax: 100 };
        fc.assert(
          fc.property(
            fc.integer({ min: 0, max: 5 }),
            fc.array(fc.nat({ max: 10_000 }), { minLength: 40, maxLength: 600, size: 'max' }),
            (start, numbers) => {
              run(rules, start, numbers);
            },
          ),
          { numRuns: Number(process.env['DELIVERY_RUNS'] ?? 60), interruptAfterTimeLimit: 20_000 },
        );
      });
    }
  }
});
