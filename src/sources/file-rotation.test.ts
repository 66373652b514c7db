import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, readFileSync, renameSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { directoryOf, follow, numbered, texts } from '../../test/doubles/file-follower.ts';

describe('rotation', () => {
  for (const restarts of [false, true]) {
    const how = restarts ? ', with a restart at every step' : '';

    test(`renamed: the old file to its end, then the new one${how}`, async (t) => {
      const directory = directoryOf(t);
      const path = `${directory}/app.log`;
      const seen: string[] = [];
      let it = await follow(t, directory);
      const step = async (): Promise<void> => {
        if (restarts) {
          await it.stop();
          seen.push(...it.texts());
          it = await follow(t, directory, {}, it);
        } else await it.pass();
      };
      for (let round = 0; round < 4; round++) {
        const at = round * 100;
        writeFileSync(path, numbered(at, at + 40), { flag: 'a' });
        await step();
        appendFileSync(path, numbered(at + 40, at + 60));
        for (const k of [3, 2, 1]) if (round >= k) renameSync(`${path}.${k}`, `${path}.${k + 1}`);
        renameSync(path, `${path}.1`);
        await step();
        appendFileSync(`${path}.1`, numbered(at + 60, at + 100));
      }
      await step();
      assert.deepEqual([...seen, ...it.texts()], texts(0, 400));
    });

    test(`packed with gzip: goes on where it was, and nothing comes twice${how}`, async (t) => {
      const directory = directoryOf(t);
      const path = `${directory}/app.log`;
      const seen: string[] = [];
      let it = await follow(t, directory);
      const step = async (): Promise<void> => {
        if (restarts) {
          await it.stop();
          seen.push(...it.texts());
          it = await follow(t, directory, {}, it);
        } else await it.pass();
      };
      writeFileSync(path, numbered(0, 100));
      await step();
      appendFileSync(path, numbered(100, 200));
      renameSync(path, `${path}.1`);
      writeFileSync(path, numbered(200, 210));
      const packed = gzipSync(readFileSync(`${path}.1`));
      writeFileSync(`${path}.1.gz`, packed.subarray(0, 100));
      await step();
      writeFileSync(`${path}.1.gz`, packed);
      if (!restarts) await step();
      unlinkSync(`${path}.1`);
      await step();
      renameSync(`${path}.1.gz`, `${path}.2.gz`);
      appendFileSync(path, numbered(210, 220));
      await step();
      await step();
      assert.deepEqual([...seen, ...it.texts()], texts(0, 220));
    });

    test(`copied and cut: the copy is the same content, the cut is told of${how}`, async (t) => {
      const directory = directoryOf(t);
      const path = `${directory}/app.log`;
      const seen: string[] = [];
      const notes: string[] = [];
      let it = await follow(t, directory);
      const step = async (): Promise<void> => {
        if (restarts) {
          await it.stop();
          seen.push(...it.texts());
          notes.push(...it.notes.map(({ type }) => type));
          it = await follow(t, directory, {}, it);
        } else await it.pass();
      };
      writeFileSync(path, numbered(0, 100));
      await step();
      appendFileSync(path, numbered(100, 200));
      copyFileSync(path, `${path}.1`);
      truncateSync(path, 0);
      appendFileSync(path, numbered(200, 205));
      await step();
      await step();
      appendFileSync(path, numbered(205, 210));
      await step();
      await step();
      assert.deepEqual([...seen, ...it.texts()], texts(0, 210));
      notes.push(...it.notes.map(({ type }) => type));
      assert.deepEqual(notes.toSorted(), ['source.file', 'source.file', 'source.truncated']);
    });
  }

  test('cut without a copy, and grown beyond its old length between two looks', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, numbered(0, 10));
    const it = await follow(t, directory);
    truncateSync(path, 0);
    appendFileSync(path, numbered(100, 200));
    for (let k = 0; k < 6; k++) await it.pass();
    assert.deepEqual(it.texts(), [...texts(0, 10), ...texts(100, 200)]);
    assert.deepEqual(
      it.notes.map(({ type }) => type),
      ['source.file', 'source.file', 'source.truncated'].toSorted(),
    );
    assert.equal([...it.positions.keys()].length, 2);
  });

  test('a copy that ends before what was read is not read again', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, numbered(0, 100));
    let it = await follow(t, directory);
    copyFileSync(path, `${path}.1`);
    appendFileSync(path, numbered(100, 110));
    await it.pass();
    truncateSync(path, 0);
    await it.pass();
    await it.pass();
    await it.stop();
    assert.deepEqual(it.texts(), texts(0, 110));
    appendFileSync(path, numbered(110, 120));
    writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(`${path}.1`)));
    unlinkSync(`${path}.1`);
    it = await follow(t, directory, {}, it);
    await it.pass();
    assert.deepEqual(it.texts(), texts(110, 120));
  });

  test('packed files that were never seen are read whole, also in several members', async (t) => {
    const directory = directoryOf(t);
    writeFileSync(
      `${directory}/app.log.2.gz`,
      Buffer.concat([gzipSync(numbered(0, 50_000)), gzipSync(`${numbered(50_000, 50_001)}{"k":50001}`)]),
    );
    const it = await follow(t, directory);
    assert.deepEqual(it.texts(), texts(0, 50_002));
  });

  test('a packed file that never becomes whole is told of and not read', async (t) => {
    const directory = directoryOf(t);
    writeFileSync(`${directory}/app.log.gz`, gzipSync(numbered(0, 1_000)).subarray(0, 200));
    const it = await follow(t, directory);
    await it.pass();
    assert.deepEqual(it.texts(), []);
    assert.match(it.facts()?.problems[0]?.message ?? '', /not a whole gzip file/);
  });

  test('a file that leaves the patterns, or is removed, is read to its end', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, numbered(0, 1));
    const it = await follow(t, directory);
    renameSync(path, `${directory}/elsewhere`);
    await it.pass();
    appendFileSync(`${directory}/elsewhere`, numbered(1, 3));
    unlinkSync(`${directory}/elsewhere`);
    writeFileSync(path, numbered(3, 4));
    await it.pass();
    await it.pass();
    assert.deepEqual(it.texts(), texts(0, 4));
    await it.pass(60_000);
    await it.pass(86_400_000);
    await it.pass();
    assert.deepEqual(
      it.notes.map(({ type }) => type),
      ['source.file', 'source.file'],
    );
    assert.equal(it.positions.size, 2);
  });

  test('a file that was gone at the start is told of when it is forgotten, and goes on when it comes back before', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, numbered(0, 5));
    let it = await follow(t, directory);
    await it.stop();
    renameSync(path, `${directory}/away`);
    it = await follow(t, directory, {}, it);
    await it.pass(3_600_000);
    assert.match(it.facts()?.problems[0]?.message ?? '', /gone/);
    appendFileSync(`${directory}/away`, numbered(5, 6));
    renameSync(`${directory}/away`, path);
    await it.pass();
    assert.deepEqual(it.texts(), texts(5, 6));
    await it.stop();
    unlinkSync(path);
    it = await follow(t, directory, {}, it);
    await it.pass(86_400_000);
    assert.deepEqual(it.notes, [{ type: 'source.gone', facts: { path, read_through: 48 } }]);
    assert.deepEqual([...it.positions.keys()], ['']);
  });

  test('two files that begin alike are two files once they differ', async (t) => {
    const directory = directoryOf(t);
    writeFileSync(`${directory}/app.log`, '{"started":true}\n');
    writeFileSync(`${directory}/app.log.other`, '{"started":true}\n');
    const it = await follow(t, directory);
    assert.deepEqual(it.texts(), ['{"started":true}']);
    appendFileSync(`${directory}/app.log.other`, '{"b":1}\n');
    await it.pass();
    appendFileSync(`${directory}/app.log`, '{"a":1}\n');
    await it.pass();
    assert.deepEqual(it.texts().toSorted(), ['{"a":1}', '{"b":1}', '{"started":true}', '{"started":true}']);
  });

  test('an inode that is used again is another content', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, numbered(0, 100));
    let it = await follow(t, directory);
    await it.stop();
    // The same inode with other content, longer than what was read, is what a reused one looks like.
    writeFileSync(path, numbered(1_000, 1_200));
    it = await follow(t, directory, {}, it);
    for (let k = 0; k < 4; k++) await it.pass();
    assert.deepEqual(it.texts(), texts(1_000, 1_200));
  });

  test('a last line of a file that was renamed is taken after a while', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, `${numbered(0, 1)}{"k":1}`);
    const it = await follow(t, directory);
    renameSync(path, `${path}.1`);
    writeFileSync(path, numbered(2, 3));
    await it.pass();
    assert.deepEqual(it.texts(), texts(0, 1));
    await it.pass(10_000);
    await it.pass();
    assert.deepEqual(it.texts(), texts(0, 3));
  });
});
