/**
 * Writes a log into a plain directory in the form of C2SP tlog-tiles, and goes on where it stopped. Nothing is believed: every hash is made
 * from the entries that are written, and the tree that comes out has to have the root that the log signed.
 */
import { WaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import { readBundle } from '../tlog/bundle.ts';
import type { Checkpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { encodeHash, type Hash, leafHash } from '../tlog/hash.ts';
import { TILE_WIDTH, type Tile, tilePath } from '../tlog/tile.ts';
import { type ExportAbout, ExportFolder, jsonBytes, NAMES } from './folder.ts';
import { type FilledTile, GrowingTiles, hashesOf, partialTiles } from './growing.ts';
import { openCheckpoint, type RangedKey, rangedKeys, sha256 } from './head.ts';
import type { ExportSource, LogFacts } from './source.ts';
import { verifyText } from './verify-text.ts';

/** What an export has to know. */
export interface ExportOptions {
  readonly directory: string;
  readonly source: ExportSource;
  /** Told now and then how many entries are written, of how many. */
  readonly onProgress: (entries: number, of: number) => void;
}

/** What was exported. */
export interface Exported {
  readonly origin: string;
  /** How many entries the head covers. */
  readonly size: number;
  /** Its root in base64. */
  readonly root: string;
  /** How many of them were new to the directory. */
  readonly added: number;
  /** The first entry whose bytes are there. */
  readonly begin: number;
}

/** How many tiles are asked for ahead of the one that is written. */
const AHEAD = 8;
const PROGRESS_EVERY = 256;

/**
 * Brings a directory up to the newest head that the log has published. `checkpoint` is replaced last, so that whatever happens the
 * directory is a whole export of the head in it; a run that was killed is gone on with. Rejects with `EXPORT_FOREIGN`, `EXPORT_MISMATCH`,
 * `EXPORT_DAMAGED`, `EXPORT_GAP`, `EXPORT_LOCKED`, `LEDGER_REWOUND`, and with what the disk or the log refuse.
 */
export async function writeExport(options: ExportOptions, { disk }: Pick<Ports, 'disk'>): Promise<Exported> {
  const facts = await options.source.facts();
  const folder = new ExportFolder(options.directory, disk);
  await refuseForeign(folder, facts.origin);
  const lock = await folder.lock();
  try {
    return await new Export(options, folder, facts).run();
  } finally {
    await lock.release();
  }
}

async function refuseForeign(folder: ExportFolder, origin: string): Promise<void> {
  const about = await folder.about();
  if (about !== null && about.origin !== origin)
    throw new WaybillError('EXPORT_FOREIGN', `${folder.path} is an export of ${about.origin} and not of ${origin}`);
  if (about !== null || (await folder.isEmpty())) return;
  if ((await folder.read(NAMES.lock)) === null) throw new WaybillError('EXPORT_FOREIGN', `${folder.path} is neither empty nor an export`);
}

/** One run. */
class Export {
  readonly #folder: ExportFolder;
  readonly #options: ExportOptions;
  readonly #facts: LogFacts;
  readonly #keys: readonly RangedKey[];

  constructor(options: ExportOptions, folder: ExportFolder, facts: LogFacts) {
    this.#options = options;
    this.#folder = folder;
    this.#facts = facts;
    this.#keys = rangedKeys(facts.keys);
  }

  async run(): Promise<Exported> {
    const { source } = this.#options;
    const { origin } = this.#facts;
    const bytes = await source.checkpoint();
    const head = this.#open(bytes, 'EXPORT_MISMATCH', `the checkpoint of ${origin}`);
    const before = await this.#before();
    this.#refuseShrunk(head, before);
    const about = await this.#about(before?.size ?? 0);
    const left = await this.#folder.unfinished();
    const sizes = [...new Set([...left, ...(before === null ? [] : [before.size]), head.size])];
    await this.#folder.replace(NAMES.unfinished, jsonBytes({ v: 1, sizes }));
    const tiles = await this.#stored(before);
    await this.#grow(tiles, head.size, about, left.length > 0);
    const root = await tiles.root();
    if (root !== head.root) throw this.#mismatch(`the entries of ${origin} below ${head.size} do not add up to its checkpoint`);
    await this.#writeBeside(head, bytes, about);
    await this.#folder.syncDirectories();
    await this.#folder.replace(NAMES.checkpoint, bytes);
    await this.#removeStale(sizes, head.size);
    await this.#folder.remove(NAMES.unfinished);
    return { origin, size: head.size, root: encodeHash(root), added: head.size - (before?.size ?? 0), begin: about.begin };
  }

  /** The head up to which the directory is whole. */
  async #before(): Promise<Checkpoint | null> {
    const bytes = await this.#folder.read(NAMES.checkpoint);
    await this.#refuseOtherKeys();
    return bytes === null ? null : this.#open(bytes, 'EXPORT_DAMAGED', `${this.#folder.path}/${NAMES.checkpoint}`);
  }

  /** Keys are added, and none of those that are known is taken back. */
  async #refuseOtherKeys(): Promise<void> {
    const given = new Set(this.#facts.keys.map(({ verifierKey, from }) => `${from} ${verifierKey}`));
    const other = (await this.#folder.keys()).find(({ verifierKey, from }) => !given.has(`${from} ${verifierKey}`));
    if (other !== undefined) throw this.#mismatch(`${this.#folder.path} knows the key ${other.verifierKey}, which the log does not name`);
  }

  #open(bytes: Uint8Array, code: 'EXPORT_DAMAGED' | 'EXPORT_MISMATCH', what: string): Checkpoint {
    try {
      return openCheckpoint(bytes, this.#facts.origin, this.#keys);
    } catch (error) {
      if (error instanceof TlogError) throw new WaybillError(code, `${what}: ${error.reason}`, { cause: error });
      throw error;
    }
  }

  #refuseShrunk(head: Checkpoint, before: Checkpoint | null): void {
    if (before === null || before.size < head.size || (before.size === head.size && before.root === head.root)) return;
    const { path } = this.#folder;
    if (before.size === head.size) throw this.#mismatch(`${path} and the log have different roots for ${head.size} entries`);
    throw new WaybillError('LEDGER_REWOUND', `${path} holds ${before.size} entries, and the log has published ${head.size}`);
  }

  async #about(size: number): Promise<ExportAbout> {
    const { origin, beginning } = this.#facts;
    const known = await this.#folder.about();
    const first = Math.ceil(beginning / TILE_WIDTH) * TILE_WIDTH;
    if (known === null) {
      const about = { origin, begin: first };
      await this.#folder.replace(NAMES.about, jsonBytes({ v: 1, ...about }));
      return about;
    }
    const next = Math.floor(size / TILE_WIDTH) * TILE_WIDTH;
    if (first > Math.max(known.begin, next)) {
      const lost = `entries ${Math.max(known.begin, next)} to ${first - 1}`;
      throw new WaybillError('EXPORT_GAP', `${this.#folder.path} ends before ${lost}, which the ledger no longer has`);
    }
    return known;
  }

  /** The tree that is there, as far as its checkpoint covers it. */
  async #stored(before: Checkpoint | null): Promise<GrowingTiles> {
    if (before === null) return new GrowingTiles(sha256);
    const filled: FilledTile[] = [];
    for (const tile of partialTiles(before.size)) filled.push({ tile, bytes: await this.#storedTile(tile) });
    const tiles = GrowingTiles.from(sha256, before.size, filled);
    if ((await tiles.root()) !== before.root)
      throw new WaybillError('EXPORT_DAMAGED', `the tiles in ${this.#folder.path} do not add up to its checkpoint`);
    return tiles;
  }

  async #storedTile(tile: Tile): Promise<Uint8Array> {
    const bytes = await this.#folder.readTile(tile);
    if (bytes?.length === tile.width * 32) return bytes;
    throw new WaybillError(
      'EXPORT_DAMAGED',
      `${this.#folder.path}/${tilePath(tile)} is ${bytes === null ? 'missing' : 'of another length'}`,
    );
  }

  /** Asks for and writes every tile and bundle up to `size`. What an unfinished run left whole is not asked for again. */
  async #grow(tiles: GrowingTiles, size: number, about: ExportAbout, resumed: boolean): Promise<void> {
    if (tiles.size === size) return;
    const writing = new Writing();
    try {
      await this.#growTo(size, tiles, { about, resumed, writing });
    } finally {
      // Also after a failure: nothing is written any more once the export is let go.
      await writing.end();
    }
    writing.throwFailure();
  }

  async #growTo(
    size: number,
    tiles: GrowingTiles,
    { about, resumed, writing }: { readonly about: ExportAbout; readonly resumed: boolean; readonly writing: Writing },
  ): Promise<void> {
    const known = tiles.reopen();
    const first = tiles.size / TILE_WIDTH;
    const end = Math.ceil(size / TILE_WIDTH);
    const at = (n: number): Tile => ({ level: 0, n, width: Math.min(TILE_WIDTH, size - n * TILE_WIDTH) });
    for await (const { tile, bytes, bundle } of ahead(first, end, (n) => this.#take(at(n), about, resumed))) {
      const leaves = bytes ?? this.#leaves(tile, bundle ?? new Uint8Array());
      if (tile.n === first) this.#compare(known, leaves, tiles.size);
      const full = tiles.add(leaves);
      await writing.begin(() => this.#write(tile, bundle, full));
      if ((tile.n + 1) % PROGRESS_EVERY === 0) this.#options.onProgress(tiles.size, size);
    }
    await writing.begin(() => this.#write(null, null, tiles.partials()));
  }

  /** The bundle first: a tile of level 0 says that its bundle is whole. */
  async #write(tile: Tile | null, bundle: Uint8Array | null, made: readonly FilledTile[]): Promise<void> {
    if (tile !== null && bundle !== null) await this.#folder.write(tilePath({ ...tile, level: 'entries' }), bundle);
    for (const { tile: own, bytes } of made) await this.#folder.write(tilePath(own), bytes);
  }

  /** The bundle of a tile, from the log; `bytes` are the leaves where there is no bundle to write. */
  async #take(tile: Tile, about: ExportAbout, resumed: boolean): Promise<Taken> {
    const { source } = this.#options;
    if (tile.n * TILE_WIDTH < about.begin) {
      const bytes = await source.tile(tile);
      if (bytes.length !== tile.width * 32) throw this.#mismatch(`${tilePath(tile)} of the log has ${bytes.length} bytes`);
      return { tile, bytes: hashesOf(bytes), bundle: null };
    }
    const whole = resumed ? await this.#whole(tile) : null;
    if (whole !== null) return { tile, bytes: whole, bundle: null };
    return { tile, bytes: null, bundle: await source.tile({ ...tile, level: 'entries' }) };
  }

  /** The leaves of a bundle that an unfinished run wrote, when it is what its tile says. */
  async #whole(tile: Tile): Promise<readonly Hash[] | null> {
    const stored = await this.#folder.readTile(tile);
    if (stored === null || stored.length !== tile.width * 32) return null;
    const bundle = await this.#folder.readTile({ ...tile, level: 'entries' });
    const leaves = bundle === null ? null : leavesOf(bundle, tile.width);
    return Array.isArray(leaves) && hashesOf(stored).every((hash, k) => hash === leaves[k]) ? leaves : null;
  }

  #leaves(tile: Tile, bundle: Uint8Array): readonly Hash[] {
    const leaves = leavesOf(bundle, tile.width);
    if (leaves instanceof TlogError) throw this.#mismatch(`${tilePath({ ...tile, level: 'entries' })} of the log: ${leaves.reason}`);
    return leaves;
  }

  /** Entries that were exported once never change. */
  #compare(known: readonly Hash[], leaves: readonly Hash[], first: number): void {
    const differs = known.findIndex((hash, k) => hash !== leaves[k]);
    if (differs >= 0) throw this.#mismatch(`entry ${first + differs} of the log is not the one that ${this.#folder.path} holds`);
  }

  async #writeBeside(head: Checkpoint, checkpoint: Uint8Array, about: ExportAbout): Promise<void> {
    const { facts, keys } = { facts: this.#facts, keys: this.#facts.keys };
    for (const note of facts.checkpoints) {
      const bytes = Buffer.from(note);
      const { size } = this.#open(bytes, 'EXPORT_MISMATCH', `an older checkpoint of ${facts.origin}`);
      if (size < head.size) await this.#keep(size, bytes);
    }
    await this.#keep(head.size, checkpoint);
    const shown = keys.map(({ verifierKey: vkey, from, through }) => ({ vkey, from, through }));
    await this.#folder.replace(NAMES.keys, jsonBytes({ v: 1, origin: facts.origin, keys: shown }));
    await this.#folder.replace(NAMES.key, Buffer.from(`${keys.at(-1)?.verifierKey}\n`));
    await this.#folder.replace(NAMES.policy, Buffer.from(facts.policy));
    await this.#folder.replace(NAMES.text, Buffer.from(verifyText({ ...about, size: head.size, vkey: keys.at(-1)?.verifierKey ?? '' })));
  }

  /** A head in the history is written once: a fresher one of the same size changes nothing that matters later. */
  async #keep(size: number, note: Uint8Array): Promise<void> {
    const name = `${NAMES.history}/${size}`;
    const kept = await this.#folder.read(name);
    if (kept === null || !this.#isWhole(kept)) await this.#folder.write(name, note);
  }

  #isWhole(note: Uint8Array): boolean {
    try {
      openCheckpoint(note, this.#facts.origin, this.#keys);
      return true;
    } catch (error) {
      if (error instanceof TlogError) return false;
      throw error;
    }
  }

  /** Partial tiles belong to the size that they were written for. */
  async #removeStale(sizes: readonly number[], size: number): Promise<void> {
    const now = new Set(partialNames(size));
    for (const name of new Set(sizes.flatMap(partialNames))) if (!now.has(name)) await this.#folder.remove(name);
    // Before it is forgotten that they may be there.
    await this.#folder.syncDirectories();
  }

  #mismatch(message: string): WaybillError {
    return new WaybillError('EXPORT_MISMATCH', message);
  }
}

interface Taken {
  readonly tile: Tile;
  /** The leaves, where they are known already. */
  readonly bytes: readonly Hash[] | null;
  /** What is to be written. */
  readonly bundle: Uint8Array | null;
}

/** The files of a size that are not those of every larger one: its partial tiles, and the bundle beside that of level 0. */
function partialNames(size: number): readonly string[] {
  return partialTiles(size).flatMap((tile) =>
    tile.level === 0 ? [tilePath(tile), tilePath({ ...tile, level: 'entries' })] : [tilePath(tile)],
  );
}

function leavesOf(bundle: Uint8Array, width: number): readonly Hash[] | TlogError {
  try {
    const { starts, ends } = readBundle(bundle, width);
    return Array.from(starts, (start, k) => leafHash(sha256, bundle, start, ends[k] as number));
  } catch (error) {
    if (error instanceof TlogError) return error;
    throw error;
  }
}

/** The results of `take` for each number in its order, some of them under way before they are needed. */
async function* ahead<Out>(first: number, end: number, take: (n: number) => Promise<Out>): AsyncGenerator<Out> {
  const under: Promise<Out>[] = [];
  try {
    for (let n = first; n < end || under.length > 0; ) {
      while (n < end && under.length < AHEAD) under.push(watched(take(n++)));
      yield await (under.shift() as Promise<Out>);
    }
  } finally {
    await Promise.allSettled(under);
  }
}

/** Files that are written beside one another: each waits for the disk, and the disk does several at once. */
class Writing {
  readonly #under = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  /** Begins to write once there is room. Rejects with what failed before. */
  async begin(write: () => Promise<void>): Promise<void> {
    while (this.#under.size >= AHEAD) await Promise.race(this.#under);
    this.throwFailure();
    const written: Promise<void> = write()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#under.delete(written));
    this.#under.add(written);
  }

  /** Waits for all of them, whatever became of them. */
  async end(): Promise<void> {
    await Promise.all(this.#under);
  }

  /** Throws the first failure, if there was one. */
  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}

/** Its failure is heard of in its turn, and must not end the process before. */
function watched<Out>(promise: Promise<Out>): Promise<Out> {
  promise.catch(() => undefined);
  return promise;
}
