import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTurns } from './turns.ts';

test('one piece of work follows another, also after one that failed', async () => {
  const turns = openTurns();
  const story: string[] = [];
  const held = Promise.withResolvers<void>();
  const first = turns.take(async () => {
    story.push('first begins');
    await held.promise;
    story.push('first ends');
    throw new Error('first failed');
  });
  const second = turns.take(async () => {
    story.push('second');
    return 2;
  });
  held.resolve();
  await assert.rejects(first, /first failed/);
  assert.equal(await second, 2);
  assert.deepEqual(story, ['first begins', 'first ends', 'second']);
});
