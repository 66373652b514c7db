import { configJsonSchema, destinationJsonSchema, type JsonSchema, jsonSchemaOf, sourceJsonSchema } from '../config/json-schema.ts';
import { witnessJsonSchema } from '../config/witness-schema.ts';
import { ERROR_CODES } from '../contracts/errors.ts';
import { FAULT_CODES } from '../contracts/faults.ts';
import { durationText } from '../contracts/quantities.ts';
import type { SinkDefinition, SinkTraits } from '../contracts/sink.ts';
import type { SourceDefinition } from '../contracts/source.ts';
import { apiParts, metricsParts } from './docs-api.ts';
import { adapters } from './load-config.ts';
import { countText } from './terminal.ts';

const NOTE = '<!-- Made by `npm run docs`; a test keeps this page equal to the code. -->';

/** The pages of `docs/` that are made from the code: their text by their path from the root of the repository. */
export function docsPages(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/errors.md', errorsPage()],
    ['docs/configuration.md', configurationPage()],
    ['docs/api.md', page('API', apiParts())],
    ['docs/metrics.md', page('Metrics', metricsParts())],
    ...Object.entries(adapters.sinks).map(([type, definition]) => [`docs/sinks/${type}.md`, sinkPage(type, definition)] as const),
    ...Object.entries(adapters.sources).map(([type, definition]) => [`docs/sources/${type}.md`, sourcePage(type, definition)] as const),
  ]);
}

function errorsPage(): string {
  const errors = Object.entries(ERROR_CODES).map(
    ([code, { remedy, means, action }]) => `### ${code}\n\n${means} ${action}\n\nRemedy \`${remedy}\`: ${REMEDIES[remedy]}`,
  );
  const faults = Object.entries(FAULT_CODES).map(([code, { means, action }]) => `### ${code}\n\n${means} ${action}`);
  return page('Errors', [
    'Every error has a code, and every code has one remedy. A message names the thing and the value; it never holds a secret or an event.',
    '## Errors of the process, its destinations and its API',
    ...errors,
    '## Faults of one event',
    'They stand in `rejected` of an answer, with the place of the event in the request and a JSON Pointer into it.',
    ...faults,
  ]);
}

const REMEDIES = {
  retry: 'the same call is made again, later.',
  reject: 'the same thing will never be taken; it is refused or set aside.',
  halt: 'stop, because a person has to act.',
} as const;

function configurationPage(): string {
  const { properties = {} } = configJsonSchema(adapters);
  const sections = Object.entries(properties).filter(([key]) => key !== 'sources' && key !== 'destinations');
  return page('Configuration', [
    'One YAML file, `waybill.yaml`. It is parsed first; then `${NAME}`, `${NAME:-default}` and `${file:path}` are replaced, ' +
      'in values only ' +
      '(`$${` stands for `${`). A key that is not listed here is a mistake. Paths are relative to the file. ' +
      'Sizes are written as `5MiB`, durations as `250ms`, `30s`, `5m`, `400d`.',
    '`waybill check` looks at a file; `waybill schema` prints its JSON Schema for editors.',
    '## The file',
    keysTable('', { type: 'object', properties: Object.fromEntries(sections), required: ['ledger'] }),
    '## Sources',
    `By name, under \`sources\`. Types: ${links('sources', Object.keys(adapters.sources))}.`,
    '## Destinations',
    `By name, under \`destinations\`. Types: ${links('sinks', Object.keys(adapters.sinks))}.`,
    '## A witness',
    'The file of `waybill witness`, `witness.yaml`, read in the same way; `waybill schema witness` prints its JSON Schema.',
    keysTable('', witnessJsonSchema()),
  ]);
}

function links(folder: string, names: readonly string[]): string {
  return names.map((name) => `[${name}](${folder}/${name}.md)`).join(', ');
}

function sinkPage(type: string, definition: SinkDefinition): string {
  const keys = destinationJsonSchema(type, definition);
  const own = Object.keys(jsonSchemaOf(definition.config).properties ?? {});
  return page(`Destination: ${definition.title}`, [
    definition.summary,
    ...traitsParagraph(definition, keys),
    '## Keys of this type',
    keysTable(
      '',
      only(keys, (key) => key === 'type' || own.includes(key)),
    ),
    '## Keys of every destination',
    keysTable(
      '',
      only(keys, (key) => key !== 'type' && !own.includes(key)),
    ),
  ]);
}

/** Traits may depend on the configuration; what is shown is what the smallest one gives. */
function traitsParagraph(definition: SinkDefinition, keys: JsonSchema): string[] {
  const smallest = definition.config.safeParse(smallestOf(jsonSchemaOf(definition.config)));
  if (!smallest.success) return [];
  const { ack, dedupe, batch, inFlightMax } = definition.traits(smallest.data);
  const lines = [
    `- An acknowledgement means: ${ACKS[ack]}`,
    `- A repeated batch: ${DEDUPES[dedupe]}`,
    `- Batches: up to ${countText(batch.entries)} entries and ${countText(batch.bytes)} bytes, unless \`batch\` says otherwise.`,
    ...(batch.waitMs === 0
      ? []
      : [`- A batch that is not full waits ${durationText(batch.waitMs)} for more, unless \`batch.wait\` says otherwise.`]),
    `- In flight: at most ${inFlightMax}.`,
  ];
  return [
    '## What it guarantees',
    `With its default settings${keys.required?.length === 0 ? '' : ' and the keys that it needs'}:`,
    lines.join('\n'),
  ];
}

const ACKS: Readonly<Record<SinkTraits['ack'], string>> = {
  durable: 'the batch survives the loss of power there.',
  received: 'the destination answered that it has the batch.',
  none: 'nothing; the protocol cannot say.',
};

const DEDUPES: Readonly<Record<SinkTraits['dedupe'], string>> = {
  position: 'changes nothing. The write is conditional on the next index, so a lost answer never leaves a duplicate.',
  key: 'is dropped by the destination, which knows the identity of the batch.',
  none: 'is kept. After a lost answer a batch may be there twice, with the same identity and bytes.',
};

function sourcePage(type: string, definition: SourceDefinition): string {
  const keys = sourceJsonSchema(type, definition);
  const { delivery } = definition.traits;
  return page(`Source: ${definition.title}`, [
    definition.summary,
    delivery === 'pushed'
      ? 'Its sender waits for the answer, which comes once the events are durable.'
      : 'It resumes from a position that is durable with its events.',
    '## Keys',
    keysTable('', keys),
  ]);
}

function only(schema: JsonSchema, wanted: (key: string) => boolean): JsonSchema {
  return { ...schema, properties: Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([key]) => wanted(key))) };
}

function keysTable(prefix: string, schema: JsonSchema): string {
  return ['| key | value | default | |', '|---|---|---|---|', ...keyRows(prefix, schema)].join('\n');
}

function keyRows(prefix: string, { properties = {}, required = [] }: JsonSchema): string[] {
  return Object.entries(properties).flatMap(([key, schema]) => {
    const path = `${prefix}${key}`;
    const inner = schema.items?.properties === undefined ? schema : schema.items;
    const choice = schema.anyOf?.find(({ properties: keys }) => keys !== undefined);
    const nested =
      choice !== undefined
        ? keyRows(`${path}.`, choice)
        : inner.properties === undefined
          ? []
          : keyRows(`${path}${inner === schema ? '.' : '[].'}`, inner);
    const secret = schema.secret === true ? ' A secret: it is never shown.' : '';
    const absent = required.includes(key) ? 'required' : defaultText(schema);
    return [`| \`${path}\` | ${valueText(schema)} | ${absent} | ${cell(`${schema.description ?? ''}${secret}`)} |`, ...nested];
  });
}

function defaultText({ default: value }: JsonSchema): string {
  if (value === '') return '(empty)';
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? `\`${value}\`` : '';
}

function valueText(schema: JsonSchema): string {
  if (typeof schema.const === 'string') return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${String(word)}\``).join(', ');
  if (schema.pattern?.includes('KiB') === true) return 'size';
  if (schema.pattern?.includes('|ms|') === true || schema.pattern?.includes('(ms|') === true) return 'duration';
  const [first] = schema.anyOf ?? [];
  if (schema.anyOf?.some(({ type }) => type === 'object') === true) return 'text or keys';
  if (first !== undefined)
    return first.type === 'integer' && schema.anyOf?.[1]?.pattern !== undefined ? 'whole number' : 'text or whole number';
  if (schema.type === 'array') return 'list';
  if (schema.type === 'object') return 'keys';
  if (schema.type === 'boolean') return '`true`, `false`';
  if (schema.type === 'integer') return 'whole number';
  return 'text';
}

/** The settings that a schema with a choice between keys gives itself, or the keys that it needs with their examples. */
function smallestOf(schema: JsonSchema): unknown {
  const { properties = {}, required = [], smallest } = schema;
  if (smallest !== undefined) return smallest;
  return Object.fromEntries(required.map((key) => [key, exampleOf(properties[key] ?? {})]));
}

function exampleOf(schema: JsonSchema): unknown {
  const examples = schema['examples'];
  return Array.isArray(examples) ? (examples[0] as unknown) : 'example';
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function page(title: string, parts: readonly string[]): string {
  return `# ${title}\n\n${NOTE}\n\n${parts.join('\n\n')}\n`;
}
