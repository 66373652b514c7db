import { WaybillError } from '../contracts/errors.ts';
import type { Disk, DiskFile } from '../contracts/ports.ts';
import type { Receipt, SinkContext } from '../contracts/sink.ts';
import { asIndex, type Index } from '../contracts/units.ts';
import { lastLine, wholeLines } from './file-lines.ts';
import { apartFiles, apartPath, markPath, markText } from './file-names.ts';

/** Where a file destination stands. */
export interface Place {
  /** The index that it needs next. */
  readonly next: Index;
  /** How many bytes of the file were acknowledged; they are whole lines. What lies behind them goes before the next write. */
  readonly length: number;
  /** The index of the first line of the file; `null` while it is empty. */
  readonly first: Index | null;
  /** Whether the journal knows of anything here. Until then only a mark beside the file says whose it is. */
  readonly acknowledged: boolean;
  /** A file that was set apart and goes on to be written, because the journal does not know all of it; it takes its old name again. */
  readonly comeBack: string | null;
  /** Files that hold nothing that was acknowledged. */
  readonly leftovers: readonly string[];
}

/** What the journal keeps of a place. `start`: where the lines of the file begin, or will begin at the earliest. */
export function receiptFor(path: string, { length, first, next }: Place): Receipt {
  return { file: path, length, start: first ?? next };
}

/**
 * Finds out where the destination stands, and changes nothing. What was acknowledged is what the journal knows: bytes up to the length
 * of the last receipt, and whole lines below the cursor. Anything else may be torn by a power cut in ways that no look at it can tell.
 */
export async function findPlace(path: string, context: SinkContext): Promise<Place> {
  const { disk } = context.ports;
  const apart = await apartFiles(disk, path);
  const receipt = receiptOf(path, context.receipt);
  const since = receipt === null ? apart : apart.filter(({ first }) => first >= receipt.start);
  const moved = receipt !== null && receipt.length > 0 && since[0]?.first === receipt.start;
  // The file grew first and was set apart after, unless it has taken its old name again and what came after it was not removed yet.
  const paths = since.map((file) => file.path);
  const isFirst = receipt !== null && receipt.length > 0 && !moved;
  const pieces = await measured(disk, isFirst ? [path, ...paths] : [...paths, path]);
  await checkNotAhead(disk, pieces, context);
  if (receipt === null) {
    if (pieces.some(({ length }) => length > 0)) await checkMark(path, context);
    return follow(path, pieces, null, context);
  }
  if (receipt.length === 0) return follow(path, pieces, null, context);
  const [first, ...rest] = pieces;
  const length = first?.length ?? 0;
  if (length < receipt.length)
    return moved ? lost(apartPath(path, receipt.start), length, receipt) : shortened(path, length, receipt, context);
  await withFile(disk, first?.path ?? path, length, (file) => checkEnd(file, first?.path ?? path, receipt, context.cursor));
  return follow(path, rest, { path: first?.path ?? path, length, known: receipt.length, first: receipt.start }, context);
}

interface FileReceipt {
  readonly length: number;
  readonly start: Index;
}

interface Piece {
  readonly path: string;
  readonly length: number;
}

/** A piece of which something was acknowledged: its first `known` bytes. */
interface KnownPiece extends Piece {
  readonly known: number;
  readonly first: Index;
}

/** A receipt of another path belongs to a place that this destination has left. */
function receiptOf(path: string, receipt: Receipt | null): FileReceipt | null {
  if (receipt === null || receipt['file'] !== path) return null;
  const { length, start } = receipt;
  if (typeof length === 'number' && typeof start === 'number') return { length, start: asIndex(start) };
  throw new WaybillError('JOURNAL_INVALID', `the last receipt for ${path} cannot be read`);
}

async function measured(disk: Disk, paths: readonly string[]): Promise<readonly Piece[]> {
  const pieces: Piece[] = [];
  for (const path of paths) pieces.push({ path, length: (await disk.length(path)) ?? 0 });
  return pieces;
}

/** Goes through the pieces as long as the journal knows their lines. The last one of which it knows any is where writing goes on. */
async function follow(path: string, pieces: readonly Piece[], known: KnownPiece | null, context: SinkContext): Promise<Place> {
  const { cursor, receipt } = context;
  let at = known;
  let place = 0;
  if (at !== null) at = await extended(context, at, cursor);
  for (; place < pieces.length && (at === null || at.known === at.length); place++) {
    const { path: next, length } = pieces[place] as Piece;
    const whole = await withFile(context.ports.disk, next, length, async (file) =>
      file === null ? null : wholeLines(file, 0, length, cursor),
    );
    if (whole === null || whole.first === null) break;
    at = { path: next, length, known: whole.end, first: whole.first };
  }
  const leftovers = pieces
    .slice(place)
    .map((piece) => piece.path)
    .filter((left) => left !== path);
  const acknowledged = receipt !== null && receipt['file'] === path;
  const common = { next: cursor, acknowledged, leftovers };
  // A file that was set apart whole stays as it is, and the next one begins.
  if (at === null || (at.path !== path && at.known === at.length)) return { ...common, length: 0, first: null, comeBack: null };
  return { ...common, length: at.known, first: at.first, comeBack: at.path === path ? null : at.path };
}

async function extended({ ports }: SinkContext, piece: KnownPiece, below: Index): Promise<KnownPiece> {
  if (piece.known === piece.length) return piece;
  const whole = await withFile(ports.disk, piece.path, piece.length, async (file) =>
    file === null ? null : wholeLines(file, piece.known, piece.length, below),
  );
  return whole === null ? piece : { ...piece, known: whole.end };
}

/** Less than was acknowledged. Nothing is decided here: delivery sees that `next` is below its cursor, and can fill what is missing. */
async function shortened(path: string, length: number, receipt: FileReceipt, { ports }: SinkContext): Promise<Place> {
  const last = await withFile(ports.disk, path, length, async (file) => (file === null ? null : lastLine(file, length)));
  if (last !== null && last.end > 0 && last.index === null) throw foreign(path, 'does not end with a line as it was written');
  const common = { acknowledged: true, comeBack: null, leftovers: [] };
  if (last === null || last.index === null) return { ...common, next: receipt.start, length: 0, first: null };
  return { ...common, next: asIndex(last.index + 1), length: last.end, first: receipt.start };
}

function lost(path: string, length: number, receipt: FileReceipt): never {
  const message = `${path} has ${length} bytes where ${receipt.length} were acknowledged`;
  throw new WaybillError('DESTINATION_LOST_DATA', message, { facts: { path } });
}

async function checkEnd(file: DiskFile | null, path: string, receipt: FileReceipt, cursor: Index): Promise<void> {
  const last = file === null ? null : await lastLine(file, receipt.length);
  if (last === null || last.end !== receipt.length || last.index === null || last.index >= cursor) {
    throw foreign(path, `does not have the line that was acknowledged last, which ends at byte ${receipt.length}`);
  }
}

/** Lines that the ledger does not have are the last copy of them: they must not be cut. */
async function checkNotAhead(disk: Disk, pieces: readonly Piece[], { size }: SinkContext): Promise<void> {
  const newest = pieces.findLast(({ length }) => length > 0);
  if (newest === undefined || size === undefined) return;
  const last = await withFile(disk, newest.path, newest.length, async (file) => (file === null ? null : lastLine(file, newest.length)));
  if (last === null || last.index === null || last.index < size) return;
  const message = `${newest.path} has the entry ${last.index}, but the ledger has ${size} entries`;
  throw new WaybillError('LEDGER_REWOUND', message, { facts: { path: newest.path } });
}

async function checkMark(path: string, context: SinkContext): Promise<void> {
  const { disk } = context.ports;
  const mark = markPath(path);
  const length = (await disk.length(mark)) ?? 0;
  const text = await withFile(disk, mark, length, async (file) => Buffer.from((await file?.read(0, length)) ?? []).toString('utf8'));
  if (text !== markText(context)) throw foreign(path, 'already holds something that this destination has not written');
}

function foreign(path: string, what: string): WaybillError {
  return new WaybillError('DESTINATION_FOREIGN', `${path} ${what}`, { facts: { path } });
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
