import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** The root of the repository. */
export const ROOT: string = join(import.meta.dirname, '../..');

const SKIPPED = new Set(['node_modules', 'dist', '.git', 'data', 'out', 'keys']);

/** A file of the repository: its path from the root, and its text. */
export interface RepositoryFile {
  readonly path: string;
  readonly text: string;
}

/** Every file of a folder whose name ends so, by path. */
export function filesOf(folder: string, ending: string): RepositoryFile[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !SKIPPED.has(name))
    .flatMap((item) => {
      const path = folder === '' ? item.name : posix.join(folder, item.name);
      if (item.isDirectory()) return filesOf(path, ending);
      return item.name.endsWith(ending) ? [{ path, text: readFileSync(join(ROOT, path), 'utf8') }] : [];
    })
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The text of a module without its comments; strings stay. Line breaks stay, so that lines keep their numbers. */
export function withoutComments(text: string): string {
  return text.replace(TOKEN, (token) => (token.startsWith('/*') || token.startsWith('//') ? token.replace(/[^\n]/g, '') : token));
}

const TOKEN = /\/\*[\s\S]*?\*\/|(?<![:\\/])\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g;

/** What a module imports: the specifiers, in their order. */
export function importsOf(text: string): string[] {
  return [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s+'([^']+)'|(?:^|\n)\s*import\s+'([^']+)'|\bimport\('([^']+)'\)/g),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

/** The path from the root that a relative specifier of a file means. */
export function resolveImport(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier);
}
