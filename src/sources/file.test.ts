import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { FileFollower } from '../../test/doubles/file-follower.ts';

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(`${tmpdir()}/waybill-file-source-`);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Follows `app.log*` in a directory. */
async function follow(t: TestContext, directory: string, settings: object = {}, before?: FileFollower): Promise<FileFollower> {
  const follower = await FileFollower.start({ paths: [`${directory}/app.log*`], ...settings }, before);
  t.after(() => follower.stop());
  return follower;
}

const numbered = (from: number, to: number, pad = ''): string =>
  Array.from({ length: to - from }, (_, k) => `{"k":${from + k}${pad}}\n`).join('');
const texts = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, k) => `{"k":${from + k}}`);

describe('following lines', () => {
  test('what is there, what is appended, and a line only once it has its end', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, `\ufeff${numbered(0, 3)}\r\n \n{"k":3}\r\n{"half":`);
    const it = await follow(t, directory);
    assert.deepEqual(it.texts(), texts(0, 4));
    appendFileSync(path, 'true}\n');
    await it.pass();
    assert.deepEqual(it.texts(), [...texts(0, 4), '{"half":true}']);
    assert.equal(new Set(it.lines.map(({ partition }) => partition)).size, 1);
    assert.deepEqual(it.facts(), { lagBytes: 0, problems: [] });
  });

  test('goes on behind any position exactly with the rest', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    let it = await follow(t, directory);
    const seen: string[] = [];
    for (let round = 0; round < 30; round++) {
      appendFileSync(path, numbered(round * 10, round * 10 + 10));
      if (round % 3 === 0) await it.pass();
      await it.stop();
      seen.push(...it.texts());
      it = await follow(t, directory, {}, it);
    }
    assert.deepEqual([...seen, ...it.texts()], texts(0, 300));
  });

  test('files and directories that come later', async (t) => {
    const directory = directoryOf(t);
    const it = await follow(t, directory, { paths: [`${directory}/*/app-?.log`] });
    assert.deepEqual(it.texts(), []);
    mkdirSync(`${directory}/one`);
    writeFileSync(`${directory}/one/app-1.log`, '{"a":1}\n');
    writeFileSync(`${directory}/one/app-12.log`, '{"no":1}\n');
    await it.pass();
    mkdirSync(`${directory}/.hidden`);
    writeFileSync(`${directory}/.hidden/app-1.log`, '{"no":2}\n');
    writeFileSync(`${directory}/one/app-2.log`, '{"a":2}\n');
    await it.pass();
    assert.deepEqual(it.texts(), ['{"a":1}', '{"a":2}']);
    assert.deepEqual(
      it.notes.map(({ type, facts }) => [type, facts['path']]),
      [1, 2].map((k) => ['source.file', `${directory}/one/app-${k}.log`]),
    );
  });

  test('a file with several names is read once', async (t) => {
    const directory = directoryOf(t);
    writeFileSync(`${directory}/app.log`, numbered(0, 3));
    linkSync(`${directory}/app.log`, `${directory}/app.log.hard`);
    symlinkSync(`${directory}/app.log`, `${directory}/app.log.soft`);
    const it = await follow(t, directory);
    appendFileSync(`${directory}/app.log.soft`, numbered(3, 4));
    await it.pass();
    assert.deepEqual(it.texts(), texts(0, 4));
  });

  test('start: end begins behind the last line feed of what is there, and at the beginning of what comes later', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, `${numbered(0, 3)}{"k":`);
    let it = await follow(t, directory, { start: 'end' });
    appendFileSync(path, '3}\n');
    writeFileSync(`${path}.2`, numbered(4, 5));
    await it.pass();
    await it.stop();
    assert.deepEqual(it.texts(), texts(3, 5));
    writeFileSync(`${path}.3`, numbered(5, 7));
    it = await follow(t, directory, { start: 'end' }, it);
    assert.deepEqual(it.texts(), texts(5, 7));
  });

  test('a file that was empty at the first start is read from its beginning after the next one', async (t) => {
    const directory = directoryOf(t);
    writeFileSync(`${directory}/app.log`, '');
    let it = await follow(t, directory, { start: 'end' });
    await it.stop();
    appendFileSync(`${directory}/app.log`, numbered(0, 2));
    it = await follow(t, directory, { start: 'end' }, it);
    assert.deepEqual(it.texts(), texts(0, 2));
  });

  test('plain lines become JSON without losing a byte', async (t) => {
    const directory = directoryOf(t);
    const odd = Buffer.from([0x61, 0xff, 0xc3, 0x22, 0x0a]);
    writeFileSync(`${directory}/app.log`, Buffer.concat([Buffer.from('plain "text"\té\n\n  \n'), odd]));
    const it = await follow(t, directory, { format: 'lines' });
    const events = it.texts().map((text) => JSON.parse(text) as { line: string; base64?: string });
    assert.deepEqual(events.slice(0, 2), [{ line: 'plain "text"\té' }, { line: '  ' }]);
    assert.deepEqual(Buffer.from(events[2]?.base64 ?? '', 'base64'), odd.subarray(0, 4));
    assert.equal(events[2]?.line, 'a\ufffd\ufffd"');
  });

  test('a line that is too long is named with its beginning, and what follows goes on', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    writeFileSync(path, `${numbered(0, 1)}${'x'.repeat(1_000_000)}`);
    let it = await follow(t, directory);
    assert.deepEqual(it.texts(), texts(0, 1));
    appendFileSync(path, `yz\n${numbered(1, 2)}`);
    await it.pass();
    assert.deepEqual(
      it.lines.map(({ text, fault }) => [text.length, fault]),
      [
        [7, undefined],
        [65_536, 'EVENT_TOO_LARGE'],
        [7, undefined],
      ],
    );
    await it.stop();
    appendFileSync(path, numbered(2, 3));
    it = await follow(t, directory, {}, it);
    assert.deepEqual(it.texts(), texts(2, 3));
  });

  test('a last line without a line feed waits, or is taken after `final_line_after`', async (t) => {
    const directory = directoryOf(t);
    writeFileSync(`${directory}/app.log`, `${numbered(0, 1)}{"k":1}`);
    const waits = await follow(t, directory);
    await waits.pass(3_600_000);
    assert.deepEqual(waits.texts(), texts(0, 1));
    const takes = await follow(t, directory, { final_line_after: '5s' });
    await takes.pass(4_000);
    assert.deepEqual(takes.texts(), texts(0, 1));
    await takes.pass(1_000);
    assert.deepEqual(takes.texts(), texts(0, 2));
    appendFileSync(`${directory}/app.log`, `\n${numbered(2, 3)}`);
    await takes.pass();
    assert.deepEqual(takes.texts(), texts(0, 3));
  });

  test('a file that may not be read is told of, and read once it may', async (t) => {
    const directory = directoryOf(t);
    const path = `${directory}/app.log`;
    symlinkSync('app.log.loop', `${directory}/app.log.loop`);
    writeFileSync(path, numbered(0, 1));
    const it = await follow(t, directory);
    assert.deepEqual(it.texts(), texts(0, 1));
    assert.deepEqual(
      it.facts()?.problems.map(({ place }) => place),
      [`${path}.loop`],
    );
    await it.pass();
    assert.equal(it.log.lines.filter(({ level }) => level === 'warn').length, 1);
    unlinkSync(`${path}.loop`);
    writeFileSync(`${path}.loop`, numbered(1, 2));
    await it.pass();
    assert.deepEqual(it.texts(), texts(0, 2));
    assert.deepEqual(it.facts()?.problems, []);
  });

  test('permission denied is a problem of that file only', {
    skip: process.getuid?.() === 0 ? 'root may read everything' : false,
  }, async (t) => {
    const directory = directoryOf(t);
    writeFileSync(`${directory}/app.log`, numbered(0, 1));
    chmodSync(`${directory}/app.log`, 0);
    const it = await follow(t, directory);
    assert.match(it.facts()?.problems[0]?.message ?? '', /EACCES/);
    chmodSync(`${directory}/app.log`, 0o600);
    await it.pass();
    assert.deepEqual(it.texts(), texts(0, 1));
  });
});

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

test('positions that are not of a file are refused', async (t) => {
  const directory = directoryOf(t);
  const it = await follow(t, directory);
  it.positions.set('app.log~x', 'nonsense' as never);
  await assert.rejects(follow(t, directory, {}, it), { code: 'SOURCE_BROKEN' });
});
