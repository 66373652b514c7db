import { strict as assert } from 'node:assert';
import { isUtf8 } from 'node:buffer';
import type { CheckRules } from '../../src/intake/check.ts';
import { checkBody } from '../../src/intake/check.ts';
import { explain } from '../../src/intake/check-explain.ts';
import type { ObjectRule } from '../../src/intake/check-rules.ts';
import { jsonEventRule } from '../../src/intake/check-rules.ts';
import type { Checked } from '../../src/intake/checked.ts';
import { waybillEventRule } from '../../src/intake/waybill-event.ts';
import { Dice } from './dice.ts';
import { jsonText, mutated } from './json.ts';
import type { FuzzCount } from './json-check.ts';
import { eventText } from './json-event.ts';
import { inHex, isJson, plainValue } from './json-value.ts';

const cases: readonly (readonly [rules: CheckRules, rule: ObjectRule])[] = [
  [{ schema: 'json', idField: null }, jsonEventRule(null)],
  [{ schema: 'json', idField: 'id' }, jsonEventRule('id')],
  [{ schema: 'waybill/1', idField: null }, waybillEventRule],
];

/**
 * Whole submissions against the obvious way to read them: split at line feeds, or `JSON.parse` of the array, then the readable check of
 * each event. It also follows every byte of an event and every identity. Throws at the first body about which they differ.
 */
export function fuzzBodies(seed: number, inputs: number): FuzzCount {
  const dice = new Dice(seed);
  let accepted = 0;
  for (let k = 0; k < inputs; k += 1) {
    const shape = dice.pick(['lines', 'array'] as const);
    const [rules, rule] = dice.pick(cases);
    const texts = Array.from({ length: dice.roll(5) }, () => (dice.once(3) ? jsonText(dice, 2) : eventText(dice, waybillEventRule)));
    const made = Buffer.from(
      shape === 'array' ? `[${texts.join(dice.pick([',', ' ,\n']))}]` : texts.join(dice.pick(['\n', '\r\n', '\n\n'])),
    );
    const body = dice.once(3) ? mutated(dice, made) : made;
    const checked = checkBody(Buffer.from(body), shape, rules);
    const place = `seed ${seed}, body ${k}, ${shape}, ${rules.schema}: ${JSON.stringify(body.toString('latin1'))}`;
    const expected = shape === 'lines' ? linesOf(body) : itemsOf(body);
    assert.equal(checked.unreadable !== undefined, expected === null, place);
    if (expected === null) continue;
    assert.equal(checked.count, expected.length, place);
    for (const [at, event] of expected.entries()) compare(checked, at, event, rules, rule, place);
    accepted += 1;
  }
  return { inputs, accepted };
}

/** One event as the obvious way reads it: its bytes where they are known, else its value. */
type Expected = { readonly bytes: Buffer } | { readonly value: unknown };

function linesOf(body: Buffer): Expected[] {
  const lines: Expected[] = [];
  for (const line of body.toString('latin1').split('\n')) {
    const trimmed = line.replaceAll(/^[ \t\r]+|[ \t\r]+$/g, '');
    if (trimmed !== '') lines.push({ bytes: Buffer.from(trimmed, 'latin1') });
  }
  return lines;
}

function itemsOf(body: Buffer): Expected[] | null {
  if (!isUtf8(body)) return null;
  const text = body.toString();
  const value = isJson(text) ? plainValue(text) : null;
  return Array.isArray(value) ? value.map((item: unknown) => ({ value: item })) : null;
}

function compare(checked: Checked, at: number, expected: Expected, rules: CheckRules, rule: ObjectRule, place: string): void {
  const event = Buffer.from(checked.bytes.subarray(checked.starts[at], checked.ends[at]));
  const fault = checked.faults.get(at);
  const codes = new Set(fault?.map(({ code }) => code));
  assert.ok(!codes.has('EVENT_REFUSED'), place);
  if ('bytes' in expected) {
    // Only what is kept is brought onto one line, and only by turning breaks into spaces.
    const same = event.equals(expected.bytes) || event.toString('latin1') === expected.bytes.toString('latin1').replaceAll('\r', ' ');
    assert.ok(same, `event ${at} of ${place}`);
  } else assert.deepEqual(plainValue(event.toString()), expected.value, `event ${at} of ${place}`);
  const fits = isUtf8(event) && explain(event, rule).length === 0;
  assert.equal(fault === undefined, fits, `event ${at} of ${place}`);
  if (!fits) return;
  assert.ok(!event.includes(0x0a) && !event.includes(0x0d), `event ${at} of ${place}`);
  const value = (plainValue(event.toString()) as Record<string, unknown>)[inHex('id')];
  const named = (rules.idField !== null || rules.schema === 'waybill/1') && value !== undefined;
  const id = Buffer.from(checked.bytes.subarray(checked.idStarts[at], checked.idEnds[at])).toString();
  if (!named) assert.equal(id, '', place);
  else if (typeof value === 'string') {
    assert.equal(inHex(JSON.parse(`"${id}"`) as string), value, place);
    assert.equal(JSON.stringify(JSON.parse(`"${id}"`)), `"${id}"`, place);
  } else assert.ok(Object.is(JSON.parse(id), value), place);
}
