import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, linkSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { directoryOf, follow, numbered, texts } from '../../test/doubles/file-follower.ts';

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

  test('reading on for long leaves nobody waiting for the end', async (t) => {
    const directory = directoryOf(t);
    const it = await follow(t, directory);
    const waiting = it.waiting();
    for (let round = 0; round < 20; round++) {
      appendFileSync(`${directory}/app.log`, numbered(round * 10, round * 10 + 10));
      await it.pass();
    }
    assert.deepEqual(it.texts(), texts(0, 200));
    assert.equal(it.waiting(), waiting);
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

test('positions that are not of a file are refused', async (t) => {
  const directory = directoryOf(t);
  const it = await follow(t, directory);
  it.positions.set('app.log~x', 'nonsense' as never);
  await assert.rejects(follow(t, directory, {}, it), { code: 'SOURCE_BROKEN' });
});
