import { IDENTITY_BYTES_MAX } from '../contracts/units.ts';
import { textFault } from './check-forms.ts';
import { hasForm } from './scan-forms.ts';
import { textOf } from './scan-names.ts';
import type { Plan } from './scan-plan.ts';
import { CHOICE, COUNT, FLAG, IDENTITY, SCALAR, TEXT } from './scan-plan.ts';
import { BACKSLASH, closingQuote, literalEnd, numberEnd, plainEnd, QUOTE } from './scan-tokens.ts';

/** The end of a value that is neither an object nor an array and follows its plan, or `~position` of the problem. */
export function plainValueEnd(bytes: Uint8Array, at: number, plan: Plan): number {
  const first = bytes[at]!;
  if (first === QUOTE) return stringEnd(bytes, at + 1, plan);
  switch (plan.kind) {
    case SCALAR:
      return first < 0x3a ? numberEnd(bytes, at) : literalEnd(bytes, at);
    case FLAG:
      return first === 0x6e ? ~at : literalEnd(bytes, at);
    case COUNT:
      return countEnd(bytes, at);
    case IDENTITY: {
      const end = plan.rule.kind === 'identity' && plan.rule.numbers ? numberEnd(bytes, at) : ~at;
      return end - at > IDENTITY_BYTES_MAX ? ~at : end;
    }
    default:
      return ~at;
  }
}

function stringEnd(bytes: Uint8Array, start: number, plan: Plan): number {
  let close = plainEnd(bytes, start);
  const escaped = bytes[close] === BACKSLASH;
  if (escaped) {
    close = closingQuote(bytes, close);
    if (close < 0) return close;
  } else if (bytes[close] !== QUOTE) return ~close;
  const fits = escaped ? escapedFits(bytes, start, close, plan) : plainFits(bytes, start, close, plan);
  return fits ? close + 1 : ~start;
}

function plainFits(bytes: Uint8Array, start: number, end: number, plan: Plan): boolean {
  const length = end - start;
  switch (plan.kind) {
    case SCALAR:
      return true;
    case TEXT:
      if (length < plan.min || (length > plan.max && charactersOf(bytes, start, end) > plan.max)) return false;
      return plan.form === null || hasForm(bytes, start, end, plan.form);
    case IDENTITY:
      return length >= 1 && length <= IDENTITY_BYTES_MAX;
    case CHOICE:
      return isChoice(bytes, start, end, plan.choices);
    default:
      return false;
  }
}

/** Strings with escapes are rare where a schema asks for something, so they are decoded and go the readable way. */
function escapedFits(bytes: Uint8Array, start: number, end: number, plan: Plan): boolean {
  const { rule } = plan;
  if (rule.kind === 'scalar') return true;
  const value = textOf(bytes, start, end);
  if (rule.kind === 'text') return textFault(value, rule) === null;
  if (rule.kind === 'choice') return rule.values.includes(value);
  return rule.kind === 'identity' && identityText(value).length <= IDENTITY_BYTES_MAX;
}

/** The canonical JSON text of an identity without its quotes: what `JSON.stringify` writes, in UTF-8. */
export function identityText(value: string): Uint8Array {
  return Buffer.from(JSON.stringify(value).slice(1, -1));
}

function isChoice(bytes: Uint8Array, start: number, end: number, choices: readonly Uint8Array[]): boolean {
  for (let c = 0; c < choices.length; c += 1) {
    const choice = choices[c]!;
    if (choice.length !== end - start) continue;
    let k = 0;
    while (k < choice.length && choice[k] === bytes[start + k]) k += 1;
    if (k === choice.length) return true;
  }
  return false;
}

/** Characters of UTF-8 text: every byte but the continuation bytes begins one. */
function charactersOf(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at += 1) if ((bytes[at]! & 0xc0) !== 0x80) count += 1;
  return count;
}

function countEnd(bytes: Uint8Array, at: number): number {
  const end = numberEnd(bytes, at);
  if (end < 0) return end;
  // Nothing shorter than sixteen digits can be unsafe; a sign, a point or an exponent takes the slow way.
  let k = at;
  while (k < end && bytes[k]! >= 0x30 && bytes[k]! <= 0x39) k += 1;
  if (k === end && end - at < 16) return end;
  const count = Number(textOf(bytes, at, end));
  return Number.isSafeInteger(count) && count >= 0 ? end : ~at;
}
