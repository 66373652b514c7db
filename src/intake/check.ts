import { isUtf8 } from 'node:buffer';
import type { Fault } from '../contracts/entry.ts';
import { isKeepable } from '../contracts/faults.ts';
import { EVENT_BYTES_MAX } from '../contracts/units.ts';
import { Columns } from './check-columns.ts';
import { explain, fault } from './check-explain.ts';
import type { ObjectRule } from './check-rules.ts';
import { jsonEventRule } from './check-rules.ts';
import type { Checked } from './checked.ts';
import { scan } from './scan.ts';
import type { Plan } from './scan-plan.ts';
import { planOf } from './scan-plan.ts';
import { CLOSE_ARRAY, COMMA, OPEN_ARRAY, skipSpace } from './scan-tokens.ts';
import type { BodyShape } from './split.ts';
import { hasBreaks, joinLines, lineEnd, notUtf8At, trimEnd, valueEnd, withStopper } from './split.ts';
import { waybillEventRule } from './waybill-event.ts';

/** What a source asks of its events. `idField` is the top-level field that names an event; `waybill/1` has `id` for it. */
export interface CheckRules {
  readonly schema: 'json' | 'waybill/1';
  readonly idField: string | null;
}

/** The rules of a source made ready: what events must be, and what is still asked of those that are kept although they are not. */
interface Ready {
  readonly rule: ObjectRule;
  readonly plan: Plan;
  readonly keptPlan: Plan;
}

/**
 * Checks a submission in one pass: finds its events, their identities and their faults. Nothing is thrown for what a sender can do.
 *
 * The body belongs to this call from now on: line breaks inside an event become spaces in place, and the result refers to it (or to a copy;
 * a body that ends in a line feed is not copied). `countMax` stops at the first event above it, so that a hostile body costs no more than
 * its reading: a `count` greater than `countMax` means that the submission is too long, and what lies behind was not looked at.
 *
 * `object`: the body is one event. `array`: an array of events. In both a body that is not JSON, or not UTF-8, is `unreadable`.
 * `lines`: one event to a line; blank lines count for nothing, and a line that is not JSON is a fault of that event.
 */
export function checkBody(body: Uint8Array, shape: BodyShape, rules: CheckRules, countMax: number = Infinity): Checked {
  const bytes = withStopper(body);
  const submission = new Submission(bytes, readyFor(rules), countMax);
  const utf8 = isUtf8(bytes);
  if (shape === 'lines') submission.lines(utf8);
  else if (!utf8) submission.stop(notUtf8At(bytes), 'the body is not UTF-8');
  else if (shape === 'array') submission.array();
  else submission.object();
  return submission.checked();
}

const readyByField = new Map<string | null, Ready>();
let readyForWaybill: Ready | null = null;

/** There are as many as sources differ, so they are made once and kept. */
function readyFor(rules: CheckRules): Ready {
  if (rules.schema === 'waybill/1') return (readyForWaybill ??= ready(waybillEventRule, jsonEventRule('id', false)));
  let found = readyByField.get(rules.idField);
  if (found === undefined) {
    found = ready(jsonEventRule(rules.idField), jsonEventRule(null));
    readyByField.set(rules.idField, found);
  }
  return found;
}

function ready(rule: ObjectRule, kept: ObjectRule): Ready {
  return { rule, plan: planOf(rule), keptPlan: planOf(kept) };
}

class Submission {
  readonly #bytes: Buffer;
  /** Where the stopper stands. */
  readonly #end: number;
  readonly #ready: Ready;
  readonly #countMax: number;
  readonly #columns: Columns;
  readonly #faults = new Map<number, readonly Fault[]>();
  #joins = false;
  #unreadable: { readonly at: number; readonly message: string } | null = null;

  constructor(bytes: Buffer, made: Ready, countMax: number) {
    this.#bytes = bytes;
    this.#end = bytes.length - 1;
    this.#ready = made;
    this.#countMax = countMax;
    this.#columns = new Columns(bytes);
  }

  checked(): Checked {
    const columns = this.#columns.finish();
    const faults = { ...columns, faults: this.#faults };
    return this.#unreadable === null ? faults : { ...faults, unreadable: this.#unreadable };
  }

  stop(at: number, message: string): void {
    this.#unreadable = { at, message };
  }

  lines(utf8: boolean): void {
    const bytes = this.#bytes;
    const plan = this.#ready.plan;
    this.#joins = bytes.includes(0x0d);
    let start = skipSpace(bytes, 0, this.#end);
    while (start < this.#end && this.#columns.count <= this.#countMax) {
      const stop = lineEnd(bytes, start);
      const fits = stop - start <= EVENT_BYTES_MAX || trimEnd(bytes, start, stop) - start <= EVENT_BYTES_MAX;
      const readable = fits && (utf8 || isUtf8(bytes.subarray(start, stop)));
      const after = readable ? scan(bytes, start, stop, plan) : -1;
      if (after >= 0 && (after === stop || skipSpace(bytes, after, stop) === stop)) this.#take(start, after);
      else this.#refuseLine(start, trimEnd(bytes, start, stop), utf8);
      start = skipSpace(bytes, stop, this.#end);
    }
  }

  array(): void {
    const bytes = this.#bytes;
    const end = this.#end;
    this.#joins = hasBreaks(bytes, end);
    let next = skipSpace(bytes, 0, end);
    if (bytes[next] !== OPEN_ARRAY) return this.stop(next, 'the body is not a JSON array');
    next = skipSpace(bytes, next + 1, end);
    if (bytes[next] === CLOSE_ARRAY) return this.#trailing(next + 1);
    for (;;) {
      next = this.#one(next);
      if (this.#unreadable !== null || this.#columns.count > this.#countMax) return;
      next = skipSpace(bytes, next, end);
      if (bytes[next] === CLOSE_ARRAY) return this.#trailing(next + 1);
      if (bytes[next] !== COMMA) return this.stop(next, next >= end ? 'the body ends too early' : 'the body is not JSON');
      next = skipSpace(bytes, next + 1, end);
    }
  }

  object(): void {
    this.#joins = hasBreaks(this.#bytes, this.#end);
    const start = skipSpace(this.#bytes, 0, this.#end);
    if (start === this.#end) return this.stop(start, 'the body is empty');
    const after = this.#one(start);
    if (this.#unreadable === null) this.#trailing(after);
  }

  /** Takes or refuses the event at `start` of a JSON body and returns where it ends. */
  #one(start: number): number {
    const bytes = this.#bytes;
    // An event that is too large is not scanned to its end: the scanner gives up on what is still open there.
    const after = scan(bytes, start, Math.min(this.#end, start + EVENT_BYTES_MAX), this.#ready.plan);
    if (after >= 0 && after - start <= EVENT_BYTES_MAX) {
      this.#take(start, after);
      return after;
    }
    const end = valueEnd(bytes, start, this.#end);
    if (end < 0) this.stop(~end, ~end >= this.#end ? 'the body ends too early' : 'the body is not JSON');
    else this.#refuse(start, end, explain(bytes.subarray(start, end), this.#ready.rule));
    return end;
  }

  #trailing(at: number): void {
    const rest = skipSpace(this.#bytes, at, this.#end);
    if (rest < this.#end) this.stop(rest, 'the body goes on after its end');
  }

  #refuseLine(start: number, end: number, utf8: boolean): void {
    const event = this.#bytes.subarray(start, end);
    if (!utf8 && !isUtf8(event)) {
      this.#refuse(start, end, [fault('', 'EVENT_NOT_UTF8', `is not UTF-8 at byte ${notUtf8At(event)}`)]);
    } else this.#refuse(start, end, explain(event, this.#ready.rule));
  }

  #take(start: number, end: number): void {
    if (this.#joins) joinLines(this.#bytes, start, end);
    this.#columns.push(start, end, true);
  }

  #refuse(start: number, end: number, found: readonly Fault[]): void {
    // The scanner refused it, so it stays refused, whatever the second look says.
    const faults = found.length > 0 ? found : [fault('', 'EVENT_REFUSED', 'is refused by a check that gave no reason')];
    this.#faults.set(this.#columns.count, faults);
    const keepable = faults.every(({ code }) => isKeepable(code)) && scan(this.#bytes, start, this.#end, this.#ready.keptPlan) === end;
    if (keepable && this.#joins) joinLines(this.#bytes, start, end);
    this.#columns.push(start, end, keepable);
  }
}
