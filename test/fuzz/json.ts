import type { Dice } from './dice.ts';

const SPACES = ['', '', '', '', ' ', '\t', '\r\n', '\n', '  '];
const PLAIN = [
  'a',
  'b',
  'Z',
  '0',
  '/',
  '~',
  '.',
  '$',
  ' ',
  '\u007f',
  'é',
  'ß',
  '語',
  '\u2028',
  '😀',
  '\u0080',
  '\uffff',
  'id',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
];
const ESCAPED = [
  '\\"',
  '\\\\',
  '\\/',
  '\\b',
  '\\f',
  '\\n',
  '\\r',
  '\\t',
  '\\u0000',
  '\\u0061',
  '\\u00E9',
  '\\ud83d\\ude00',
  '\\uD800',
  '\\udfff',
  '\\u0022',
  '\\u005c',
];
const NAMES = [
  'a',
  'b',
  'c',
  'id',
  'type',
  '',
  '__proto__',
  'constructor',
  '0',
  '17',
  '$blob',
  'actor',
  'é',
  '\\u0061',
  '\\u0069d',
  'i\\u0064',
  'typ\\u0065',
  '\\u00e9',
  'ab',
  'ba',
  'aab',
  'abb',
  'abcd',
  'aacd',
  'axcd',
];
const NUMBERS = [
  '0',
  '-0',
  '1',
  '-1',
  '10',
  '0.5',
  '1e3',
  '1E+3',
  '1e-3',
  '12345678901234567890',
  '9007199254740993',
  '1.7976931348623159e309',
  '-0.0',
  '5e-400',
];
const BROKEN = [
  '01',
  '+1',
  '.5',
  '1.',
  '1e',
  '1e+',
  '-',
  '0x1',
  'NaN',
  'Infinity',
  'tru',
  'True',
  'nul',
  'undefined',
  "'a'",
  '"a',
  '"\\x"',
  '"\\u12"',
  '"\t"',
  '\u00a0',
  '\ufeff',
  '//',
  '/**/',
  '[1,]',
  '{,}',
  '{"a":1,}',
  '{a:1}',
  ']',
  '}',
  '"\\',
];

/** The text of a random JSON value: mostly well formed, often in odd dress, with names that repeat, and sometimes broken in one place. */
export function jsonText(dice: Dice, levels: number): string {
  const gap = (): string => dice.pick(SPACES);
  if (dice.once(400)) return dice.pick(BROKEN);
  const kind = levels === 0 ? dice.roll(4) : dice.roll(8);
  if (kind === 0) return dice.pick(NUMBERS);
  if (kind === 1) return dice.pick(['true', 'false', 'null']);
  if (kind < 4) return stringText(dice);
  const inner = (): string => `${gap()}${jsonText(dice, levels - 1)}${gap()}`;
  if (kind < 6) return `[${Array.from({ length: dice.roll(5) }, inner).join(',')}]`;
  return objectText(dice, Array.from({ length: dice.once(40) ? 30 + dice.roll(12) : dice.roll(6) }, inner));
}

/** A value of many levels, around the deepest that is allowed. */
export function deepText(dice: Dice): string {
  const levels = 60 + dice.roll(8);
  const opens = Array.from({ length: levels }, () => dice.pick(['[', '{"a":', '[1,', '{"a":1,"b":']));
  const closes = opens.map((open) => (open.startsWith('[') ? ']' : '}')).toReversed();
  return `${opens.join('')}${jsonText(dice, 0)}${closes.join('')}`;
}

/** The text of an object with these members. */
export function objectText(dice: Dice, members: readonly string[]): string {
  const wide = members.length > 20;
  const name = (k: number): string => (wide && !dice.once(200) ? `"n${k}"` : dice.once(3) ? stringText(dice) : `"${dice.pick(NAMES)}"`);
  return `{${members.map((member, k) => `${dice.pick(SPACES)}${name(k)}${dice.pick(SPACES)}:${member}`).join(',')}}`;
}

/** The text of a random string. */
export function stringText(dice: Dice): string {
  const length = dice.once(50) ? 100 + dice.roll(600) : dice.roll(8);
  return `"${Array.from({ length }, () => dice.pick(dice.once(6) ? ESCAPED : PLAIN)).join('')}"`;
}

/** The same string written in another way: some of its characters as escapes. */
export function redressed(dice: Dice, value: string): string {
  const text = JSON.stringify(value);
  if (!dice.once(6)) return text;
  const inner = text.slice(1, -1).replaceAll(/[a-z]/g, (letter) => (dice.once(3) ? `\\u00${letter.charCodeAt(0).toString(16)}` : letter));
  // A letter behind a backslash belongs to its escape.
  return text.includes('\\') ? text : `"${inner}"`;
}

/** The bytes with a few of them changed, added, removed or doubled. */
export function mutated(dice: Dice, bytes: Buffer): Buffer {
  let out = Buffer.from(bytes);
  for (let k = 1 + dice.roll(3); k > 0; k -= 1) {
    const at = dice.roll(out.length + 1);
    const rest = out.subarray(at);
    const byte = Buffer.from([
      dice.once(2)
        ? dice.roll(256)
        : dice.pick([
            0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d, 0x0a, 0x20, 0x30, 0x2e, 0x65, 0x75, 0x0b, 0x0c, 0x00, 0x1f, 0x09, 0x0d,
          ]),
    ]);
    const kind = dice.roll(4);
    if (kind === 0) out = Buffer.concat([out.subarray(0, at), byte, rest.subarray(1)]);
    else if (kind === 1) out = Buffer.concat([out.subarray(0, at), byte, rest]);
    else if (kind === 2) out = Buffer.concat([out.subarray(0, at), rest.subarray(1 + dice.roll(4))]);
    else out = Buffer.concat([out.subarray(0, at), out.subarray(at, at + dice.roll(20)), rest]);
  }
  return out;
}
