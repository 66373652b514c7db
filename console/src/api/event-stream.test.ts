import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventReader, type StreamEvent } from './event-stream.ts';

const TEXT = [
  'retry: 2000\n\n',
  'id: 7\ndata: {"index":7}\n\n',
  ': waiting\n\n',
  'id: 8\r\ndata:{"a":"x: y"}\r\n\r\n',
  'event: pruned\ndata: one\ndata: two\n\n',
  'id: 9\n\n',
].join('');
const EVENTS: readonly StreamEvent[] = [
  { type: 'message', data: '{"index":7}' },
  { type: 'message', data: '{"a":"x: y"}' },
  { type: 'pruned', data: 'one\ntwo' },
];

test('events are read from pieces of any size', () => {
  for (const size of [1, 2, 3, 7, 1_000]) {
    const reader = createEventReader();
    const read: StreamEvent[] = [];
    for (let at = 0; at < TEXT.length; at += size) read.push(...reader.push(TEXT.slice(at, at + size)));
    assert.deepEqual(read, EVENTS, `in pieces of ${size}`);
  }
});

test('an event that is not whole yet is not there', () => {
  const reader = createEventReader();
  assert.deepEqual(reader.push('data: half'), []);
  assert.deepEqual(reader.push('\n'), []);
  assert.deepEqual(reader.push('\n'), [{ type: 'message', data: 'half' }]);
});
