import type { Form } from './check-rules.ts';

const ZERO = 0x30;
const DASH = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const PLUS = 0x2b;

const DAYS = new Uint8Array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);

/** 1 for the characters of a word of an action. */
const WORD = new Uint8Array(256);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-') WORD[character.charCodeAt(0)] = 1;

/** True when the text `bytes[start … end]`, written without escapes, has this form. */
export function hasForm(bytes: Uint8Array, start: number, end: number, form: Form): boolean {
  if (form === 'date-time') return isDateTime(bytes, start, end);
  return form === 'action' ? isAction(bytes, start, end) : isTraceparent(bytes, start, end);
}

/** RFC 3339 §5.6, with at most nine digits of a fraction, and a leap second only at 23:59:60 UTC. */
function isDateTime(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 20) return false;
  const century = twoDigits(bytes, start);
  const ofCentury = twoDigits(bytes, start + 2);
  const month = twoDigits(bytes, start + 5);
  const day = twoDigits(bytes, start + 8);
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  const second = twoDigits(bytes, start + 17);
  // Each is −1 when it is not two digits, which sets the sign of all of them together.
  if ((century | ofCentury | month | day | hour | minute | second) < 0) return false;
  if (bytes[start + 4] !== DASH || bytes[start + 7] !== DASH || (bytes[start + 10]! | 0x20) !== 0x74) return false;
  if (bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return false;
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60) return false;
  const leap = ofCentury === 0 ? century % 4 === 0 : ofCentury % 4 === 0;
  if (day > DAYS[month - 1]! && !(leap && month === 2 && day === 29)) return false;
  let at = start + 19;
  if (bytes[at] === DOT) {
    at += 1;
    const fraction = at;
    while (at < end && bytes[at]! >= ZERO && bytes[at]! <= 0x39) at += 1;
    if (at === fraction || at - fraction > 9) return false;
  }
  const offset = offsetMinutes(bytes, at, end);
  if (offset === BAD_OFFSET) return false;
  return second < 60 || (hour * 60 + minute - offset + 2_880) % 1_440 === 1_439;
}

const BAD_OFFSET = 100_000;

function offsetMinutes(bytes: Uint8Array, at: number, end: number): number {
  if (end - at === 1) return (bytes[at]! | 0x20) === 0x7a ? 0 : BAD_OFFSET;
  if (end - at !== 6 || bytes[at + 3] !== COLON) return BAD_OFFSET;
  const sign = bytes[at] === PLUS ? 1 : bytes[at] === DASH ? -1 : 0;
  const hour = twoDigits(bytes, at + 1);
  const minute = twoDigits(bytes, at + 4);
  if (sign === 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59) return BAD_OFFSET;
  return sign * (hour * 60 + minute);
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

function isAction(bytes: Uint8Array, start: number, end: number): boolean {
  let wordLength = 0;
  for (let at = start; at < end; at += 1) {
    if (WORD[bytes[at]!] === 1) wordLength += 1;
    else if (bytes[at] === DOT && wordLength > 0) wordLength = 0;
    else return false;
  }
  return wordLength > 0;
}

function isTraceparent(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 55) return false;
  for (let k = 0; k < 55; k += 1) {
    const byte = bytes[start + k]!;
    const dash = k === 2 || k === 35 || k === 52;
    if (dash ? byte !== DASH : !((byte >= ZERO && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))) return false;
  }
  return true;
}
