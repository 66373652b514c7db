import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSize, TREE_SIZE_MAX } from './size.ts';

test('sizes are exact numbers in their one spelling', () => {
  for (const size of [0, 1, 9, 10, 20_852_163, 2 ** 32, TREE_SIZE_MAX - 1, TREE_SIZE_MAX]) assert.equal(parseSize(String(size)), size);
  for (const text of [
    '',
    '00',
    '01',
    '-1',
    '+1',
    '1.0',
    '1e3',
    ' 1',
    '1 ',
    '1\n',
    '0x1',
    '١',
    '9007199254740992',
    '9007199254740993',
    '9999999999999999',
    '18446744073709551615',
  ]) {
    assert.equal(parseSize(text), null, JSON.stringify(text));
  }
});
