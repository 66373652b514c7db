import type { Files } from '../contracts/ports.ts';

/** What is wrong with a pattern; `null` when it is one. */
export function patternFault(pattern: string): string | null {
  if (pattern.includes('**')) return '** is not known; name each level of directories with *';
  const odd = /[[\]{}\\\0]/.exec(pattern);
  if (odd !== null) return `${JSON.stringify(odd[0])} can not be part of a pattern; only * and ? stand for other characters`;
  return pattern.endsWith('/') ? 'a pattern names files, so it does not end with /' : null;
}

/**
 * Whether a name fits one part of a pattern: `*` stands for any number of characters, `?` for one, and neither for a dot at the
 * beginning. The time is bounded by the product of both lengths.
 */
export function matchesName(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  let at = 0;
  let place = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const wanted = pattern[place];
    if (wanted === '*') {
      star = place++;
      starAt = at;
    } else if (wanted === '?' || wanted === name[at]) {
      place += 1;
      at += 1;
    } else {
      if (star === -1) return false;
      // The last star takes one character more; what earlier ones took never has to change.
      place = star + 1;
      at = ++starAt;
    }
  }
  while (pattern[place] === '*') place += 1;
  return place === pattern.length;
}

/** Whether an absolute path fits a pattern, part by part. */
export function matchesPath(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const parts = path.split('/');
  return wanted.length === parts.length && wanted.every((part, k) => matchesPart(part, parts[k] ?? ''));
}

/** The paths that fit any of the patterns, sorted. A directory that cannot be listed is told of, and passed over. */
export async function findPaths(
  files: Pick<Files, 'list'>,
  patterns: readonly string[],
  cannotList: (directory: string, error: unknown) => void,
): Promise<readonly string[]> {
  const listed = new Map<string, readonly string[] | null>();
  const list = async (directory: string): Promise<readonly string[] | null> => {
    const known = listed.get(directory);
    if (known !== undefined) return known;
    let names: readonly string[] | null = null;
    try {
      names = await files.list(directory);
    } catch (error) {
      cannotList(directory, error);
    }
    listed.set(directory, names);
    return names;
  };
  const found = new Set<string>();
  for (const pattern of patterns) {
    let places = [''];
    for (const part of pattern.split('/').slice(1)) {
      const next: string[] = [];
      for (const place of places) {
        if (!isOpen(part)) next.push(`${place}/${part}`);
        else for (const name of (await list(place === '' ? '/' : place)) ?? []) if (matchesName(part, name)) next.push(`${place}/${name}`);
      }
      places = next;
    }
    for (const place of places) found.add(place);
  }
  return [...found].sort();
}

function matchesPart(part: string, name: string): boolean {
  return isOpen(part) ? matchesName(part, name) : part === name;
}

function isOpen(part: string): boolean {
  return part.includes('*') || part.includes('?');
}
