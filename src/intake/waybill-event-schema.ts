import { IDENTITY_BYTES_MAX } from '../contracts/units.ts';
import { FORMS } from './check-forms.ts';
import type { ObjectRule, Rule } from './check-rules.ts';
import { waybillEventRule } from './waybill-event.ts';

/** A JSON Schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * `waybill/1` as JSON Schema (draft 2020-12), made from the rules that events are checked by. What a schema cannot say stands in the
 * descriptions: sizes in bytes, real dates, names that must not come twice.
 */
export const waybillEventJsonSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'waybill/1',
  ...schemaOf(waybillEventRule),
};

function schemaOf(rule: Rule): JsonSchema {
  const description = rule.means;
  switch (rule.kind) {
    case 'any':
      return { description };
    case 'text': {
      const length = { ...(rule.min > 0 ? { minLength: rule.min } : {}), maxLength: rule.max };
      const form = rule.form === undefined ? {} : { pattern: FORMS[rule.form].pattern };
      return { description, type: 'string', ...length, ...form, ...(rule.form === 'date-time' ? { format: 'date-time' } : {}) };
    }
    case 'choice':
      return { description, enum: rule.values };
    case 'identity': {
      const limit = `At most ${IDENTITY_BYTES_MAX} bytes.`;
      return {
        description: `${description} ${limit}`,
        type: rule.numbers ? ['string', 'number'] : 'string',
        minLength: 1,
        maxLength: IDENTITY_BYTES_MAX,
      };
    }
    case 'count':
      return { description, type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
    case 'flag':
      return { description, type: 'boolean' };
    case 'scalar':
      return { description, type: ['string', 'number', 'boolean', 'null'] };
    case 'list':
      return { description, type: 'array', maxItems: rule.max, items: schemaOf(rule.item) };
    case 'object':
      return objectSchema(rule);
    default:
      rule.kind satisfies 'reserved';
      return { description, not: {} };
  }
}

function objectSchema(rule: ObjectRule): JsonSchema {
  const limit = rule.bytesMax === undefined ? '' : ` At most ${rule.bytesMax} bytes as it is sent.`;
  const fields = Object.entries(rule.fields).map(([name, field]) => [name, schemaOf(field)] as const);
  return {
    description: `${rule.means}${limit}`,
    type: 'object',
    ...(fields.length === 0 ? {} : { properties: Object.fromEntries(fields) }),
    ...(rule.required.length === 0 ? {} : { required: rule.required }),
    ...(rule.namesMax === undefined ? {} : { maxProperties: rule.namesMax }),
    ...(rule.others.kind === 'any' ? {} : { additionalProperties: schemaOf(rule.others) }),
  };
}
