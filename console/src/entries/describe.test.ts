import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EntryLine } from '../api/shapes.ts';
import { describeEntry } from './describe.ts';

function line(event: unknown, schema = 'waybill/1', source = 'shop'): EntryLine {
  return { index: 7, entry: { source, received_at: '2026-11-24T11:08:09.123Z', id: 'e', schema, event } };
}

test('an event says what happened, how it ended, and who did it for whom', () => {
  const actor = { type: 'agent', id: 'a', name: 'Desk assistant', on_behalf_of: [{ type: 'user', id: 'u_ada' }] };
  const view = describeEntry(line({ action: 'ticket.update', outcome: 'failure', actor }));
  assert.deepEqual(
    [view.index, view.action, view.outcome, view.who, view.control],
    [7, 'ticket.update', 'failure', 'Desk assistant for u_ada', false],
  );
  assert.match(view.time, /^\d\d:\d\d:\d\d$/);
});

test('a control entry says what it declares', () => {
  const view = describeEntry(
    line({ type: 'producer.gap', producer: 'shop-1', from: 3, deep: {}, last_seq: 3, more: 'x' }, 'waybill/1', 'waybill'),
  );
  assert.deepEqual(
    [view.action, view.outcome, view.who, view.control],
    ['producer.gap', 'declared', 'producer shop-1, from 3, last seq 3', true],
  );
});

test('an event of any shape is there all the same', () => {
  for (const event of [null, 'text', 7, [], {}, { actor: 'someone', action: '', outcome: 5 }]) {
    const view = describeEntry(line(event, 'json'));
    assert.deepEqual([view.action, view.outcome, view.who], ['event', '', '']);
  }
});
