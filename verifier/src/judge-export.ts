import { GrowingTiles, hashesOf } from '../../src/export/growing.ts';
import { readBundle } from '../../src/tlog/bundle.ts';
import { type Hash, leafHash } from '../../src/tlog/hash.ts';
import { sha256 } from '../../src/tlog/sha256.ts';
import { parseSize } from '../../src/tlog/size.ts';
import { TILE_WIDTH, type Tile, tilePath, tilesOf } from '../../src/tlog/tile.ts';
import { headFacts, keysOf, messageOf, openHead, type SignedHead } from './signed-head.ts';
import { Fault, type Verdict } from './verdict.ts';

/** The files of a folder that was opened. */
export interface FolderFiles {
  /** The paths of all of them, from the folder. */
  readonly names: readonly string[];
  /** A file whole; `null` when it is not there. */
  read(name: string): Promise<Uint8Array | null>;
}

const BESIDE: readonly string[] = ['checkpoint', 'export.json', 'keys.json', 'log.vkey', 'policy', 'VERIFY.txt', 'lock'];
const WHAT =
  'Keep this copy: it is evidence. Take another one from the log, and compare both; `waybill verify export` says more about where they differ.';

/** The first place where something does not fit. */
interface Place {
  readonly index: number;
  readonly file: string;
}

/** Whether a folder is a whole export, and all of it is under its signed head. One bundle at a time is in memory. */
export async function judgeExport(
  files: FolderFiles,
  keyText: string,
  onProgress: (entries: number, of: number) => void,
): Promise<Verdict> {
  try {
    return await new Judging(files, onProgress).judge(keyText);
  } catch (error) {
    return error instanceof Fault ? error.verdict(WHAT) : new Fault(`The copy does not hold: ${messageOf(error)}.`).verdict(WHAT);
  }
}

class Judging {
  readonly #files: FolderFiles;
  readonly #onProgress: (entries: number, of: number) => void;
  readonly #tree = new GrowingTiles(sha256);
  /** The tree over the hashes that the copy has, once they are not those of its entries. */
  #told: GrowingTiles | null = null;
  /** The first entry that is another one than the copy has a hash of. */
  #entry: Place | null = null;
  /** The first hash of a file that is another one than its entries make. */
  #hash: Place | null = null;
  /** An older head that is one of another tree. */
  #wrongHead: string | null = null;
  readonly #older = new Map<number, SignedHead[]>();

  constructor(files: FolderFiles, onProgress: (entries: number, of: number) => void) {
    this.#files = files;
    this.#onProgress = onProgress;
  }

  async judge(keyText: string): Promise<Verdict> {
    const note = await this.#files.read('checkpoint');
    if (note === null) throw new Fault('There is no file “checkpoint” in this folder: it is no export, or one that was never finished.');
    const given = keysOf(keyText);
    const keys = given.length > 0 ? given : keysOf(await this.#ownKeys());
    const head = openHead(note, keys);
    const begin = await this.#begin(head.size);
    await this.#readHistory(keys, head);
    this.#refuseForeign(head.size, begin);
    for (let n = 0; n * TILE_WIDTH < head.size; n += 1) {
      await this.#judgeTile({ level: 0, n, width: Math.min(TILE_WIDTH, head.size - n * TILE_WIDTH) }, begin);
      this.#onProgress(this.#tree.size, head.size);
    }
    if (head.size % TILE_WIDTH === 0) await this.#compareOlder(head.size / TILE_WIDTH, []);
    for (const { tile, bytes } of this.#tree.partials()) if (tile.level !== 0) await this.#compareTile(tile, bytes);
    await this.#compareRoot(head);
    return this.#verdict(head, begin, given.length > 0);
  }

  #verdict(head: SignedHead, begin: number, confirmed: boolean): Verdict {
    const older = [...this.#older.values()].reduce((sum, heads) => sum + heads.length, 0);
    const range = begin === 0 ? `all ${head.size.toLocaleString('en-US')}` : `${begin} to ${head.size - 1}; below as hashes only`;
    const facts = [...headFacts(head), ['Entries checked', range], ['Older heads checked', String(older)]] as const;
    if (confirmed) {
      const what =
        'Every entry is at its place with exactly its bytes, and every file of hashes is theirs. Whether there is a newer head is for a witness ' +
        'or another copy to say: compare the size and the root.';
      return { kind: 'verified', title: `This is a whole and unchanged copy of ${head.origin}.`, what, facts };
    }
    const what =
      'The copy fits the key that came with it, and so does one that was forged together with its key. Compare the key below with the one that ' +
      'the owner of the log gave you, paste that, and check again.';
    const keys = head.signatures.map(({ key }) => ['Key of the copy', `${key.name}+${key.id}`] as const);
    return { kind: 'unconfirmed', title: 'It adds up, under a key that nobody has compared.', what, facts: [...facts, ...keys] };
  }

  async #ownKeys(): Promise<string> {
    const own = await this.#files.read('log.vkey');
    if (own === null) throw new Fault('There is no key: paste the one of the log. The folder has none either (“log.vkey” is missing).');
    return new TextDecoder().decode(own);
  }

  async #begin(size: number): Promise<number> {
    const about = await this.#files.read('export.json');
    if (about === null) return 0;
    const { begin } = JSON.parse(new TextDecoder().decode(about)) as { readonly begin?: unknown };
    if (typeof begin === 'number' && Number.isSafeInteger(begin) && begin >= 0 && begin <= size && begin % TILE_WIDTH === 0) return begin;
    throw new Fault('“export.json” does not say with which entry the copy begins.');
  }

  async #readHistory(keys: Parameters<typeof openHead>[1], head: SignedHead): Promise<void> {
    for (const name of this.#files.names.filter((file) => file.startsWith('checkpoints/'))) {
      const size = parseSize(name.slice('checkpoints/'.length));
      const note = await this.#files.read(name);
      const older = note === null ? null : openHead(note, keys);
      if (older === null || older.size !== size || older.origin !== head.origin || older.size > head.size)
        throw new Fault(`“${name}” is not an older head of this log.`);
      const tile = Math.floor(older.size / TILE_WIDTH);
      this.#older.set(tile, [...(this.#older.get(tile) ?? []), older]);
    }
  }

  #refuseForeign(size: number, begin: number): void {
    const expected = new Set(BESIDE);
    for (const tile of tilesOf(size)) if (tile.level !== 'entries' || tile.n * TILE_WIDTH >= begin) expected.add(tilePath(tile));
    const unfinished = this.#files.names.includes('unfinished');
    if (unfinished)
      throw new Fault('This export was interrupted (there is a file “unfinished”): run `waybill export` again, then check it.');
    const foreign = this.#files.names.find((name) => !expected.has(name) && !name.startsWith('checkpoints/'));
    if (foreign !== undefined) throw new Fault(`“${foreign}” does not belong to this copy: nobody signed what is in it.`);
  }

  async #judgeTile(tile: Tile, begin: number): Promise<void> {
    const stored = await this.#tile(tile);
    const leaves = tile.n * TILE_WIDTH < begin ? stored : await this.#leaves({ ...tile, level: 'entries' });
    const differs = leaves.findIndex((hash, k) => hash !== stored[k]);
    if (differs >= 0) {
      this.#told ??= this.#tree.copy();
      const index = tile.n * TILE_WIDTH + differs;
      this.#entry ??= { index, file: tilePath({ ...tile, level: 'entries' }) };
      this.#hash ??= { index, file: tilePath(tile) };
    }
    await this.#compareOlder(tile.n, leaves);
    this.#told?.add(stored);
    for (const full of this.#tree.add(leaves)) if (full.tile.level !== 0) await this.#compareTile(full.tile, full.bytes);
  }

  /** Compares the older heads that end in a tile. */
  async #compareOlder(n: number, leaves: readonly Hash[]): Promise<void> {
    for (const older of this.#older.get(n) ?? []) {
      const root = await this.#tree.rootWith(leaves.slice(0, older.size - n * TILE_WIDTH));
      if (root !== older.root) this.#wrongHead ??= `checkpoints/${older.size}`;
    }
  }

  async #tile(tile: Tile): Promise<Hash[]> {
    const bytes = await this.#files.read(tilePath(tile));
    if (bytes?.length === tile.width * 32) return hashesOf(bytes);
    throw missing(tile, bytes === null ? 'is missing' : `has ${bytes.length} bytes and not ${tile.width * 32}`);
  }

  async #leaves(tile: Tile): Promise<Hash[]> {
    const bundle = await this.#files.read(tilePath(tile));
    if (bundle === null) throw missing(tile, 'is missing');
    try {
      const { starts, ends } = readBundle(bundle, tile.width);
      return Array.from(starts, (start, k) => leafHash(sha256, bundle, start, ends[k] ?? start));
    } catch (error) {
      throw missing(tile, `is not whole: ${messageOf(error)}`);
    }
  }

  async #compareTile(tile: Tile, made: Uint8Array): Promise<void> {
    const stored = await this.#tile(tile);
    const differs = hashesOf(made).findIndex((hash, k) => hash !== stored[k]);
    if (differs < 0) return;
    const index = (tile.n * TILE_WIDTH + differs) * TILE_WIDTH ** Number(tile.level);
    if (this.#hash === null || index < this.#hash.index) this.#hash = { index, file: tilePath(tile) };
  }

  async #compareRoot(head: SignedHead): Promise<void> {
    const facts = headFacts(head);
    if ((await this.#tree.root()) === head.root) {
      const wrong = this.#hash?.file ?? this.#wrongHead;
      if (wrong === null) return;
      throw new Fault(`The entries are those that were signed, and what is in “${wrong}” is not theirs.`, facts);
    }
    if (this.#entry !== null && (await this.#told?.root()) === head.root)
      throw new Fault(`Entry ${this.#entry.index} is not the one that was signed.`, [...placeFacts(this.#entry), ...facts]);
    const where =
      this.#hash === null ? 'nothing in the copy says where' : `the first hash that does not fit stands for entry ${this.#hash.index}`;
    throw new Fault(`The entries do not add up to the signed head: ${where}.`, [
      ...(this.#hash === null ? [] : placeFacts(this.#hash)),
      ...facts,
    ]);
  }
}

function placeFacts({ index, file }: Place): Verdict['facts'] {
  return [
    ['Lowest index', String(index)],
    ['File', file],
  ];
}

function missing(tile: Tile, how: string): Fault {
  const each = tile.level === 'entries' ? 1 : TILE_WIDTH ** tile.level;
  const index = tile.n * TILE_WIDTH * each;
  const file = tilePath(tile);
  return new Fault(`“${file}” ${how}.`, [
    ['Lowest index', String(index)],
    ['File', file],
  ]);
}
