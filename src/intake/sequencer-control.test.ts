import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { settle } from '../../test/doubles/manual-ports.ts';
import { entriesOf, openTestIntake } from '../../test/doubles/open-test-intake.ts';
import { asIndex } from '../contracts/units.ts';

describe('sequencer: the clock and control entries', () => {
  test('received_at never goes back', async () => {
    const { send, ledger, ports } = await openTestIntake();
    await send('app', ['{"id":"a"}']);
    ports.clock.wall -= 4_000;
    await send('app', ['{"id":"b"}']);
    ports.clock.wall += 5_000;
    await send('app', ['{"id":"c"}']);
    assert.deepEqual(
      entriesOf(ledger).map(({ received_at }) => received_at),
      ['2026-11-24T11:08:09.123Z', '2026-11-24T11:08:09.123Z', '2026-11-24T11:08:10.123Z'],
    );
  });

  test('a step of the clock is declared once, before an entry is stamped with it', async () => {
    const { send, ledger, ports } = await openTestIntake();
    await send('app', ['{"id":"a"}']);
    ports.clock.wall += 3_600_000;
    await send('app', ['{"id":"b"}']);
    await send('app', ['{"id":"c"}']);
    const [, clock, second] = entriesOf(ledger);
    assert.equal(clock?.source, 'waybill');
    assert.deepEqual(clock?.event, {
      type: 'clock',
      cause: 'step',
      wall: '2026-11-24T12:08:09.123Z',
      expected: '2026-11-24T11:08:09.123Z',
      step_ms: 3_600_000,
    });
    assert.equal(second?.id, 'b');
    assert.equal(ledger.assigned(), 4);
  });

  test('a start before the last entry is declared', async () => {
    const before = await openTestIntake();
    await before.send('app', ['{"id":"a"}']);
    before.ports.clock.wall -= 86_400_000;
    const after = await before.crash();
    await after.send('app', ['{"id":"b"}']);
    const [, clock, entry] = entriesOf(after.ledger);
    assert.deepEqual([clock?.event['type'], clock?.event['cause']], ['clock', 'start']);
    assert.equal(entry?.received_at, '2026-11-24T11:08:09.123Z');
    assert.equal(after.ledger.assigned(), 3);
  });

  test('a step that has no room is declared as soon as there is', async () => {
    const { send, ledger, ports } = await openTestIntake();
    await send('app', ['{"id":"a"}']);
    ports.clock.wall += 60_000;
    ledger.limitBytes = 0;
    await assert.rejects(send('app', ['{"id":"b"}']), { code: 'LEDGER_FULL' });
    ledger.limitBytes = Number.MAX_SAFE_INTEGER;
    await send('app', ['{"id":"b"}']);
    assert.deepEqual(
      entriesOf(ledger).map(({ source }) => source),
      ['app', 'waybill', 'app'],
    );
  });

  test('control entries use the reserve, and one with a key is written once', async () => {
    const before = await openTestIntake();
    before.ledger.limitBytes = 0;
    before.ledger.reservedBytes = 10_000;
    const { intake } = before;
    const [first, same] = await Promise.all([
      intake.control('destination.gap', { destination: 'd', from: 1 }, 'd/1'),
      intake.control('destination.gap', { destination: 'd', from: 1 }, 'd/1'),
    ]);
    assert.deepEqual([first, same], [asIndex(0), asIndex(0)]);
    assert.equal(await intake.control('replay.started', {}), asIndex(1));
    assert.equal(await intake.control('replay.started', {}), asIndex(2));
    await before.snapshot();
    assert.equal(await intake.control('destination.gap', { destination: 'd', from: 9 }, 'd/9'), asIndex(3));
    const after = await before.crash();
    assert.equal(await after.intake.control('destination.gap', { destination: 'd', from: 1 }, 'd/1'), asIndex(0));
    assert.equal(await after.intake.control('destination.gap', { destination: 'd', from: 9 }, 'd/9'), asIndex(3));
    assert.equal(after.ledger.assigned(), 4);
  });

  test('a keyed control entry that a crash took is written by the next life', async () => {
    const before = await openTestIntake();
    before.ledger.hold();
    const lost = before.intake.control('destination.gap', {}, 'k');
    lost.catch(() => undefined);
    await settle();
    await before.snapshot();
    const after = await before.crash();
    assert.equal(await after.intake.control('destination.gap', {}, 'k'), asIndex(0));
  });

  test('a start reads only what lies above the last snapshot', async () => {
    const before = await openTestIntake();
    await before.intake.control('replay.started', {}, 'k');
    for (let k = 0; k < 6; k++)
      await before.send(
        'plain',
        Array.from({ length: 10_000 }, () => '{}'),
      );
    before.ledger.snapshot();
    await before.send('plain', ['{}', '{}']);
    const reopened = before.ledger.crash();
    const lowest: number[] = [];
    const read = reopened.read.bind(reopened);
    reopened.read = (from, limits) => {
      lowest.push(from);
      return read(from, limits);
    };
    const after = await openTestIntake(reopened);
    assert.ok(Math.min(...lowest) >= 50_000, `read from ${Math.min(...lowest)}`);
    assert.equal(await after.intake.control('replay.started', {}, 'k'), asIndex(0));
    await Promise.all([before.intake.close(), after.intake.close()]);
  });

  test('a mistake of this program in the background is told to whoever runs the intake', async () => {
    const { intake, ledger, ports, send } = await openTestIntake();
    const actor = { type: 'user', id: 'u' };
    const basis = { occurred_at: '2026-01-01T00:00:00Z', action: 'a.b', outcome: 'success', actor };
    const event = (seq: number) => JSON.stringify({ ...basis, producer: { id: 'p', epoch: 0, seq } });
    await send('audit', [event(0), event(2)]);
    ledger.reserve = () => Promise.reject(new TypeError('a mistake'));
    for (let step = 0; step < 10; step++) await ports.clock.pass(3_750);
    assert.match(String(await intake.failed), /a mistake/);
    await intake.close();
  });
});
