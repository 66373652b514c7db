import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { TREE_SIZE_MAX } from './size.ts';
import { countAt, parseTilePath, partialWidth, type Tile, tilePath, tilesAt, tilesOf } from './tile.ts';

describe('the tiles of a tree', () => {
  test('paths as C2SP tlog-tiles writes them', () => {
    const rows: readonly (readonly [string, Tile])[] = [
      ['tile/0/000', { level: 0, n: 0, width: 256 }],
      ['tile/0/273.p/112', { level: 0, n: 273, width: 112 }],
      ['tile/1/x001/x234/067', { level: 1, n: 1_234_067, width: 256 }],
      ['tile/0/x001/067.p/5', { level: 0, n: 1_067, width: 5 }],
      ['tile/entries/273', { level: 'entries', n: 273, width: 256 }],
      ['tile/entries/x001/000.p/255', { level: 'entries', n: 1_000, width: 255 }],
      ['tile/6/000.p/31', { level: 6, n: 0, width: 31 }],
    ];
    for (const [path, tile] of rows) {
      assert.equal(tilePath(tile), path);
      assert.deepEqual(parseTilePath(path), tile);
    }
  });

  test('a resource has one name, and one that no tree can have has none', () => {
    for (const path of [
      '',
      'tile/0/0',
      'tile/0/0000',
      'tile/00/000',
      'tile/-1/000',
      'tile/0/x000/001',
      'tile/0/001/002',
      'tile/0/x001',
      'tile/0/000.p/0',
      'tile/0/000.p/05',
      'tile/0/000.p/256',
      'tile/0/000.p/999',
      'tile/0/000.p/',
      'tile/0/000/',
      '/tile/0/000',
      'tile/64/000',
      'tile/63/000.p/1',
      'tile/7/000.p/1',
      'tile/6/000.p/32',
      'tile/6/000',
      'tile/data/000',
      'tile/entries/x999/x999/x999/x999/x999/999',
      'tile/0/x001/x002/x003/x004/x005/x006/007',
      'tile/0/000\n',
      'tile/0/٠٠٠',
    ]) {
      assert.equal(parseTilePath(path), null, JSON.stringify(path));
    }
  });

  test('a tree of 70,000 has the tiles that the specification names', () => {
    const of = (level: Tile['level']): readonly Tile[] => [...tilesAt(level, 70_000)];
    assert.equal(of(0).length, 274);
    assert.deepEqual(of(0).at(-1), { level: 0, n: 273, width: 112 });
    assert.deepEqual(of(1), [
      { level: 1, n: 0, width: 256 },
      { level: 1, n: 1, width: 17 },
    ]);
    assert.deepEqual(of(2), [{ level: 2, n: 0, width: 1 }]);
    assert.equal([...tilesOf(70_000)].length, 274 * 2 + 3);
    assert.deepEqual([...tilesOf(256)].map(tilePath), ['tile/entries/000', 'tile/0/000', 'tile/1/000.p/1']);
    assert.deepEqual([...tilesOf(0)], []);
  });

  test('widths are exact for the largest tree', () => {
    const size = 2n ** 53n - 1n;
    for (let level = 0; level <= 8; level += 1) {
      assert.equal(partialWidth(level, TREE_SIZE_MAX), Number((size / 256n ** BigInt(level)) % 256n));
      assert.equal(countAt(level, TREE_SIZE_MAX), Number(size / 256n ** BigInt(level)));
    }
  });

  test('every tile of any tree has a path that names it', () => {
    fc.assert(
      fc.property(fc.nat({ max: 3_000_000 }), (size) => {
        for (const level of [1, 2] as const) {
          let hashes = 0;
          for (const tile of tilesAt(level, size)) {
            assert.deepEqual(parseTilePath(tilePath(tile)), tile);
            hashes += tile.width;
          }
          assert.equal(hashes, countAt(level, size));
        }
      }),
      { numRuns: 50 },
    );
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.constantFrom('entries' as const, 0, 1, 2, 3, 4, 5), fc.nat({ max: 255 }), (place, level, extra) => {
        const each = level === 'entries' ? 256 : 256 ** (level + 1);
        const tile: Tile = { level, n: Math.floor(place / each), width: extra + 1 };
        const parsed = parseTilePath(tilePath(tile));
        const fits = (BigInt(tile.n) * 256n + BigInt(tile.width)) * BigInt(each / 256) <= BigInt(TREE_SIZE_MAX);
        assert.deepEqual(parsed, fits ? tile : null);
      }),
      { numRuns: 2_000 },
    );
  });
});
