import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openClock } from './clock.ts';

describe('the clock', () => {
  const clock = openClock();

  test('a sleep lasts at least as long as it was asked to', async () => {
    const start = clock.monotonic();
    await clock.sleep(20);
    assert.ok(clock.monotonic() - start >= 20);
    await clock.sleep(0);
  });

  test('a sleep ends with the reason of its signal, before and during', async () => {
    const reason = new Error('stopped');
    await assert.rejects(clock.sleep(1_000_000, AbortSignal.abort(reason)), reason);
    const controller = new AbortController();
    const sleeping = clock.sleep(1_000_000, controller.signal);
    controller.abort(reason);
    await assert.rejects(sleeping, reason);
  });

  test('a sleep that is longer than a timer can be does not end at once', async () => {
    const controller = new AbortController();
    const sleeping = clock.sleep(2 ** 40, controller.signal).then(
      () => 'over',
      () => 'stopped',
    );
    assert.equal(await Promise.race([sleeping, clock.sleep(20).then(() => 'still asleep')]), 'still asleep');
    controller.abort();
    assert.equal(await sleeping, 'stopped');
  });
});
