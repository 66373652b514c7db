import { strict as assert } from 'node:assert';
import { isUtf8 } from 'node:buffer';
import { explain } from '../../src/intake/check-explain.ts';
import { anything, DEPTH_MAX } from '../../src/intake/check-rules.ts';
import { scan } from '../../src/intake/scan.ts';
import { planOf } from '../../src/intake/scan-plan.ts';
import { valueEnd, withStopper } from '../../src/intake/split.ts';
import { waybillEventRule } from '../../src/intake/waybill-event.ts';
import { Dice } from './dice.ts';
import { deepText, jsonText, mutated } from './json.ts';
import { eventText } from './json-event.ts';
import { isJson, plainValue, STRINGS } from './json-value.ts';

const anyPlan = planOf(anything);
const waybillPlan = planOf(waybillEventRule);

/** How a run of the fuzzer went: both counts must be large for it to mean anything. */
export interface FuzzCount {
  readonly inputs: number;
  readonly accepted: number;
}

/**
 * The scanner against `JSON.parse`: it must take what that takes, but for repeated names and what is too deep. Throws at the first input
 * that differs.
 */
export function fuzzScanner(seed: number, inputs: number): FuzzCount {
  const dice = new Dice(seed);
  let accepted = 0;
  for (let k = 0; k < inputs; k += 1) {
    const text = dice.once(30) ? deepText(dice) : jsonText(dice, 1 + dice.roll(4));
    const bytes = dice.once(2) ? mutated(dice, Buffer.from(text)) : Buffer.from(text);
    const wellFormed = isUtf8(bytes) && isJson(bytes.toString());
    const expected = wellFormed && fits(bytes.toString());
    assert.equal(wholeEnd(bytes), wellFormed, `seed ${seed}, input ${k}, any depth: ${JSON.stringify(bytes.toString('latin1'))}`);
    assert.equal(scanned(bytes, anyPlan), expected, `seed ${seed}, input ${k}: ${JSON.stringify(bytes.toString('latin1'))}`);
    if (expected) accepted += 1;
  }
  return { inputs, accepted };
}

/** The one-pass check of `waybill/1` against the readable one. Throws at the first event about which they differ. */
export function fuzzEvents(seed: number, inputs: number): FuzzCount {
  const dice = new Dice(seed);
  let accepted = 0;
  for (let k = 0; k < inputs; k += 1) {
    const made = Buffer.from(eventText(dice, waybillEventRule));
    const bytes = dice.once(8) ? mutated(dice, made) : made;
    if (!isUtf8(bytes)) continue;
    const expected = explain(bytes, waybillEventRule).length === 0;
    assert.equal(scanned(bytes, waybillPlan), expected, `seed ${seed}, event ${k}: ${bytes.toString()}`);
    if (expected) accepted += 1;
  }
  return { inputs, accepted };
}

/** What the scanner says about these bytes as a whole. */
function scanned(bytes: Buffer, plan: ReturnType<typeof planOf>): boolean {
  return wholly(bytes, (guarded, start, end) => scan(guarded, start, end, plan));
}

/** What the search for the end of a value says about these bytes as a whole. */
function wholeEnd(bytes: Buffer): boolean {
  return wholly(bytes, valueEnd);
}

/** Whether a value, and white space around it, is all there is. The quote in front and the stopper behind show a look outside the bytes. */
function wholly(bytes: Buffer, endOf: (bytes: Buffer, start: number, end: number) => number): boolean {
  if (!isUtf8(bytes)) return false;
  const guarded = withStopper(Buffer.concat([Buffer.from('"'), bytes]));
  const end = guarded.length - 1;
  let start = 1;
  while (start < end && isSpace(guarded[start])) start += 1;
  let after = endOf(guarded, start, end);
  while (after >= 0 && after < end && isSpace(guarded[after])) after += 1;
  return after === end;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** What the scanner asks beyond JSON, decided by counting: in well-formed text each name has one colon outside strings. */
function fits(text: string): boolean {
  const marks = text.replaceAll(STRINGS, '');
  let depth = 0;
  for (const mark of marks) {
    if (mark === '{' || mark === '[') depth += 1;
    if (mark === '}' || mark === ']') depth -= 1;
    if (depth > DEPTH_MAX) return false;
  }
  return marks.split(':').length - 1 === namesIn(plainValue(text));
}

function namesIn(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0;
  const inner = Object.values(value).reduce((sum: number, member) => sum + namesIn(member), 0);
  return Array.isArray(value) ? inner : inner + Object.keys(value).length;
}
