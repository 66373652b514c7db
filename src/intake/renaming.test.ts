import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { settle } from '../../test/doubles/manual-ports.ts';
import { entriesOf, openTestIntake, TEST_SOURCES, type TestIntake } from '../../test/doubles/open-test-intake.ts';
import { asPosition } from '../contracts/units.ts';
import { retryRefused } from './refused-verbs.ts';
import type { SourceRules } from './sequencer-submission.ts';

const never = new AbortController().signal;

/** Names a source anew and takes events under the new name only, as a start or a reload does. */
async function rename(it: TestIntake, from: string, to: string): Promise<boolean> {
  const done = await it.intake.rename(from, to);
  it.intake.changeSources(renamedRules(from, to));
  return done;
}

function renamedRules(from: string, to: string): ReadonlyMap<string, SourceRules> {
  const { [from]: moved, ...others } = Object.fromEntries(TEST_SOURCES);
  return new Map(Object.entries({ ...others, [to]: moved ?? (TEST_SOURCES.get('app') as SourceRules) }));
}

function numbered(id: string, seq: number): string {
  const actor = { type: 'user', id: 'u' };
  const event = { id, occurred_at: '2026-01-01T00:00:00Z', action: 'a.b', outcome: 'success', actor };
  return JSON.stringify({ ...event, producer: { id: 'p', epoch: 1, seq } });
}

describe('a source that is renamed', () => {
  test('keeps its identities: a duplicate is answered with the index under the old name, other bytes are a conflict', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}', '{"id":"b"}']);
    assert.equal(await rename(it, 'app', 'orders'), true);
    const again = await it.send('orders', ['{"id":"a"}', '{"id":"new"}']);
    assert.deepEqual([again.accepted, again.duplicates], [1, [{ at: 0, index: 0 }]]);
    const other = await it.send('orders', ['{"id":"b","x":1}']);
    assert.deepEqual([other.outcome, other.rejected[0]?.code], ['conflict', 'IDENTITY_CONFLICT']);
    const elsewhere = await it.send('other', ['{"id":"a"}']);
    assert.equal(elsewhere.accepted, 1);
    const rows = entriesOf(it.ledger).map(({ source, n, event }) => [source, n, event['id'] ?? event['type']]);
    assert.deepEqual(rows, [
      ['app', 0, 'a'],
      ['app', 1, 'b'],
      ['waybill', 0, 'source.renamed'],
      ['orders', 0, 'new'],
      ['other', 0, 'a'],
    ]);
  });

  test('is renamed once: again changes nothing, also after a crash, with and without a snapshot', async () => {
    let it = await openTestIntake();
    await it.send('app', ['{"id":"a"}']);
    await rename(it, 'app', 'orders');
    for (const withSnapshot of [false, true]) {
      if (withSnapshot) await it.snapshot();
      it = await it.crash();
      assert.equal(await rename(it, 'app', 'orders'), false);
      assert.equal((await it.send('orders', ['{"id":"a"}'])).duplicates[0]?.index, 0);
    }
    assert.equal(it.ledger.size(), 2);
  });

  test('is called by its old name as long as the entry is not durable', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}']);
    it.ledger.hold();
    const renaming = it.intake.rename('app', 'orders').catch(() => false);
    await settle();
    assert.equal(it.ledger.assigned(), 2);
    assert.equal(it.intake.names.current('app'), 'app');
    const after = await it.crash();
    assert.equal(after.intake.names.current('app'), 'app');
    assert.equal(await rename(after, 'app', 'orders'), true);
    assert.equal((await after.send('orders', ['{"id":"a"}'])).duplicates[0]?.index, 0);
    it.ledger.release();
    await renaming;
  });

  test('goes through a chain of names, and back, with one set of identities', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}']);
    await rename(it, 'app', 'orders');
    await it.send('orders', ['{"id":"b"}']);
    await rename(it, 'orders', 'sales');
    await it.send('sales', ['{"id":"c"}']);
    await rename(it, 'sales', 'app');
    const all = await it.send('app', ['{"id":"a"}', '{"id":"b"}', '{"id":"c"}', '{"id":"d"}']);
    assert.deepEqual(
      all.duplicates.map(({ index }) => index),
      [0, 2, 4],
    );
    const ns = entriesOf(it.ledger).flatMap(({ source, n }) => (source === 'waybill' ? [] : [`${source} ${n}`]));
    assert.deepEqual(ns, ['app 0', 'orders 0', 'sales 0', 'app 1']);
  });

  test('finds what is still on its way under the old name', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}']);
    const checked = it.intake.check('app', Buffer.from('{"id":"late"}\n'), 'lines');
    const late = it.intake.submit({ source: 'app', checked, partial: false }, never);
    await rename(it, 'app', 'orders');
    const again = await it.send('orders', ['{"id":"late"}']);
    const first = await late;
    assert.deepEqual(again.duplicates, [{ at: 0, index: first.firstIndex }]);
  });

  test('gives the same request the same identities', async () => {
    const it = await openTestIntake();
    const idempotencyKey = 'order-1';
    await it.send('plain', ['{"x":1}'], { idempotencyKey });
    await rename(it, 'plain', 'bare');
    assert.deepEqual((await it.send('bare', ['{"x":1}'], { idempotencyKey })).duplicates, [{ at: 0, index: 0 }]);
  });

  test('keeps its positions, with the entry that says so', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}'], { partition: 'p', position: asPosition('7') });
    await rename(it, 'app', 'orders');
    assert.deepEqual([[...it.ledger.positions('app')], [...it.ledger.positions('orders')]], [[], [['p', '7']]]);
  });

  test('keeps the numbers of its producers: a taken one is a conflict, and a gap of before closes under the new name', async () => {
    let it = await openTestIntake();
    await it.send('audit', [numbered('a', 1), numbered('b', 3)]);
    await it.ports.clock.pass(40_000);
    await settle();
    await rename(it, 'audit', 'trail');
    it = await it.crash();
    it.intake.changeSources(renamedRules('audit', 'trail'));
    const taken = await it.send('trail', [numbered('other', 3)]);
    assert.equal(taken.rejected[0]?.code, 'PRODUCER_SEQ_CONFLICT');
    await it.send('trail', [numbered('c', 2)]);
    await it.ports.clock.pass(40_000);
    await settle();
    const declared = entriesOf(it.ledger).flatMap(({ source, event }) =>
      source === 'waybill' ? [[event['type'], event['source'] ?? event['to']].join(' ')] : [],
    );
    assert.deepEqual(declared, ['producer.gap audit', 'source.renamed trail', 'producer.gap_closed trail']);
  });

  test('takes its refused events in again under the new name, once', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}']);
    const at = { source: 'app', partition: 'p', position: '9', nth: 0, reason: 'NOT_JSON', message: 'no', at: 1 };
    const sha256 = await it.intake.refused.keep(Buffer.from('{"id":"late"}'), at);
    await rename(it, 'app', 'orders');
    assert.deepEqual((await retryRefused(it.intake, sha256, never)).accepted, 1);
    assert.equal(entriesOf(it.ledger).find(({ id }) => id === 'late')?.source, 'orders');
  });

  test('is refused where there is nothing to take over, and where both have entries; nothing is changed', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}']);
    await it.send('other', ['{"id":"a"}']);
    await assert.rejects(it.intake.rename('nobody', 'orders'), { code: 'RENAME_REFUSED' });
    await assert.rejects(it.intake.rename('app', 'other'), { code: 'RENAME_REFUSED' });
    assert.equal(it.ledger.size(), 2);
  });

  test('answers whoever still uses the old name with the new one', async () => {
    const it = await openTestIntake();
    await it.send('app', ['{"id":"a"}']);
    await rename(it, 'app', 'orders');
    await assert.rejects(async () => it.send('app', ['{"id":"b"}']), { code: 'SOURCE_UNKNOWN', message: /called orders now/ });
    assert.throws(() => it.intake.refuseNames([{ name: 'app', renamedFrom: null }]), { code: 'RENAME_REFUSED' });
  });
});
