import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../test/doubles/manual-ports.ts';
import { openReceivedAt } from './received-at.ts';

describe('received_at', () => {
  test('is the later of the last one and the wall clock', async () => {
    const clock = new ManualClock();
    const receivedAt = openReceivedAt(clock, clock.wall + 10);
    assert.equal(receivedAt.next(), '2026-11-24T11:08:09.133Z');
    await clock.pass(11);
    assert.equal(receivedAt.peek(), clock.wall);
    assert.equal(receivedAt.next(), '2026-11-24T11:08:09.134Z');
    clock.wall = 0;
    assert.equal(receivedAt.next(), '2026-11-24T11:08:09.134Z');
    assert.equal(receivedAt.last(), Date.UTC(2026, 10, 24, 11, 8, 9, 134));
  });

  test('stays a time that RFC 3339 can write, whatever the clock says', () => {
    const clock = new ManualClock();
    clock.wall = -5_000;
    const receivedAt = openReceivedAt(clock, null);
    assert.equal(receivedAt.next(), '1970-01-01T00:00:00.000Z');
    clock.wall = 1e15;
    assert.equal(receivedAt.next(), '9999-12-31T23:59:59.999Z');
  });

  test('tells a step of more than 5 s, either way, once', async () => {
    const clock = new ManualClock();
    const receivedAt = openReceivedAt(clock, null);
    await clock.pass(86_400_000);
    assert.equal(receivedAt.step(), null);
    clock.wall += 5_000;
    assert.equal(receivedAt.step(), null);
    clock.wall -= 5_001;
    assert.deepEqual(receivedAt.step(), { cause: 'step', wall: clock.wall, expected: clock.wall + 5_001 });
    assert.equal(receivedAt.step(), null);
  });

  test('a clock that is slewed never adds up to a step', async () => {
    const clock = new ManualClock();
    const receivedAt = openReceivedAt(clock, null);
    for (let hour = 0; hour < 100; hour++) {
      await clock.pass(3_600_000);
      clock.wall += 1_800;
      assert.equal(receivedAt.step(), null);
    }
  });

  test('tells a start before the last entry', () => {
    const clock = new ManualClock();
    const receivedAt = openReceivedAt(clock, clock.wall + 1);
    assert.deepEqual(receivedAt.step(), { cause: 'start', wall: clock.wall, expected: clock.wall + 1 });
    assert.equal(receivedAt.step(), null);
  });
});
