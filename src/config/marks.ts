import type { KeyMarks } from '../contracts/schema.ts';
import type { JsonSchema } from './json-schema.ts';

/** What is shown in place of a secret. */
export const HIDDEN = '(hidden)';

/** Gives back the value with every part changed that its schema marks. Parts without a mark stay as they are. */
export function changeMarked(
  schema: JsonSchema,
  value: unknown,
  mark: Exclude<keyof KeyMarks, 'smallest'>,
  change: (value: unknown) => unknown,
): unknown {
  if (value === undefined) return value;
  if (schema[mark] === true) return change(value);
  let changed: unknown = value;
  for (const part of [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])])
    changed = changeMarked(part, changed, mark, change);
  const items = schema.items;
  if (Array.isArray(changed))
    return items === undefined ? changed : changed.map((item: unknown) => changeMarked(items, item, mark, change));
  if (typeof changed !== 'object' || changed === null) return changed;
  const others = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {};
  return Object.fromEntries(
    Object.entries(changed).map(([key, item]) => [key, changeMarked(own(schema.properties, key) ?? others, item, mark, change)]),
  );
}

/** The value as it may be shown: secrets, and the credentials and queries inside URLs, are hidden. */
export function hideSecrets(schema: JsonSchema, value: unknown): unknown {
  return hideCredentials(changeMarked(schema, value, 'secret', () => HIDDEN));
}

/** The names of the keys that a schema knows at a path; empty where any key fits. */
export function keysAt(schema: JsonSchema, path: readonly PropertyKey[]): readonly string[] {
  let places: readonly JsonSchema[] = [schema];
  for (const step of path) {
    places = places.flatMap((place) => {
      const others = typeof place.additionalProperties === 'object' ? place.additionalProperties : undefined;
      const next = typeof step === 'number' ? place.items : (own(place.properties, String(step)) ?? others);
      return next === undefined ? [] : [next, ...(next.anyOf ?? []), ...(next.oneOf ?? []), ...(next.allOf ?? [])];
    });
  }
  return [...new Set(places.flatMap((place) => Object.keys(place.properties ?? {})))];
}

function own(properties: JsonSchema['properties'], key: string): JsonSchema | undefined {
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

function hideCredentials(value: unknown): unknown {
  if (typeof value === 'string') {
    // Also in the default of a reference, so anywhere in the text. A query often holds a key.
    return value.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/?#@\s]+@/gi, `$1${HIDDEN}@`).replace(/(:\/\/[^?\s]*\?)[^\s}]+/g, `$1${HIDDEN}`);
  }
  if (Array.isArray(value)) return value.map(hideCredentials);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hideCredentials(item)]));
}
