import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHookBody } from './hook-body.ts';

const LINES = ['{"index":5,"entry":{"event":{"a":"}]\\"{","n":1.50}}}', '{"index":6,"entry":{"event":{"list":[{},[1,"\\\\"]]}}}'];

function body(lines: readonly string[], count = lines.length): string {
  const head = `"ledger":"o","destination":"hook","from":5,"through":7,"count":${count},"omitted":{}`;
  return `{${head},"entries":[${lines.join(',')}],"more":[{}]}`;
}

test('the entries of a webhook are read byte for byte', () => {
  assert.deepEqual(readHookBody(body(LINES)), { from: 5, through: 7, lines: LINES });
  assert.deepEqual(readHookBody(body([])).lines, []);
});

test('what is no batch is refused', () => {
  for (const text of ['', '{', '{}', '{"from":7,"through":5,"count":0,"entries":[]}', body(LINES, 3)])
    assert.throws(() => readHookBody(text), SyntaxError);
});
