import type { Schema, SchemaError } from '../contracts/schema.ts';
import { closest } from './closest.ts';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';
import { keysAt } from './marks.ts';
import type { ConfigPath, PlacedValue } from './places.ts';

/** One mistake in a configuration: where it stands, what is wrong, and what was probably meant. */
export interface ConfigFault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The keys that lead there, joined with dots; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly suggestion: string | null;
}

/** A mistake before it has a line: the path leads to it, and `part` says whether its key or its value is meant. */
export interface PathFault {
  readonly path: ConfigPath;
  readonly part: 'key' | 'value';
  readonly message: string;
  readonly suggestion: string | null;
}

/** A value that fits its schema, or what is wrong with it. */
export type Fitted<Out> = { readonly ok: true; readonly value: Out } | { readonly ok: false; readonly faults: readonly PathFault[] };

type Issue = SchemaError['issues'][number] & {
  readonly code?: string;
  readonly keys?: readonly string[];
  readonly values?: readonly unknown[];
};

/** Faults with the places where they stand, in the order of the file. */
export function placeFaults(file: string, yaml: PlacedValue, faults: readonly PathFault[]): readonly ConfigFault[] {
  return faults
    .map(({ path, part, message, suggestion }) => ({ file, ...yaml.placeOf(path, part), path: path.join('.'), message, suggestion }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** What is wrong with a text as YAML, and with one that holds nothing. */
export function yamlFaults(file: string, yaml: PlacedValue): readonly ConfigFault[] {
  if (yaml.faults.length > 0) return yaml.faults.map(({ place, message }) => ({ file, ...place, path: '', message, suggestion: null }));
  if (yaml.value !== null && yaml.value !== undefined) return [];
  const message = 'the file is empty; `waybill init` and `waybill witness init` write a starter file';
  return placeFaults(file, yaml, [{ path: [], part: 'value', message, suggestion: null }]);
}

/** One line for a terminal, in the form that editors can jump to. */
export function faultText(fault: ConfigFault): string {
  const suggestion = fault.suggestion === null ? '' : `; did you mean ${fault.suggestion}?`;
  const path = fault.path === '' ? '' : `${fault.path}: `;
  return `${fault.file}:${fault.line}:${fault.column} ${path}${fault.message}${suggestion}`;
}

/** Looks at a value with a schema. `known` is the schema whose keys are suggested when one is unknown. */
export function fit<Out>(schema: Schema<Out>, value: unknown, base: ConfigPath, known: JsonSchema = jsonSchemaOf(schema)): Fitted<Out> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, faults: result.error.issues.flatMap((issue) => faultsOf(issue, value, base, known)) };
}

function faultsOf(issue: Issue, value: unknown, base: ConfigPath, known: JsonSchema): PathFault[] {
  const path: ConfigPath = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  if (issue.code === 'unrecognized_keys') {
    const names = keysAt(known, issue.path);
    return (issue.keys ?? []).map((key) => ({
      path: [...path, key],
      part: 'key',
      message: 'unknown key',
      suggestion: closest(key, names),
    }));
  }
  const found = valueAt(value, issue.path);
  if (found === undefined) return [{ path, part: 'key', message: 'missing', suggestion: null }];
  const words = (issue.values ?? []).map(String);
  const message = issue.code === 'invalid_value' ? `expected ${words.join(', ')}` : plain(issue.message);
  return [{ path, part: 'value', message, suggestion: typeof found === 'string' ? closest(found, words) : null }];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let place = value;
  for (const step of path) {
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, step)) return undefined;
    place = (place as Record<PropertyKey, unknown>)[step];
  }
  return place;
}

function plain(message: string): string {
  const text = message.replace(/^Invalid input: /, '');
  return text.charAt(0).toLowerCase() + text.slice(1);
}
