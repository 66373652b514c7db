import type { Dice } from './dice.ts';

/** Characters that parsers stumble over. */
const ODD = [
  '\u0000',
  '\n',
  '\r',
  '\t',
  ' ',
  '"',
  "'",
  '\\',
  '%',
  '%0',
  '%00',
  '%zz',
  '$',
  '{',
  '}',
  '[',
  ']',
  '<',
  '>',
  '&',
  ';',
  ':',
  ',',
  '/',
  '?',
  '#',
];
const FAR = ['é', '\u00a0', '\u2028', '😀', '\ud800', '\udfff', '\ufeff', '٣', 'İ', '\u202e'];
const WORDS = ['__proto__', 'constructor', 'toString', 'null', 'true', '-0', '1e999', '9007199254740993', '00', '0x1f', 'NaN', '..', '//'];

/** A text from one of these, mostly as it is, else changed in a few places. */
export function mangled(dice: Dice, texts: readonly string[]): string {
  let text = dice.pick(texts);
  if (dice.once(3)) return text;
  for (let k = 1 + dice.roll(3); k > 0; k -= 1) {
    const at = dice.roll(text.length + 1);
    const gone = dice.pick([0, 0, 1, 1, 2, 5]);
    const from = dice.roll(text.length + 1);
    const piece = dice.pick([
      dice.pick(ODD),
      dice.pick(ODD),
      dice.pick(FAR),
      dice.pick(WORDS),
      String.fromCharCode(32 + dice.roll(95)),
      String(dice.roll(1_000_000)),
      text.slice(from, from + dice.roll(12)),
      '',
    ]);
    text = text.slice(0, at) + piece + text.slice(at + gone);
  }
  return text;
}

/** The bytes with one of them changed, some cut off, some added, or as they are. */
export function damagedBytes(dice: Dice, bytes: Uint8Array): Buffer {
  const kind = dice.roll(6);
  const at = dice.roll(bytes.length);
  const out = Buffer.from(bytes);
  if (kind === 0) return out;
  if (kind === 1) return out.subarray(0, at);
  if (kind === 2) return Buffer.concat([out, Buffer.alloc(1 + dice.roll(80), dice.roll(256))]);
  if (kind === 3) return Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + dice.roll(9))]);
  out[at] = (out[at] as number) ^ (1 << dice.roll(8));
  if (kind === 5) out.fill(dice.roll(2) * 255, at, Math.min(out.length, at + dice.roll(64)));
  return out;
}
