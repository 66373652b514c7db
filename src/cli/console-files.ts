import type { ConsoleFile } from '../api/console.ts';
import { filesUnder, ownFile, readText } from './machine.ts';

/** The built page, read once; empty where it was not built. */
export function readConsoleFiles(): readonly ConsoleFile[] {
  const folder = ownFile('dist/console');
  if (folder === null) return [];
  return filesUnder(folder).map((path) => ({ path, text: readText(`${folder}/${path}`) ?? '' }));
}
