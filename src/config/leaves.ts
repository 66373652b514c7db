import { hash } from 'node:crypto';

/** The values of a configuration by their path, such as `destinations.archive.batch.entries`, as JSON texts or digests of them. */
export type Leaves = ReadonlyMap<string, string>;

/** Every value at the ends of a configuration. An empty list or object is a value too. */
export function leavesOf(value: unknown): Leaves {
  const leaves = new Map<string, string>();
  walk(value, '', leaves);
  return new Map([...leaves].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The same with a digest in place of each value, so that a change of a secret can be seen without keeping the secret. */
export function digestsOf(value: unknown): Leaves {
  return new Map([...leavesOf(value)].map(([path, text]) => [path, hash('sha256', text, 'base64url')]));
}

/** The paths whose values are not the same, in order. */
export function changedPaths(before: Leaves, after: Leaves): readonly string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).sort();
}

/** One digest of all values, the same for two files that say the same in another order of keys. In lower-case hexadecimal. */
export function sha256OfLeaves(leaves: Leaves): string {
  return hash('sha256', JSON.stringify([...leaves]));
}

function walk(value: unknown, path: string, leaves: Map<string, string>): void {
  if (value === undefined) return;
  const parts = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (parts.length === 0) leaves.set(path, JSON.stringify(value));
  for (const [key, part] of parts) walk(part, path === '' ? key : `${path}.${key}`, leaves);
}
