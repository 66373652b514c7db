import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { joinLines, jsonShape, notUtf8At, trimEnd, valueEnd, withStopper } from './split.ts';

test('a body that ends in a line feed is not copied, any other gets one', () => {
  const stopped = Buffer.from('{}\n');
  assert.equal(withStopper(stopped).buffer, stopped.buffer);
  assert.equal(withStopper(Buffer.from('{}')).toString(), '{}\n');
  assert.equal(withStopper(new Uint8Array(0)).toString(), '\n');
});

test('an array is told from an object by its first character', () => {
  assert.equal(jsonShape(Buffer.from(' \r\n\t[1]')), 'array');
  assert.equal(jsonShape(Buffer.from('{"a":[]}')), 'object');
  assert.equal(jsonShape(Buffer.from('')), 'object');
});

test('white space is cut from the end, to nothing if need be', () => {
  assert.equal(trimEnd(Buffer.from('ab \t\r\n'), 0, 6), 2);
  assert.equal(trimEnd(Buffer.from('  '), 0, 2), 0);
});

test('line breaks become spaces, each for itself', () => {
  const bytes = Buffer.from('\n{\r\n}\n');
  joinLines(bytes, 1, 5);
  assert.equal(bytes.toString(), '\n{  }\n');
});

test('the first byte that is not UTF-8 is found', () => {
  assert.equal(notUtf8At(Buffer.from([0x61, 0xc3, 0xa9, 0xff, 0x61])), 3);
  assert.equal(notUtf8At(Buffer.from([0x80])), 0);
});

const endOf = (text: string): number => {
  const bytes = withStopper(Buffer.from(text));
  return valueEnd(bytes, 0, bytes.length - 1);
};

describe('the end of a value', () => {
  test('is found whatever the scanner has against the value', () => {
    for (const text of ['{"a":1,"a":2}', '1', '"a]"', '[]', '{}', 'null', '[{"a":[{}]},[[]]]', '[ 1 , { "a" : [ ] } ]']) {
      assert.equal(endOf(`${text},1]`), text.length, text);
    }
    const deep = `${'[{"a":'.repeat(100_000)}1${'}]'.repeat(100_000)}`;
    assert.equal(endOf(deep), deep.length);
  });

  test('is refused where the value stops being JSON', () => {
    for (const [text, at] of [
      ['[1,]', 3],
      ['{"a":1,}', 7],
      ['{"a"1}', 4],
      ['[}', 1],
      ['[1}', 2],
      ['{]', 1],
      ['[[[', 3],
      ['"a', 2],
      ['', 0],
      ['}', 0],
    ] as const) {
      assert.equal(~endOf(text), at, text);
    }
  });
});
