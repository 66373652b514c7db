import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { DIRECTORY, entryOf, naiveHash, naiveRoot, naiveTile, ORIGIN, TreeWorld } from '../../test/crash/tree-world.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { decodeHash, leafHash } from '../tlog/hash.ts';
import { checkConsistency, checkInclusion } from '../tlog/proof.ts';
import { tilesOf } from '../tlog/tile.ts';
import { sha256 } from './grow.ts';
import { packHeader, RECORD_BYTES } from './pack-format.ts';

const PACK = `${DIRECTORY}/packs/0-000000000000.pack`;

/** A world whose tree has taken in so many entries, in steps that never end where a tile does. */
async function worldOf(size: number, options: ConstructorParameters<typeof TreeWorld>[0] = {}): Promise<TreeWorld> {
  const world = new TreeWorld(options);
  await world.start();
  for (let at = 0; at < size; ) {
    at = Math.min(size, at + (at < 2_000 ? 300 : 3_777));
    await world.grow(at);
  }
  return world;
}

/** Compares tiles with the naive tree: all of them, or every `each`th. */
async function assertTiles(world: TreeWorld, size: number, each = 1): Promise<void> {
  let k = 0;
  for (const { level, n, width } of tilesOf(size)) {
    if (level === 'entries' || k++ % each !== 0) continue;
    const tile = await world.open.tile(level, n, width);
    assert.ok(tile !== null && naiveTile(level, n, width).equals(tile), `tile ${level}/${n}.p/${width} of ${size}`);
  }
  assert.equal(world.open.head().root, naiveRoot(0, world.size).toString('base64'));
}

function text(hash: Buffer): string {
  return hash.toString('latin1');
}

describe('the tiles of the tree', () => {
  test('are those of the definition at every size around a tile and a pack, also when they were partial before', async () => {
    const world = await worldOf(1);
    for (const size of [2, 255, 256, 257, 511, 512, 1_000, 65_535, 65_536, 65_537, 66_000]) {
      await world.grow(size);
      await assertTiles(world, size, size > 1_000 ? 7 : 1);
      for (const older of [1, 200, 256, 300, 999]) if (older <= size) await assertTiles(world, older);
    }
    assert.equal(await world.open.tile(0, 258, 256), null);
    assert.equal(await world.open.tile(0, 257, 209), null);
    assert.ok((await world.open.tile(0, 257, 208)) !== null);
    assert.equal(await world.open.tile(3, 0, 1), null);
    await world.stop();
  });

  test('go on from the stored edge after a clean stop, without an entry read again', async () => {
    const world = await worldOf(70_000);
    await world.stop();
    await world.start();
    await assertTiles(world, 70_000, 11);
    assert.deepEqual([world.reads.length, world.warnings.length], [0, 0]);
    await world.grow(70_300);
    await assertTiles(world, 70_300, 13);
    assert.equal(world.reads[0], 70_000);
    await world.stop();
  });

  test('hashes, roots of older sizes and proofs are those of the definition', async () => {
    const world = await worldOf(66_001);
    const tree = world.open;
    for (const [level, index] of [
      [0, 0],
      [0, 66_000],
      [3, 100],
      [8, 3],
      [9, 1],
      [13, 4],
      [16, 0],
    ] as const)
      assert.equal(await tree.hash(level, index), text(naiveHash(level, index)), `${level}/${index}`);
    await assert.rejects(tree.hash(16, 1), RangeError);
    for (const size of [0, 1, 2, 3, 255, 256, 777, 65_535, 65_536, 65_537, 66_001]) {
      assert.equal(await tree.root(asSize(size)), naiveRoot(0, size).toString('base64'));
      for (const index of [0, Math.floor(size / 2), size - 1]) {
        if (index < 0 || index >= size) continue;
        const proof = await tree.inclusion(asIndex(index), asSize(size));
        const [leaf, entry] = [text(naiveHash(0, index)), entryOf(index)];
        assert.equal(leafHash(sha256, entry, 0, entry.length), leaf);
        assert.ok(checkInclusion(sha256, { size, index, leaf, proof, root: text(naiveRoot(0, size)) }), `${index} in ${size}`);
      }
      const proof = await tree.consistency(asSize(size), asSize(66_001));
      const [fromRoot, toRoot] = [text(naiveRoot(0, size)), text(naiveRoot(0, 66_001))];
      assert.ok(checkConsistency(sha256, { from: size, to: 66_001, fromRoot, toRoot, proof }), `from ${size}`);
      assert.equal(decodeHash(await tree.root(asSize(66_001))), toRoot);
    }
    await world.stop();
  });

  test('a pack that is lost, cut, flipped or of another log is made again from the entries', async () => {
    const harm: Record<string, (world: TreeWorld) => void> = {
      lost: ({ disk }) => disk.lose(PACK),
      cut: ({ disk }) => disk.cut(PACK, 64 + 3 * RECORD_BYTES + 100),
      flipped: ({ disk }) => disk.flip(PACK, 64 + 2 * RECORD_BYTES + 17, 3),
      'named as another tile': ({ disk }) => disk.flip(PACK, 64 + 2 * RECORD_BYTES + 8_192, 0),
      'of another log': ({ disk }) => disk.overwrite(PACK, packHeader('other.example/log', { level: 0, n: 0 }), 0),
    };
    for (const [name, act] of Object.entries(harm)) {
      const world = await worldOf(1_500);
      await world.stop();
      act(world);
      await world.start();
      await assertTiles(world, 1_500);
      assert.deepEqual(world.warnings, ['a pack of the tree lacked a tile, which is made again'], name);
      await world.stop();
      world.warnings.length = 0;
      await world.start();
      await assertTiles(world, 1_500);
      assert.deepEqual(world.warnings, [], `${name}: it is still lacking`);
      await world.stop();
    }
  });

  test('a pack whose header is damaged keeps its tiles, and gets its header again', async () => {
    const world = await worldOf(1_500);
    await world.open.pin(asSize(1_280));
    world.beginning = 1_280;
    await world.stop();
    for (const at of [0, 8, 30, 61]) {
      world.disk.flip(PACK, at, 1);
      for (let life = 0; life < 2; life++) {
        await world.start();
        await assertTiles(world, 1_500);
        await world.stop();
      }
      assert.deepEqual(world.warnings, [], `byte ${at}`);
      assert.ok(
        world.disk
          .bytesOf(PACK)
          .subarray(0, 64)
          .equals(packHeader(ORIGIN, { level: 0, n: 0 })),
        `byte ${at}`,
      );
    }
  });

  test('a lost tile of an upper level is made again from those below, and the daily check finds it', async () => {
    const world = await worldOf(66_000);
    await world.stop();
    world.disk.flip(PACK, 64 + 256 * RECORD_BYTES + 5, 0);
    await world.start();
    assert.deepEqual(await world.open.scrub(new AbortController().signal), { tiles: 258, lost: 0 });
    assert.deepEqual([world.reads.length, world.warnings.length], [0, 1]);
    await assertTiles(world, 66_000, 50);
    await world.stop();
  });

  test('entries that were changed are damage when their lost hashes are made again', async () => {
    const world = await worldOf(1_500);
    await world.stop();
    world.disk.flip(PACK, 64 + RECORD_BYTES, 0);
    world.changed = 300;
    await world.start();
    await assert.rejects(world.open.tile(0, 1, 256), { code: 'LEDGER_CORRUPT', message: /entries 256 to 511/ });
    await assert.rejects(world.open.scrub(new AbortController().signal), { code: 'LEDGER_CORRUPT' });
    await world.stop();
  });
});

describe('the tree and retention', () => {
  test('what was removed can still be proved, and everything after it', async () => {
    const world = await worldOf(2_000);
    await world.open.pin(asSize(1_024));
    world.beginning = 1_024;
    await world.stop();
    await world.start();
    await world.grow(3_000);
    await assertTiles(world, 3_000);
    assert.deepEqual(await world.open.scrub(new AbortController().signal), { tiles: 11, lost: 0 });
    await world.stop();
  });

  test('does not let entries go whose hashes in the packs are damaged and cannot be made again rightly', async () => {
    const world = await worldOf(2_000);
    world.disk.flip(PACK, 64 + RECORD_BYTES, 0);
    await world.open.pin(asSize(512));
    world.beginning = 512;
    assert.equal(world.warnings.length, 1);
    world.disk.flip(PACK, 64 + 2 * RECORD_BYTES, 0);
    world.changed = 600;
    await assert.rejects(world.open.pin(asSize(1_024)), { code: 'LEDGER_CORRUPT' });
    await world.stop();
  });

  test('with all its files lost it goes on from where retention came, and proves what is there', async () => {
    const world = await worldOf(70_000);
    await world.open.pin(asSize(66_560));
    world.beginning = 66_560;
    await world.stop();
    for (const path of world.disk.paths()) world.disk.lose(path);
    await world.start();
    await world.grow(140_000);
    for (let round = 0; round < 2; round++) {
      const tree = world.open;
      assert.equal(tree.head().root, naiveRoot(0, 140_000).toString('base64'));
      for (const index of [66_560, 66_600, 69_999, 139_999]) {
        const proof = await tree.inclusion(asIndex(index), asSize(140_000));
        const claim = { size: 140_000, index, leaf: text(naiveHash(0, index)), proof, root: text(naiveRoot(0, 140_000)) };
        assert.ok(checkInclusion(sha256, claim), `${index}`);
      }
      for (const from of [66_560, 70_001, 131_072]) {
        const proof = await tree.consistency(asSize(from), asSize(140_000));
        const [fromRoot, toRoot] = [text(naiveRoot(0, from)), text(naiveRoot(0, 140_000))];
        assert.ok(checkConsistency(sha256, { from, to: 140_000, fromRoot, toRoot, proof }), `${from}`);
      }
      await assert.rejects(tree.hash(0, 3), { code: 'LEDGER_PRUNED' });
      assert.equal(await tree.tile(0, 0, 256), null);
      assert.equal(await tree.tile(1, 1, 256), null);
      assert.ok(naiveTile(0, 300, 256).equals((await tree.tile(0, 300, 256)) as Uint8Array));
      assert.deepEqual((await tree.scrub(new AbortController().signal)).lost, 262);
      // What is known of the past is in the stored edge too.
      await world.stop();
      await world.start();
    }
    await world.stop();
  });

  test('with only its edge lost it still has the hashes that are in the packs', async () => {
    const world = await worldOf(70_000);
    await world.open.pin(asSize(66_560));
    world.beginning = 66_560;
    await world.stop();
    world.disk.lose(`${DIRECTORY}/edge`);
    await world.start();
    await world.grow(70_100);
    await assertTiles(world, 70_100, 3);
    await world.stop();
  });
});

describe('a full disk', () => {
  test('delays the tree, which says so, and goes on by itself', async () => {
    const world = await worldOf(1_000);
    world.disk.full = true;
    world.grown(3_000);
    while (world.warnings.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.match(world.warnings[0] ?? '', /no space for the hashes of the tree, which waits/);
    assert.equal(world.open.size(), 1_000);
    assert.equal(world.open.status().fault?.code, 'DISK_FULL');
    assert.equal(world.open.head().root, naiveRoot(0, 1_000).toString('base64'));
    world.disk.full = false;
    await world.reached();
    await assertTiles(world, 3_000);
    assert.equal(world.warnings.length, 1);
    assert.deepEqual(world.open.status(), { bytes: 11 * RECORD_BYTES, fault: null });
    await world.stop();
  });

  test('does not keep retention from freeing space, nor the tree from a stop', async () => {
    const world = await worldOf(1_000);
    world.disk.full = true;
    await world.open.pin(asSize(512));
    assert.ok(world.register.get('tree.edge')?.includes('"size":512'));
    world.grown(9_000);
    while (world.warnings.length < 2) await new Promise((resolve) => setImmediate(resolve));
    await world.stop();
    world.disk.full = false;
    await world.start();
    await world.reached();
    await assertTiles(world, 9_000);
    await world.stop();
  });
});

test('a directory from before there were packs gets them, with word in the log', async () => {
  const world = await worldOf(1_700_000 >> 10);
  await world.stop();
  const [, edge = ''] = /^.{8} (.*)\n$/.exec(world.disk.textOf(`${DIRECTORY}/edge`)) ?? [];
  const { size, hashes } = JSON.parse(edge) as { size: number; hashes: string[] };
  for (const path of world.disk.paths()) world.disk.lose(path);
  const old = JSON.stringify({ v: 1, size, hashes });
  world.disk.put(`${DIRECTORY}/edge`, `${crc32c(old).toString(16).padStart(8, '0')} ${old}\n`);
  await world.start();
  await world.reached();
  await assertTiles(world, size);
  assert.deepEqual(world.notes, ['the tree was stored without its hashes, which are written now']);
  assert.equal(world.reads[0], 0);
  await world.stop();
});
