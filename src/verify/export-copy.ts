import type { Files } from '../contracts/ports.ts';
import { parseCheckpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { HASH_BYTES } from '../tlog/hash.ts';
import { parseNote } from '../tlog/note.ts';
import { parseSize } from '../tlog/size.ts';
import { countAt, parseTilePath, partialWidth, TILE_WIDTH, type Tile, tilePath, tilesAt } from '../tlog/tile.ts';
import type { Copy, FindingPiece, HeadPiece, Piece } from './copy.ts';
import type { EntryBytes } from './hashing.ts';
import { claimedSize } from './head-check.ts';
import { type OpenedCopy, readWhole } from './ledger-copy.ts';

/** How many bundles are read ahead, and how many files may wait to be taken. */
const AHEAD = 8;
const AHEAD_MAX = 256;

/** What lies in an export beside tiles and heads. */
const KNOWN: readonly string[] = [
  'checkpoint',
  'checkpoints',
  'export.json',
  'keys.json',
  'lock',
  'log.vkey',
  'policy',
  'tile',
  'unfinished',
  'VERIFY.txt',
];

/** Opens a directory in the form of C2SP tlog-tiles: an export, an archive, or a mirror of what `/tlog/` serves. */
export async function openExportCopy(path: string, files: Files): Promise<OpenedCopy> {
  const note = await readWhole(files, `${path}/checkpoint`);
  if (note === null) return fail('HEAD_MISSING', `${path} has no file \`checkpoint\``);
  try {
    const { origin, size } = parseCheckpoint(parseNote(note).text);
    const begin = await readBegin(files, path);
    return { ok: true, copy: new ExportCopy(path, files, { origin, size, note, begin }) };
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    return fail('HEAD_INVALID', `${path}/checkpoint is not a signed head: ${error.reason}`);
  }
}

/** What was read of an export when it was opened. */
interface ExportFacts {
  readonly origin: string;
  readonly size: number;
  readonly note: Buffer;
  /** The first entry whose bundle belongs to the export. */
  readonly begin: number;
}

function fail(code: 'HEAD_MISSING' | 'HEAD_INVALID', message: string): OpenedCopy {
  return { ok: false, finding: { code, message, index: 0, file: 'checkpoint' } };
}

function extra(file: string, why: string): FindingPiece {
  return { kind: 'finding', code: 'FILE_EXTRA', message: `${file} ${why}`, file, index: null };
}

class ExportCopy implements Copy {
  readonly what = 'export';
  readonly growing = false;
  readonly allTiles = true;
  readonly origin: string;
  readonly #path: string;
  readonly #files: Files;
  readonly #facts: ExportFacts;
  /** Files that are being read, by their paths, until somebody takes them. */
  readonly #ahead = new Map<string, Promise<Buffer | null>>();
  #aheadOf = -1;

  constructor(path: string, files: Files, facts: ExportFacts) {
    this.#path = path;
    this.#files = files;
    this.#facts = facts;
    this.origin = facts.origin;
  }

  async *pieces(): AsyncGenerator<Piece> {
    const { size, note, begin } = this.#facts;
    if (begin > 0) yield { kind: 'gap', first: 0, end: begin, declared: true };
    const history = await this.#historySizes();
    for (const tile of tilesAt('entries', size)) {
      const first = tile.n * TILE_WIDTH;
      if (first < begin) continue;
      for (let n = tile.n; n < tile.n + AHEAD; n += 1) this.#readAhead(n);
      yield* this.#entries(tile.n);
      for (; (history[0] ?? Number.POSITIVE_INFINITY) <= first + tile.width; history.shift()) yield* this.#older(history[0] as number);
    }
    for (const rest of history) yield* this.#older(rest);
    yield { kind: 'head', note, size, file: 'checkpoint', sampled: false };
  }

  async tile(level: number, n: number, width: number): Promise<Uint8Array | null> {
    // The tile of a smaller tree is the beginning of the one that is here.
    const own = Math.min(TILE_WIDTH, countAt(level, this.#facts.size) - n * TILE_WIDTH);
    if (own < width) return null;
    const bytes = await this.#read(tilePath({ level, n, width: own }));
    return bytes === null || bytes.length !== own * HASH_BYTES ? null : bytes.subarray(0, width * HASH_BYTES);
  }

  tileFile(level: number, n: number, width: number): string {
    return tilePath({ level, n, width });
  }

  async bundle(n: number): Promise<EntryBytes | null> {
    for await (const piece of this.#entries(n)) if (piece.kind === 'entries') return piece;
    return null;
  }

  entryFile(index: number): string | null {
    const n = Math.floor(index / TILE_WIDTH);
    return n * TILE_WIDTH < this.#facts.size ? tilePath({ level: 'entries', n, width: this.#widthOf(n) }) : 'checkpoint';
  }

  async *leftovers(): AsyncGenerator<FindingPiece> {
    const names = (await this.#files.list(this.#path)) ?? [];
    if (names.includes('unfinished')) {
      // Files of the next head may be there too, whole or not.
      yield extra('unfinished', 'says that an export into this directory was interrupted, or runs');
      return;
    }
    for (const name of names) if (!KNOWN.includes(name) && !name.endsWith('.tmp')) yield extra(name, 'is no file of an export');
    for (const name of (await this.#files.list(`${this.#path}/checkpoints`)) ?? []) {
      if (parseSize(name) === null) yield extra(`checkpoints/${name}`, 'is not named by the size of a head');
    }
    for await (const file of this.#tileFiles('tile')) {
      const tile = parseTilePath(file);
      if (tile === null) yield extra(file, 'is not the path of a tile');
      else if (!this.#belongs(tile)) yield extra(file, `is no tile of a tree of ${this.#facts.size} entries`);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async *#entries(n: number): AsyncGenerator<Piece> {
    const width = this.#widthOf(n);
    const first = n * TILE_WIDTH;
    const file = tilePath({ level: 'entries', n, width });
    const bytes = await this.#read(file);
    if (bytes === null) {
      const message = `entries ${first} to ${first + width - 1} are not there: ${file} is missing`;
      yield { kind: 'finding', code: 'FILE_MISSING', message, file, index: first };
      yield { kind: 'gap', first, end: first + width, declared: false };
      return;
    }
    const { starts, ends, over } = splitBundle(bytes, width);
    const whole = first + starts.length;
    yield { kind: 'entries', first, bytes, starts, ends, file };
    if (over > 0) {
      yield { kind: 'finding', code: 'BYTES_EXTRA', message: `${file} has ${over} bytes behind its ${width} entries`, file, index: null };
    }
    if (whole === first + width) return;
    const message = `entries ${whole} to ${first + width - 1} are not there: ${file} ends within them`;
    yield { kind: 'finding', code: 'BYTES_DAMAGED', message, file, index: whole };
    yield { kind: 'gap', first: whole, end: first + width, declared: false };
  }

  /**
   * Begins to read a bundle and its hashes: there are many small files, and waiting for one after the other would take most of the time.
   */
  #readAhead(n: number): void {
    const width = this.#widthOf(n);
    if (n <= this.#aheadOf || width <= 0 || this.#ahead.size > AHEAD_MAX) return;
    this.#aheadOf = n;
    for (const level of ['entries', 0] as const) {
      const path = tilePath({ level, n, width });
      const reading = readWhole(this.#files, `${this.#path}/${path}`);
      // Whoever takes it hears of a failure; nobody may.
      reading.catch(() => {});
      this.#ahead.set(path, reading);
    }
  }

  #read(path: string): Promise<Buffer | null> {
    const reading = this.#ahead.get(path);
    this.#ahead.delete(path);
    return reading ?? readWhole(this.#files, `${this.#path}/${path}`);
  }

  #widthOf(n: number): number {
    return Math.min(TILE_WIDTH, this.#facts.size - n * TILE_WIDTH);
  }

  async *#older(size: number): AsyncGenerator<HeadPiece> {
    const file = `checkpoints/${size}`;
    const note = await readWhole(this.#files, `${this.#path}/${file}`);
    if (note !== null) yield { kind: 'head', note, size: claimedSize(note), file, sampled: false };
  }

  async #historySizes(): Promise<number[]> {
    const names = (await this.#files.list(`${this.#path}/checkpoints`)) ?? [];
    return names.flatMap((name) => parseSize(name) ?? []).toSorted((a, b) => a - b);
  }

  /** Whether a tile is one of this tree, and its entries are to be here. */
  #belongs({ level, n, width }: Tile): boolean {
    const { size, begin } = this.#facts;
    if (level === 'entries' && n * TILE_WIDTH < begin) return false;
    const full = Math.floor(countAt(level, size) / TILE_WIDTH);
    return width === TILE_WIDTH ? n < full : n === full && width === partialWidth(level, size);
  }

  /** Every file below a directory, relative to the export. */
  async *#tileFiles(directory: string): AsyncGenerator<string> {
    for (const name of (await this.#files.list(`${this.#path}/${directory}`)) ?? []) {
      const path = `${directory}/${name}`;
      const facts = await this.#files.stat(`${this.#path}/${path}`);
      if (facts === null || facts.regular) yield path;
      else yield* this.#tileFiles(path);
    }
  }
}

/** The entries at the beginning of a bundle that are whole, at most `width`, and how many bytes lie behind them when those are all. */
export function splitBundle(bytes: Uint8Array, width: number): { starts: Uint32Array; ends: Uint32Array; over: number } {
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  while (starts.length < width && at + 2 <= bytes.length) {
    const end = at + 2 + (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
    if (end > bytes.length) break;
    starts.push(at + 2);
    ends.push(end);
    at = end;
  }
  const over = starts.length === width ? bytes.length - at : 0;
  return { starts: Uint32Array.from(starts), ends: Uint32Array.from(ends), over };
}

/** From which entry on the export has bundles; what was removed by retention before it began is not in it. */
async function readBegin(files: Files, path: string): Promise<number> {
  const bytes = await readWhole(files, `${path}/export.json`);
  if (bytes === null) return 0;
  try {
    const { begin } = JSON.parse(bytes.toString('utf8')) as { readonly begin: unknown };
    if (Number.isSafeInteger(begin) && (begin as number) >= 0 && (begin as number) % TILE_WIDTH === 0) return begin as number;
  } catch {
    // Whatever it says instead: every bundle is asked for then.
  }
  return 0;
}
