import type { ConfigPath } from './places.ts';

/** Where references in a configuration are looked up. Both answer with the text, or `null` when there is nothing. */
export interface Readers {
  environment(name: string): string | null;
  /** The text of a file. A line break at its end is not part of the value. `path` is absolute. */
  file(path: string): string | null;
}

/** A reference that could not be replaced. */
export interface ReferenceFault {
  readonly path: ConfigPath;
  readonly message: string;
}

const REFERENCE = /\$?\$\{([^}]*)(\}?)/g;
const ENVIRONMENT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/;

/**
 * Replaces `${NAME}`, `${NAME:-default}` and `${file:path}` in every string of a value that was parsed already, so that what comes in can
 * never become a key or a list. `$${` stands for `${`. A default is also taken when the variable is set but empty.
 * `absolute` completes paths of files.
 */
export function replaceReferences(
  value: unknown,
  readers: Readers,
  absolute: (path: string) => string,
): { readonly value: unknown; readonly faults: readonly ReferenceFault[] } {
  const faults: ReferenceFault[] = [];
  const replaced = walk(value, [], (text, path) =>
    text.replace(REFERENCE, (whole, inner: string, end: string) => {
      if (whole.startsWith('$$')) return whole.slice(1);
      const found = end === '' ? { fault: 'a reference is not closed with }' } : lookUp(inner, readers, absolute);
      if (typeof found === 'string') return found;
      faults.push({ path, message: found.fault });
      return '';
    }),
  );
  return { value: replaced, faults };
}

function lookUp(inner: string, readers: Readers, absolute: (path: string) => string): string | { readonly fault: string } {
  if (inner.startsWith('file:')) {
    const path = absolute(inner.slice('file:'.length));
    return readers.file(path)?.replace(/\r?\n$/, '') ?? { fault: `cannot read the file ${path}` };
  }
  const match = ENVIRONMENT.exec(inner);
  if (match === null)
    return { fault: `not a reference: \${${inner}}; use \${NAME}, \${NAME:-default} or \${file:path}, or write $\${ for the text` };
  const [, name = '', fallback] = match;
  const set = readers.environment(name);
  if (fallback !== undefined && (set === null || set === '')) return fallback;
  return set ?? { fault: `the environment variable ${name} is not set` };
}

function walk(value: unknown, path: ConfigPath, change: (text: string, path: ConfigPath) => string): unknown {
  if (typeof value === 'string') return change(value, path);
  if (Array.isArray(value)) return value.map((item: unknown, place) => walk(item, [...path, place], change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key], change)]));
}
