import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { batchOf, entriesOf } from '../../test/conformance/batches.ts';
import type { DiskFile } from '../contracts/ports.ts';
import { asIndex } from '../contracts/units.ts';
import { openDisk } from '../runtime/disk.ts';
import { lastLine, lines, parseLine, wholeLines } from './file-lines.ts';

const directory = mkdtempSync(join(tmpdir(), 'waybill-lines-'));
const disk = openDisk();
after(async () => {
  await disk.close();
  rmSync(directory, { recursive: true });
});

async function withText<Out>(text: string | Uint8Array, look: (file: DiskFile, length: number) => Promise<Out>): Promise<Out> {
  const path = join(directory, 'lines');
  writeFileSync(path, text);
  const file = await disk.open(path, 'read');
  try {
    return await look(file, await file.length());
  } finally {
    await file.close();
  }
}

function parse(text: string): { readonly index: number; readonly entry: string } | null {
  const bytes = Buffer.from(`before${text}after`);
  const line = parseLine(bytes, 6, 6 + Buffer.byteLength(text));
  return line === null ? null : { index: line.index, entry: bytes.subarray(line.start, line.end).toString() };
}

const last = (text: string) => withText(text, lastLine);

describe('a line', () => {
  test('gives its index and the bytes of its entry', () => {
    assert.deepEqual(parse('{"index":0,"entry":{}}\n'), { index: 0, entry: '{}' });
    const odd = '{"é":"}\\n"}';
    assert.deepEqual(parse(`{"index":9007199254740991,"entry":${odd}}\n`), { index: Number.MAX_SAFE_INTEGER, entry: odd });
  });

  for (const text of [
    '',
    '\n',
    '}\n',
    '{"index":0,"entry":{}}',
    '{"index":0,"entry":}\n',
    '{"index":,"entry":{}}\n',
    '{"index":01,"entry":{}}\n',
    '{"index":-1,"entry":{}}\n',
    '{"index":1.5,"entry":{}}\n',
    '{"index":9007199254740993,"entry":{}}\n',
    '{"index":12345678901234567,"entry":{}}\n',
    '{"index": 1,"entry":{}}\n',
    '{"entry":{},"index":1}\n',
    '{"index":1,"entry":{}]\n',
  ]) {
    test(`${JSON.stringify(text)} is none`, () => assert.equal(parse(text), null));
  }
});

describe('the lines of a file', () => {
  test('are all found, wherever a read ends in them', async () => {
    const large = entriesOf(0, 60, 65_535);
    const small = entriesOf(60, 4_000, 200);
    const { body } = batchOf({ from: 0, entries: [...large, ...small] });
    await withText(body, async (file, length) => {
      let next = 0;
      for await (const { bytes, line } of lines(file, 0, length)) {
        assert.equal(line?.index, next);
        const entry = Buffer.from(bytes.subarray(line?.start, line?.end)).toString();
        assert.equal(entry, next < 60 ? large[next] : small[next - 60]);
        next++;
      }
      assert.equal(next, 4_060);
      assert.deepEqual(await wholeLines(file, 0, length, asIndex(10_000)), { end: length, first: 0 });
      assert.deepEqual(await lastLine(file, length), { index: 4_059, end: length });
    });
  });

  test('end where one is not whole, does not rise, or is not below the limit', async () => {
    const good = '{"index":3,"entry":{}}\n{"index":5,"entry":{}}\n';
    for (const bad of ['{"index":5,"entry":{}}\n', '{"index":6,"entry":{"a}}\n', '{"index":10,"entry":{}}\n', '\0\0\n', 'torn']) {
      const found = await withText(`${good}${bad}{"index":7,"entry":{}}\n`, (file, length) => wholeLines(file, 0, length, asIndex(10)));
      assert.deepEqual(found, { end: good.length, first: 3 }, bad);
    }
    assert.deepEqual(await withText('', (file) => wholeLines(file, 0, 0, asIndex(10))), { end: 0, first: null });
  });

  test('stop at something endless', async () => {
    await withText('x'.repeat(3 << 20), async (file, length) => {
      for await (const _ of lines(file, 0, length)) assert.fail('there is no line');
      assert.deepEqual(await lastLine(file, length), { index: null, end: 0 });
    });
  });
});

describe('the last line', () => {
  test('is the last that ended, also when bytes follow it', async () => {
    const text = '{"index":3,"entry":{}}\n{"index":5,"entry":{}}\n';
    assert.deepEqual(await last(text), { index: 5, end: text.length });
    assert.deepEqual(await last(`${text}{"index":6,"en`), { index: 5, end: text.length });
    assert.deepEqual(await last('{"index":3,"entry":{}}\n'), { index: 3, end: 23 });
  });

  test('has no index when it is not an entry', async () => {
    assert.deepEqual(await last('{"index":3,"entry":{}}\nhello\n'), { index: null, end: 29 });
    assert.deepEqual(await last('\n'), { index: null, end: 1 });
    assert.deepEqual(await last('no line'), { index: null, end: 0 });
    assert.deepEqual(await last(''), { index: null, end: 0 });
  });
});
