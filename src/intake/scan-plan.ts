import { assert } from '../contracts/assert.ts';
import type { Form, ObjectRule, Rule } from './check-rules.ts';

/** A plan’s kind: any JSON value. */
export const ANY = 0;
/** A plan’s kind: a string with a length and perhaps a form. */
export const TEXT = 1;
/** A plan’s kind: one of a few strings. */
export const CHOICE = 2;
/** A plan’s kind: the identity of the event. */
export const IDENTITY = 3;
/** A plan’s kind: an integer from 0 to 2^53 − 1. */
export const COUNT = 4;
/** A plan’s kind: `true` or `false`. */
export const FLAG = 5;
/** A plan’s kind: anything but an object or an array. */
export const SCALAR = 6;
/** A plan’s kind: an array. */
export const LIST = 7;
/** A plan’s kind: an object. */
export const OBJECT = 8;
/** A plan’s kind: never: the name must not be there. */
export const RESERVED = 9;

const KINDS = {
  any: ANY,
  text: TEXT,
  choice: CHOICE,
  identity: IDENTITY,
  count: COUNT,
  flag: FLAG,
  scalar: SCALAR,
  list: LIST,
  object: OBJECT,
  reserved: RESERVED,
} as const satisfies Record<Rule['kind'], number>;

/** A plan's `notes`: the place of the value is not noted. */
export const NOTE_NOTHING = 0;
/** A plan's `notes`: the value is the identity of the event. */
export const NOTE_IDENTITY = 1;
/** A plan's `notes`: the value is the `producer` of the event. */
export const NOTE_PRODUCER = 2;

const NO_LIMIT = 0x3fff_ffff;
const SLOTS = 64;

/** A field of a planned object. `bit` stands for it in the set of names that were seen. */
export interface PlannedField {
  readonly name: Uint8Array;
  readonly bit: number;
  readonly plan: Plan;
}

/**
 * A rule in the form that the scanner follows: everything looked up beforehand, and all plans of one hidden class,
 * so that the scanner's property loads stay monomorphic.
 */
export class Plan {
  readonly rule: Rule;
  readonly kind: number;
  /** Least and greatest length, count or number of names. */
  readonly min: number;
  readonly max: number;
  readonly bytesMax: number;
  readonly form: Form | null;
  readonly notes: number;
  readonly choices: readonly Uint8Array[];
  /** The plan of a list's items, and of the values of names that an object does not list. */
  readonly inner: Plan;
  /** Fields by `fieldSlot` of their name; no two share a slot. `null` where no field is listed. */
  readonly slots: readonly (PlannedField | null)[] | null;
  readonly multiplier: number;
  /** The same fields by name, for names that were written with escapes. */
  readonly named: ReadonlyMap<string, PlannedField>;
  readonly required: number;

  constructor(rule: Rule, notes: number) {
    this.rule = rule;
    this.kind = KINDS[rule.kind];
    this.notes = rule.kind === 'identity' ? NOTE_IDENTITY : notes;
    this.min = rule.kind === 'text' ? rule.min : 0;
    this.max = greatest(rule);
    this.bytesMax = rule.kind === 'object' ? (rule.bytesMax ?? NO_LIMIT) : NO_LIMIT;
    this.form = rule.kind === 'text' ? (rule.form ?? null) : null;
    this.choices = rule.kind === 'choice' ? rule.values.map((value) => Buffer.from(value)) : [];
    const inner = innerRule(rule);
    this.inner = inner === null ? this : planOf(inner);
    const fields = rule.kind === 'object' ? plannedFields(rule) : [];
    const table = slotTable(fields);
    this.slots = table.slots;
    this.multiplier = table.multiplier;
    this.named = new Map(fields.map((field) => [Buffer.from(field.name).toString(), field]));
    this.required = rule.kind === 'object' ? bitsOf(rule.required, this.named) : 0;
  }
}

/** Makes the plan of a rule. */
export function planOf(rule: Rule, notes: number = NOTE_NOTHING): Plan {
  return rule.kind === 'any' ? ANYTHING : new Plan(rule, notes);
}

/**
 * A number that most different names differ in: length, first, middle and last byte. Names that share it are compared byte by byte.
 * The name is `bytes[start … end]`, and the bytes around it (its quotes) can be read too.
 */
export function nameKey(bytes: Uint8Array, start: number, end: number): number {
  return (bytes[start]! | (bytes[end - 1]! << 8) | (bytes[(start + end) >> 1]! << 16)) ^ ((end - start) << 24);
}

/** Where a planned object looks for the field with this key. */
export function fieldSlot(key: number, multiplier: number): number {
  return Math.imul(key, multiplier) >>> 26;
}

const ANYTHING = new Plan({ kind: 'any', means: '' }, NOTE_NOTHING);

function greatest(rule: Rule): number {
  if (rule.kind === 'text' || rule.kind === 'list') return rule.max;
  if (rule.kind === 'object') return rule.namesMax ?? NO_LIMIT;
  return NO_LIMIT;
}

function innerRule(rule: Rule): Rule | null {
  if (rule.kind === 'list') return rule.item;
  return rule.kind === 'object' ? rule.others : null;
}

function plannedFields(rule: ObjectRule): PlannedField[] {
  const entries = Object.entries(rule.fields);
  assert(entries.length <= 31, 'an object rule lists more fields than there are bits');
  return entries.map(([name, field], k) => ({
    name: Buffer.from(name),
    bit: 1 << k,
    plan: planOf(field, name === 'producer' ? NOTE_PRODUCER : NOTE_NOTHING),
  }));
}

function bitsOf(names: readonly string[], fields: ReadonlyMap<string, PlannedField>): number {
  return names.reduce((bits, name) => bits | (fields.get(name)?.bit ?? 0), 0);
}

/** Finds a multiplier that gives each field a slot of its own, so that a look-up is one load and one comparison. */
function slotTable(fields: readonly PlannedField[]): { slots: readonly (PlannedField | null)[] | null; multiplier: number } {
  if (fields.length === 0) return { slots: null, multiplier: 0 };
  const keys = fields.map(({ name }) => {
    const quoted = Buffer.concat([Buffer.from('"'), name, Buffer.from('"')]);
    return nameKey(quoted, 1, quoted.length - 1);
  });
  for (let multiplier = 0x9e37_79b1; multiplier < 0x9e37_79b1 + 2_000_000; multiplier += 2) {
    const slots: (PlannedField | null)[] = Array.from({ length: SLOTS }, () => null);
    for (const [k, field] of fields.entries()) slots[fieldSlot(keys[k]!, multiplier)] ??= field;
    if (fields.every((field, k) => slots[fieldSlot(keys[k]!, multiplier)] === field)) return { slots, multiplier };
  }
  throw new Error('no multiplier gives each field a slot of its own');
}
