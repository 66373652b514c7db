import { DEPTH_MAX } from './check-rules.ts';

/**
 * Finds names that an object has twice, without an allocation for the objects that people send.
 *
 * Open objects keep their names on one stack; an object's own names begin at its base. Up to `NAMES_NARROW` names are compared with each
 * other by key, and by bytes where the keys agree. An object with more names, or with a name that was written with escapes, goes over to
 * a `Set` of decoded names: linear also for a sender that means harm, because the engine seeds the hash of its strings.
 */
export const NAMES_NARROW = 32;

const CAPACITY = NAMES_NARROW * (DEPTH_MAX + 1);
const keys = new Int32Array(CAPACITY);
const starts = new Int32Array(CAPACITY);
const ends = new Int32Array(CAPACITY);

/** One set per depth; the last object at that depth that needed it owns it. */
const wideSets: Set<string>[] = Array.from({ length: DEPTH_MAX + 1 }, () => new Set<string>());
let wideUsed = false;

/** Puts the name `bytes[start … end]` at `top` of the stack. */
export function keepName(top: number, key: number, start: number, end: number): void {
  keys[top] = key;
  starts[top] = start;
  ends[top] = end;
}

/** True when the stack holds this name between `base` and `top`. */
export function hasName(bytes: Uint8Array, base: number, top: number, key: number, start: number, end: number): boolean {
  for (let k = base; k < top; k += 1) if (keys[k] === key && sameBytes(bytes, starts[k]!, ends[k]!, start, end)) return true;
  return false;
}

/** Makes the set of this depth ready with the names between `base` and `top`. */
export function widen(bytes: Uint8Array, base: number, top: number, depth: number): void {
  const names = wideSets[depth]!;
  names.clear();
  wideUsed = true;
  for (let k = base; k < top; k += 1) names.add(wideName(bytes, starts[k]!, ends[k]!));
}

/** Adds a name to the set of this depth; false when it was there already. */
export function addWide(bytes: Uint8Array, start: number, end: number, depth: number): boolean {
  const names = wideSets[depth]!;
  const before = names.size;
  return names.add(wideName(bytes, start, end)).size > before;
}

/** Lets go of the names of the last event. */
export function forgetNames(): void {
  if (!wideUsed) return;
  wideUsed = false;
  for (const names of wideSets) names.clear();
}

/** The string that `bytes[start … end]`, the content of a well-formed JSON string, stands for. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}

// The quote in front keeps a name such as "17" from being hashed as the number that it looks like, which an attacker can foresee.
function wideName(bytes: Uint8Array, start: number, end: number): string {
  return `"${textOf(bytes, start, end)}`;
}

function sameBytes(bytes: Uint8Array, one: number, oneEnd: number, other: number, otherEnd: number): boolean {
  if (oneEnd - one !== otherEnd - other) return false;
  for (let k = 0; one + k < oneEnd; k += 1) if (bytes[one + k] !== bytes[other + k]) return false;
  return true;
}
