import { basename, dirname, join } from 'node:path';
import { WaybillError } from '../contracts/errors.ts';
import type { Disk, DiskFile } from '../contracts/ports.ts';
import { asIndex } from '../contracts/units.ts';
import type { KeptEntry } from '../pipeline/restore.ts';

const CHUNK_BYTES = 1 << 20;
const LINE_FEED = 0x0a;
const FRAME = /^\{"index":(0|[1-9]\d{0,15}),"entry":/;
const FRAME_BYTES_MAX = 40;

/**
 * The entries in files of lines `{"index":INDEX,"entry":ENTRY}`, as a file destination writes them: first those that were set apart beside
 * the file, in their order. What follows the last line feed of a file is not a line. Rejects with `RESTORE_INVALID` at a line of another
 * form.
 */
export async function* linesOf(disk: Disk, path: string): AsyncGenerator<KeptEntry> {
  for (const part of [...(await partsOf(disk, path)), path]) {
    const length = await disk.length(part);
    if (length === null) continue;
    const file = await disk.open(part, 'read');
    try {
      yield* linesIn(file, part, length);
    } finally {
      await file.close();
    }
  }
}

async function partsOf(disk: Disk, path: string): Promise<readonly string[]> {
  const prefix = `${basename(path)}.`;
  const names = (await disk.list(dirname(path))).filter((name) => name.startsWith(prefix) && /^\d{12,16}$/.test(name.slice(prefix.length)));
  const first = (name: string): number => Number(name.slice(prefix.length));
  return names.toSorted((a, b) => first(a) - first(b)).map((name) => join(dirname(path), name));
}

async function* linesIn(file: DiskFile, path: string, length: number): AsyncGenerator<KeptEntry> {
  let rest = Buffer.alloc(0);
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    const chunk = await file.read(at, Math.min(CHUNK_BYTES, length - at));
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      yield entryOf(bytes.subarray(start, end), path);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
}

function entryOf(line: Buffer, path: string): KeptEntry {
  const frame = FRAME.exec(line.toString('latin1', 0, FRAME_BYTES_MAX));
  if (frame === null || line.at(-1) !== 0x7d) throw new WaybillError('RESTORE_INVALID', `${path} has a line of another form`);
  return { index: asIndex(Number(frame[1])), bytes: line.subarray(frame[0].length, -1) };
}
