import type { ConsoleFile } from '../api/console.ts';
import { filesUnder, ownFile, readText } from './machine.ts';

/** The built page and the verifier beside it, read once; what was not built is not there. */
export function readConsoleFiles(): readonly ConsoleFile[] {
  const folder = ownFile('dist/console');
  const page = folder === null ? [] : filesUnder(folder).map((path) => ({ path, text: readText(`${folder}/${path}`) ?? '' }));
  const verifier = ownFile('dist/verify.html');
  return verifier === null ? page : [...page, { path: 'verify.html', text: readText(verifier) ?? '' }];
}
