/** Forms that a text can be asked to have, beside a length. */
export type Form = 'date-time' | 'action' | 'traceparent';

/**
 * What one JSON value has to be. The rules of a schema are written once, as data: the recogniser is made from them, and so are
 * the list of faults, the JSON Schema and the documentation.
 */
export type Rule =
  | AnyRule
  | TextRule
  | ChoiceRule
  | IdentityRule
  | CountRule
  | FlagRule
  | ScalarRule
  | ListRule
  | ObjectRule
  | ReservedRule;

/** Any JSON value. */
export interface AnyRule {
  readonly kind: 'any';
  readonly means: string;
}

/** A string of `min` to `max` characters (Unicode code points; an unpaired surrogate counts as one). */
export interface TextRule {
  readonly kind: 'text';
  readonly means: string;
  readonly min: 0 | 1;
  readonly max: number;
  readonly form?: Form;
}

/** One of a few strings. */
export interface ChoiceRule {
  readonly kind: 'choice';
  readonly means: string;
  readonly values: readonly string[];
}

/**
 * The identity: a string of 1 to 512 bytes as JSON text without quotes, or, where `numbers` says so, a number, which stands for its
 * text.
 */
export interface IdentityRule {
  readonly kind: 'identity';
  readonly means: string;
  readonly numbers: boolean;
}

/** An integer from 0 to 2^53 − 1. */
export interface CountRule {
  readonly kind: 'count';
  readonly means: string;
}

/** `true` or `false`. */
export interface FlagRule {
  readonly kind: 'flag';
  readonly means: string;
}

/** A string, a number, `true`, `false` or `null`. */
export interface ScalarRule {
  readonly kind: 'scalar';
  readonly means: string;
}

/** An array of at most `max` items. */
export interface ListRule {
  readonly kind: 'list';
  readonly means: string;
  readonly item: Rule;
  readonly max: number;
}

/** An object. Names that it does not list are allowed, and their values follow `others`. It lists at most 31 fields. */
export interface ObjectRule {
  readonly kind: 'object';
  readonly means: string;
  readonly fields: Readonly<Record<string, Rule>>;
  readonly required: readonly string[];
  readonly others: AnyRule | ScalarRule;
  /** How many names it may have. */
  readonly namesMax?: number;
  /** How many bytes its text may have, as it was sent. */
  readonly bytesMax?: number;
}

/** A name that an event must not use. */
export interface ReservedRule {
  readonly kind: 'reserved';
  readonly means: string;
}

/** How deep objects and arrays may be nested; the event itself is the first level. */
export const DEPTH_MAX = 64;

/** A value that nothing is asked of. */
export const anything: AnyRule = { kind: 'any', means: 'Any JSON value.' };

/** The top-level name that stands for an event kept outside the ledger. A sender must not be able to forge one. */
export const BLOB_NAME = '$blob';

const reserved: ReservedRule = { kind: 'reserved', means: 'Reserved for events that are kept outside the ledger.' };

/** The rule of a schema-less event: one object, and where a source has an `id_field`, a usable identity in it. */
export function jsonEventRule(idField: string | null, numbers = true): ObjectRule {
  const identity: IdentityRule = { kind: 'identity', means: 'The identity of the event.', numbers };
  // Built from entries, so that a field named `__proto__` is a name like any other.
  const named = idField === null ? [] : [[idField, identity] as const];
  const fields = Object.fromEntries<Rule>([...named, [BLOB_NAME, reserved]]);
  return { kind: 'object', means: 'The event.', fields, required: [], others: anything };
}
