import { TREE_SIZE_MAX } from './size.ts';

/** How many hashes a full tile has, and how many entries a full bundle: C2SP tlog-tiles. */
export const TILE_WIDTH = 256;

/** The highest tile level that a path may name: C2SP tlog-tiles. A tree of exact numbers has hashes on the levels 0 … 6. */
const LEVEL_MAX = 63;

/** One resource of C2SP tlog-tiles: the first `width` hashes of tile `n` at a level, or the first `width` entries of bundle `n`. */
export interface Tile {
  readonly level: number | 'entries';
  readonly n: number;
  /** 256 when full, else 1 … 255. */
  readonly width: number;
}

/** Where the tile is served and stored: `tile/0/x001/067.p/5`, `tile/entries/273`. */
export function tilePath(tile: Tile): string {
  const digits = String(tile.n);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.../g) ?? [];
  const place = groups.join('/x');
  const marked = groups.length > 1 ? `x${place}`.replace(/x(...)$/, '$1') : place;
  return `tile/${tile.level}/${marked}${tile.width === TILE_WIDTH ? '' : `.p/${tile.width}`}`;
}

/**
 * The tile that a path names; `null` unless it is exactly the path of a tile that a tree of exact numbers can have. Another spelling of the
 * same number is refused, so that a resource has one name.
 */
export function parseTilePath(path: string): Tile | null {
  const parts = PATH.exec(path);
  if (parts === null) return null;
  const [, level = '', groups = '', width] = parts;
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    n: Number(groups.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  if (tilePath(tile) !== path || (tile.level !== 'entries' && tile.level > LEVEL_MAX)) return null;
  if (width !== undefined && tile.width >= TILE_WIDTH) return null;
  return (tile.n * TILE_WIDTH + tile.width) * leavesEach(tile.level) > TREE_SIZE_MAX ? null : tile;
}

/** How many hashes, or entries, a tree of `size` leaves has at a level: floor(size / 256^level). */
export function countAt(level: Tile['level'], size: number): number {
  // The divisor is a power of two, so the quotient is exact.
  return Math.floor(size / leavesEach(level));
}

/** The width of the partial tile at a level of a tree of `size` leaves: floor(size / 256^level) mod 256. There is none where it is 0. */
export function partialWidth(level: Tile['level'], size: number): number {
  return countAt(level, size) % TILE_WIDTH;
}

/** Every tile of one level of a tree of `size` leaves, from the left: the full ones, then the partial one if there is one. */
export function* tilesAt(level: Tile['level'], size: number): Generator<Tile, void, undefined> {
  const full = Math.floor(countAt(level, size) / TILE_WIDTH);
  for (let n = 0; n < full; n += 1) yield { level, n, width: TILE_WIDTH };
  const width = partialWidth(level, size);
  if (width > 0) yield { level, n: full, width };
}

/** Every tile of a tree of `size` leaves: the bundles of entries first, then the hashes level by level. */
export function* tilesOf(size: number): Generator<Tile, void, undefined> {
  yield* tilesAt('entries', size);
  for (let level = 0; countAt(level, size) > 0; level += 1) yield* tilesAt(level, size);
}

/** How many leaves one hash of a level stands for. */
function leavesEach(level: Tile['level']): number {
  return level === 'entries' ? 1 : TILE_WIDTH ** level;
}

const PATH = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;
