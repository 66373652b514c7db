import { FORMS } from '../../src/intake/check-forms.ts';
import type { Form, ObjectRule, Rule } from '../../src/intake/check-rules.ts';
import type { Dice } from './dice.ts';
import { jsonText, redressed, stringText } from './json.ts';

const TIMES = [
  '2026-11-24T11:08:09Z',
  '2024-02-29t23:59:60.123456789z',
  '2017-01-01T00:59:60+01:00',
  '0000-01-01T00:00:00-00:00',
  '2026-06-30T23:59:59.9+23:59',
];
const BAD_TIMES = [
  '2026-11-24',
  '2026-11-24 11:08:09Z',
  '2026-02-29T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-00-01T00:00:00Z',
  '2026-01-00T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:60:00Z',
  '2026-01-01T00:00:61Z',
  '2026-01-01T23:59:61Z',
  '2026-01-01T00:00:60Z',
  '2026-01-01T00:00:00',
  '2026-01-01T00:00:00.Z',
  '2026-01-01T00:00:00.1234567890Z',
  '2026-01-01T00:00:00+24:00',
  '2026-01-01T00:00:00+0100',
  '2026-01-01T00:00:00+01:60',
  '2026-04-31T00:00:00Z',
  '+026-01-01T00:00:00Z',
  '2026-1-01T00:00:00Z',
  '2026-01-01T00:00:00ZZ',
];
const FORMED: Readonly<Record<Form, readonly string[]>> = {
  'date-time': TIMES,
  action: ['a', 'user.login', 'A-b_c.9.x'],
  traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
};
const UNFORMED: Readonly<Record<Form, readonly string[]>> = {
  'date-time': BAD_TIMES,
  action: ['.', 'a.', '.a', 'a..b', 'a b', 'é', 'a/b'],
  traceparent: [
    '00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0',
    '000af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01--',
  ],
};

/** The text of an event that follows a rule nearly everywhere. */
export function eventText(dice: Dice, rule: ObjectRule): string {
  return textFor(dice, rule, 0);
}

function textFor(dice: Dice, rule: Rule, depth: number): string {
  if (dice.once(120)) return jsonText(dice, 2);
  switch (rule.kind) {
    case 'any':
    case 'reserved':
      return jsonText(dice, depth > 3 ? 0 : 2);
    case 'scalar':
      return dice.pick(['null', 'true', '12.5', '"x"', stringText(dice)]);
    case 'flag':
      return dice.pick(['true', 'false', 'true', 'false', 'true', 'false', 'null', '1']);
    case 'count':
      return dice.once(30)
        ? dice.pick(['-1', '1.5', '1e2', '-0', '9007199254740992', '9007199254740991', '00'])
        : String(dice.roll(1_000_000));
    case 'choice':
      return redressed(dice, dice.once(60) ? dice.pick(['', 'usr', 'SUCCESS', `${rule.values[0]} `]) : dice.pick(rule.values));
    case 'identity':
      return redressed(dice, lengthy(dice, 1, 512));
    case 'text':
      if (rule.form !== undefined) return redressed(dice, dice.pick(dice.once(20) ? UNFORMED[rule.form] : FORMED[rule.form]));
      return redressed(dice, lengthy(dice, rule.min, rule.max));
    case 'list': {
      const length = dice.once(100) ? rule.max + dice.roll(2) : dice.roll(3);
      return `[${Array.from({ length }, () => textFor(dice, rule.item, depth + 1)).join(',')}]`;
    }
    default:
      return recordText(dice, rule, depth);
  }
}

function recordText(dice: Dice, rule: ObjectRule, depth: number): string {
  const optional = depth === 0 ? 3 : 2;
  const members = Object.entries(rule.fields)
    .filter(([name, { kind }]) =>
      rule.required.includes(name) ? !dice.once(60) : kind === 'reserved' ? dice.once(100) : dice.once(optional),
    )
    .map(
      ([name, field]) =>
        `${redressed(dice, name)}${dice.pick(['', '', '', ' '])}:${dice.pick(['', '', ' ', '\r'])}${textFor(dice, field, depth + 1)}`,
    );
  const extra = rule.namesMax !== undefined && dice.once(6) ? rule.namesMax - 1 + dice.roll(3) : dice.roll(3);
  for (let k = 0; k < extra; k += 1)
    members.push(`${dice.once(30) ? stringText(dice) : `"x${k}"`}:${textFor(dice, rule.others, depth + 1)}`);
  if (rule.bytesMax !== undefined && dice.once(8)) members.push(`"pad":"${'.'.repeat(rule.bytesMax - 30 + dice.roll(30))}"`);
  if (dice.once(40) && members.length > 0) members.push(dice.pick(members));
  if (dice.once(4)) members.sort(() => dice.roll(3) - 1);
  return `{${members.join(dice.pick([',', ',', ', ']))}}`;
}

function lengthy(dice: Dice, min: number, max: number): string {
  if (!dice.once(40)) return `v${dice.roll(1_000_000)}`;
  const character = dice.pick(['a', 'é', '語', '😀', '"', '\ud800', '\n']);
  return character.repeat(dice.pick([min, max, max + 1, min - 1 < 0 ? 0 : min - 1, Math.ceil(max / 2), Math.ceil(max / 4)]));
}

/** Every form that the generator knows, so that a new one cannot be forgotten. */
export const formsCovered: readonly string[] = Object.keys(FORMS).filter((form) => form in FORMED && form in UNFORMED);
