import { type Expected, unwanted } from './delivery-check.ts';
import type { VirtualDisk } from './disk.ts';
import type { ReadEntry } from './ledger-check.ts';

/** The text that the real file sink wrote, over all the files that it set apart. */
export function fileText(disk: VirtualDisk, path: string): string {
  const slash = path.lastIndexOf('/');
  const prefix = `${path.slice(slash + 1)}.`;
  const apart = disk.names(path.slice(0, slash)).filter((file) => file.startsWith(prefix) && /^\d+$/.test(file.slice(prefix.length)));
  const paths = [...apart.map((file) => `${path.slice(0, slash)}/${file}`), path];
  return paths.map((file) => Buffer.from(disk.peek(file) ?? []).toString('utf8')).join('');
}

/**
 * Compares what the real file sink wrote, over all the files that it set apart, with the ledger: no line too many, none missing,
 * each byte for byte.
 */
export function checkFile(disk: VirtualDisk, name: string, path: string, entries: readonly ReadEntry[], expected: Expected): string[] {
  const text = fileText(disk, path);
  const [control = 'all'] = expected.controls;
  const wanted = entries.slice(expected.start).filter((entry) => !unwanted(entry, name, control));
  const lines = text.split('\n');
  if (lines.pop() !== '') return [`${path} does not end with a line`];
  const faults: string[] = [];
  let at = 0;
  for (const { index, line } of wanted) {
    // What was declared to be gone may have been written all the same, while nobody knew.
    if (lines[at] === `{"index":${index},"entry":${line}}`) at += 1;
    if (lines[at - 1] === `{"index":${index},"entry":${line}}` || expected.gone.has(index)) continue;
    faults.push(`${path} has ${lines[at]?.slice(0, 400) ?? 'nothing'} in line ${at} where entry ${index} is wanted: ${line.slice(0, 400)}`);
    break;
  }
  if (faults.length === 0 && lines.length !== at) faults.push(`${path} has ${lines.length} lines where ${at} are wanted`);
  return faults;
}
