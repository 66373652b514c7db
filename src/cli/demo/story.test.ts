import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBody } from '../../intake/check.ts';
import { APPLICATIONS } from './applications.ts';
import { openStory } from './story.ts';

const PRODUCERS = APPLICATIONS.map(({ producer }) => producer);

/** The same numbers in every run: mulberry32. */
function seededRandom() {
  let state = 42;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, bytes: (count: number) => new Uint8Array(count).fill(7) };
}

test('every event of the story is valid, under an identity of its own', () => {
  const story = openStory(seededRandom());
  const events = Array.from({ length: 500 }, (_, k) => story.next(PRODUCERS[k % 3] ?? '', Date.UTC(2026, 10, 24)));
  const body = Buffer.from(events.map(({ json }) => `${json}\n`).join(''));
  const checked = checkBody(body, 'lines', { schema: 'waybill/1', idField: null });
  assert.equal(checked.unreadable, undefined);
  assert.equal(checked.count, 500);
  assert.deepEqual([...checked.faults], []);
  assert.equal(new Set(events.map(({ id }) => id)).size, 500);
  const actions = new Set(events.map(({ json }) => (JSON.parse(json) as { readonly action: string }).action));
  assert.ok(actions.size >= 8, [...actions].join(' '));
});

test('a producer numbers its events from 1, and a lost one leaves a hole', () => {
  const story = openStory(seededRandom());
  const seqOf = (): unknown => (JSON.parse(story.next('shop-1', 0).json) as { readonly producer: unknown }).producer;
  assert.deepEqual(seqOf(), { id: 'shop-1', epoch: 1, seq: 1 });
  story.loseOne('shop-1');
  assert.deepEqual(seqOf(), { id: 'shop-1', epoch: 1, seq: 3 });
});
