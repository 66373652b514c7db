import { basename, dirname, join } from 'node:path';
import { WaybillError } from '../contracts/errors.ts';
import type { Disk, DiskFile } from '../contracts/ports.ts';
import type { Receipt, SinkContext } from '../contracts/sink.ts';
import { asIndex, type Index } from '../contracts/units.ts';
import { lastLine, type Whole, wholeLines } from './file-lines.ts';

/** So many digits that the names of files that were set apart sort in the order of their entries. */
const NAME_DIGITS = 12;

/** Where a file destination stands. */
export interface Place {
  /** The index that it needs next. */
  readonly next: Index;
  /** How many bytes of the file are whole lines. What lies behind them was never acknowledged. */
  readonly length: number;
  /** The index of the first line of the file; `null` while it is empty. */
  readonly first: Index | null;
  /** Whether the journal knows of anything here. Until then only a mark beside the file says whose it is. */
  readonly acknowledged: boolean;
}

/** The name under which a full file is set apart: its own name and the index of its first line. */
export function rotatedPath(path: string, first: Index): string {
  return `${path}.${String(first).padStart(NAME_DIGITS, '0')}`;
}

/** The file that says, before the first line is written, whose it will be. Without it a crash in the first write would look like foreign data. */
export function markPath(path: string): string {
  return `${path}.begun`;
}

/** What the mark says: the same for the same destination of the same ledger. */
export function markText(context: SinkContext): string {
  return `${JSON.stringify({ ledger: context.origin, destination: context.name })}\n`;
}

/** The files that were set apart, in the order of their entries, with the index of their first line. */
export async function rotatedFiles(disk: Disk, path: string): Promise<readonly { readonly path: string; readonly first: Index }[]> {
  const prefix = `${basename(path)}.`;
  const directory = dirname(path);
  const names = (await disk.list(directory)).filter((name) => name.startsWith(prefix));
  const numbered = names.filter((name) => /^\d{12,16}$/.test(name.slice(prefix.length)));
  const files = numbered.map((name) => ({ path: join(directory, name), first: asIndex(Number(name.slice(prefix.length))) }));
  return files.sort((a, b) => a.first - b.first);
}

/**
 * Finds out where the destination stands, and changes nothing. The journal knows a length that was acknowledged; the lines themselves know
 * the rest: whole lines behind that length count, because the answer about them may have been lost. A part of a line does not.
 */
export async function findPlace(path: string, context: SinkContext): Promise<Place> {
  const { disk } = context.ports;
  const rotated = await rotatedFiles(disk, path);
  const length = (await disk.length(path)) ?? 0;
  const receipt = receiptOf(path, context.receipt);
  if (receipt === null) {
    if (length === 0 && rotated.length === 0) return { next: context.cursor, length: 0, first: null, acknowledged: false };
    await checkMark(path, context);
    return { ...(await behind(path, length, rotated.at(-1)?.path ?? null, context)), acknowledged: false };
  }
  const since = receipt.start === null ? [] : rotated.filter(({ first }) => first >= (receipt.start ?? 0));
  const moved = since.find(({ first }) => first === receipt.start);
  if (moved === undefined) return withFile(disk, path, length, (file) => placeIn(file, path, length, receipt, context));
  const kept = (await disk.length(moved.path)) ?? 0;
  if (kept < receipt.length) {
    throw new WaybillError('DESTINATION_LOST_DATA', `${moved.path} has ${kept} bytes where ${receipt.length} were acknowledged`);
  }
  return behind(path, length, since.at(-1)?.path ?? null, context);
}

interface FileReceipt {
  readonly length: number;
  readonly start: Index | null;
}

/** A receipt of another path belongs to a place that this destination has left. */
function receiptOf(path: string, receipt: Receipt | null): FileReceipt | null {
  if (receipt === null || receipt['file'] !== path) return null;
  const { length, start } = receipt;
  if (typeof length !== 'number' || (start !== undefined && typeof start !== 'number')) {
    throw new WaybillError('JOURNAL_INVALID', `the last receipt for ${path} cannot be read`);
  }
  return { length, start: start === undefined ? null : asIndex(start) };
}

async function checkMark(path: string, context: SinkContext): Promise<void> {
  const { disk } = context.ports;
  const mark = markPath(path);
  const length = (await disk.length(mark)) ?? 0;
  const text = await withFile(disk, mark, length, async (file) => Buffer.from((await file?.read(0, length)) ?? []).toString('utf8'));
  if (text === markText(context)) return;
  throw new WaybillError('DESTINATION_FOREIGN', `${path} already holds something that this destination has not written`, {
    facts: { path },
  });
}

/** Where a file stands of which nothing was acknowledged; the entries before it are in `before`. */
async function behind(path: string, length: number, before: string | null, context: SinkContext): Promise<Place> {
  const { disk } = context.ports;
  const least = before === null ? context.cursor : (await lastIndexOf(disk, before)) + 1;
  const whole = await withFile(disk, path, length, (file) => tail(file, 0, length, least));
  return {
    next: asIndex(Math.max(context.cursor, least, (whole.last ?? -1) + 1)),
    length: whole.end,
    first: whole.first,
    acknowledged: true,
  };
}

/** The index of the last line of a file that was set apart; it ended with a whole line. */
async function lastIndexOf(disk: Disk, path: string): Promise<Index> {
  const length = (await disk.length(path)) ?? 0;
  const last = await withFile(disk, path, length, async (file) => (file === null ? null : lastLine(file, length)));
  if (last === null || last.index === null || last.end !== length) throw damaged(path);
  return last.index;
}

async function placeIn(file: DiskFile | null, path: string, length: number, receipt: FileReceipt, context: SinkContext): Promise<Place> {
  const { cursor } = context;
  if (length < receipt.length) {
    // Less than was acknowledged. Nothing is decided here: delivery sees that `next` is below its cursor.
    const last = file === null ? { index: null, end: 0 } : await lastLine(file, length);
    if (last.end > 0 && last.index === null) throw damaged(path);
    const next = last.index === null ? (receipt.start ?? cursor) : asIndex(last.index + 1);
    return { next, length: last.end, first: last.index === null ? null : receipt.start, acknowledged: true };
  }
  if (receipt.length > 0 && file !== null) {
    const last = await lastLine(file, receipt.length);
    if (last.end !== receipt.length || last.index === null || last.index >= cursor) throw damaged(path);
  }
  const whole = await tail(file, receipt.length, length, cursor);
  return {
    next: asIndex(Math.max(cursor, (whole.last ?? -1) + 1)),
    length: whole.end,
    first: receipt.start ?? whole.first,
    acknowledged: true,
  };
}

function tail(file: DiskFile | null, from: number, to: number, atLeast: number): Promise<Whole> {
  return file === null || from >= to ? Promise.resolve({ end: from, first: null, last: null }) : wholeLines(file, from, to, atLeast);
}

function damaged(path: string): WaybillError {
  return new WaybillError('DESTINATION_FOREIGN', `the last acknowledged line of ${path} is not there any more as it was written`, {
    facts: { path },
  });
}

/** Opens a file for a look at it; an empty or missing one is `null`. */
async function withFile<Out>(disk: Disk, path: string, length: number, look: (file: DiskFile | null) => Promise<Out>): Promise<Out> {
  if (length === 0) return look(null);
  const file = await disk.open(path, 'read');
  try {
    return await look(file);
  } finally {
    await file.close();
  }
}
