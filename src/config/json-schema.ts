import { z } from 'zod';
import type { Schema } from '../contracts/schema.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import type { SourceDefinition } from '../contracts/source.ts';
import { destinationKeys, fileSchema, sourceKeys } from './schema.ts';

/** The kinds of adapters that a configuration can name, by type: the tables of the adapter folders. */
export interface Adapters {
  readonly sinks: Readonly<Record<string, SinkDefinition>>;
  readonly sources: Readonly<Record<string, SourceDefinition>>;
  readonly codecs: Readonly<Record<string, unknown>>;
}

/** The part of JSON Schema (draft 2020-12) that is used here, with the marks of our own. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly secret?: boolean;
  readonly path?: boolean;
  readonly [other: string]: unknown;
}

/** The JSON Schema of what a schema takes. One that is not made with zod has none: everything fits it. */
export function jsonSchemaOf(schema: Schema<unknown>): JsonSchema {
  if (!(schema instanceof z.ZodType)) return {};
  const known = MADE.get(schema);
  if (known !== undefined) return known;
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  MADE.set(schema, rest as JsonSchema);
  return rest as JsonSchema;
}

/** What was made already: a schema never changes, and making it costs more than reading a file with it. */
const MADE = new WeakMap<object, JsonSchema>();

/** All keys of a destination of this type: the common ones and its own. */
export function destinationJsonSchema(type: string, definition: SinkDefinition): JsonSchema {
  return joined(type, definition.summary, jsonSchemaOf(destinationKeys), jsonSchemaOf(definition.config));
}

/** All keys of a source of this type: the common ones and its own. */
export function sourceJsonSchema(type: string, definition: SourceDefinition): JsonSchema {
  return joined(type, definition.summary, jsonSchemaOf(sourceKeys), jsonSchemaOf(definition.config));
}

/** The JSON Schema of the whole configuration file, for editors. */
export function configJsonSchema(adapters: Adapters): JsonSchema {
  const file = jsonSchemaOf(fileSchema);
  const names = { pattern: '^[a-z][a-z0-9_-]{0,63}$' };
  const sources = Object.entries(adapters.sources).map(([type, definition]) => sourceJsonSchema(type, definition));
  const destinations = Object.entries(adapters.sinks).map(([type, definition]) => destinationJsonSchema(type, definition));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'waybill.yaml',
    ...file,
    properties: {
      ...file.properties,
      sources: { ...file.properties?.['sources'], propertyNames: names, additionalProperties: { oneOf: sources } },
      destinations: { ...file.properties?.['destinations'], propertyNames: names, additionalProperties: { oneOf: destinations } },
    },
  };
}

function joined(type: string, description: string, common: JsonSchema, own: JsonSchema): JsonSchema {
  const required = [...new Set([...(common.required ?? []), ...(own.required ?? [])])];
  return {
    ...own,
    type: 'object',
    description,
    properties: { ...common.properties, ...own.properties, type: { ...common.properties?.['type'], const: type } },
    required,
    // An adapter that takes keys of any name says so itself.
    additionalProperties: own.additionalProperties ?? false,
  };
}
