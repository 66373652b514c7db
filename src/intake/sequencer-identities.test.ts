import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { settle } from '../../test/doubles/manual-ports.ts';
import { MemoryIdentities } from '../../test/doubles/memory-identities.ts';
import { MemoryLedger } from '../../test/doubles/memory-ledger.ts';
import { entriesOf, openTestIntake } from '../../test/doubles/open-test-intake.ts';

describe('sequencer: identities', () => {
  test('the same event again is a duplicate, also after a restart', async () => {
    const before = await openTestIntake();
    await before.send('app', ['{"id":"a","x":1}', '{"id":"b"}']);
    const after = await before.crash();
    const answer = await after.send('app', ['{"id":"b"}', '{"id":"c"}', '{"id":"a","x":1}']);
    assert.deepEqual([answer.accepted, answer.firstIndex, answer.size], [1, 2, 3]);
    assert.deepEqual(answer.duplicates, [
      { at: 0, index: 1 },
      { at: 2, index: 0 },
    ]);
  });

  test('the same identity in another source is another event', async () => {
    const { send } = await openTestIntake();
    await send('app', ['{"id":"a"}']);
    assert.equal((await send('other', ['{"id":"a","x":1}'])).accepted, 1);
  });

  test('the same identity with other bytes is a conflict and never merged', async () => {
    const { send, ledger } = await openTestIntake();
    await send('app', ['{"id":"a","x":1}']);
    const answer = await send('app', ['{"id":"a","x":2}', '{"id":"b"}']);
    assert.deepEqual([answer.outcome, answer.accepted], ['conflict', 0]);
    assert.deepEqual(
      answer.rejected.map(({ at, code }) => [at, code]),
      [[0, 'IDENTITY_CONFLICT']],
    );
    assert.equal(ledger.assigned(), 1);
    const mixed = await send('app', ['{"id":"a","x":2}', 'x']);
    assert.equal(mixed.outcome, 'invalid', 'a conflict beside another fault is not only a conflict');
  });

  test('bytes that only end like the stored event are a conflict', async () => {
    const { send } = await openTestIntake();
    await send('app', ['{"id":"a","x":{"y":1},"event":{"id":"a"}}']);
    assert.equal((await send('app', ['{"id":"a"}'])).outcome, 'conflict');
  });

  test('within one submission: a repetition, and a conflict', async () => {
    const { send, ledger } = await openTestIntake();
    await send('plain', ['{}']);
    const answer = await send('app', ['{"id":"a"}', '{"id":"b"}', '{"id":"a"}', '{"id":"b"}']);
    assert.deepEqual([answer.accepted, answer.firstIndex], [2, 1]);
    assert.deepEqual(answer.duplicates, [
      { at: 2, index: 1 },
      { at: 3, index: 2 },
    ]);
    const bad = await send('app', ['{"id":"c"}', '{"id":"c","x":1}']);
    assert.equal(bad.outcome, 'conflict');
    assert.equal(ledger.assigned(), 3);
  });

  test('a duplicate of something in flight is answered only when its original is durable', async () => {
    const { send, ledger } = await openTestIntake();
    ledger.hold();
    const original = send('app', ['{"id":"a"}']);
    let answered = false;
    const again = send('app', ['{"id":"a"}']).then((answer) => {
      answered = true;
      return answer;
    });
    const conflict = send('app', ['{"id":"a","x":1}']);
    await settle();
    assert.equal(ledger.assigned(), 1);
    assert.equal(answered, false);
    ledger.release();
    assert.equal((await original).accepted, 1);
    assert.deepEqual((await again).duplicates, [{ at: 0, index: 0 }]);
    assert.equal((await conflict).outcome, 'conflict');
  });

  test('a submission that waited is looked at again: what came meanwhile is a duplicate', async () => {
    const { send, ledger } = await openTestIntake();
    ledger.hold();
    const first = send('app', ['{"id":"a"}']);
    await settle();
    // This one waits for entry 0, and its second event is overtaken while it does.
    const waiting = send('app', ['{"id":"a"}', '{"id":"b"}']);
    await settle();
    const overtaking = send('app', ['{"id":"b"}']);
    await settle();
    assert.equal(ledger.assigned(), 2);
    ledger.release();
    await Promise.all([first, overtaking]);
    assert.deepEqual((await waiting).duplicates, [
      { at: 0, index: 0 },
      { at: 1, index: 1 },
    ]);
    assert.equal(ledger.assigned(), 2);
  });

  test('two submissions of the same event at the same time are one entry', async () => {
    const { send, ledger } = await openTestIntake();
    const answers = await Promise.all(Array.from({ length: 20 }, () => send('app', ['{"id":"a"}', '{"id":"b"}'])));
    assert.equal(ledger.assigned(), 2);
    assert.equal(answers.filter(({ accepted }) => accepted === 2).length, 1);
    assert.equal(answers.filter(({ duplicates }) => duplicates.length === 2).length, 19);
  });

  test('fingerprints that fall together are told apart by the stored entries', async () => {
    const { send, ledger } = await openTestIntake(new MemoryLedger(), new MemoryIdentities(() => 'all the same'));
    for (const id of ['a', 'b', 'c']) assert.equal((await send('app', [`{"id":"${id}"}`, `{"id":"${id}2"}`])).accepted, 2);
    assert.deepEqual((await send('app', ['{"id":"b"}'])).duplicates, [{ at: 0, index: 2 }]);
    assert.equal((await send('other', ['{"id":"b"}', '{"id":"c","x":1}'])).accepted, 2, 'another source');
    assert.equal((await send('app', ['{"id":"c","x":1}'])).outcome, 'conflict');
    assert.equal(ledger.assigned(), 8);
  });

  test('an identity below the oldest entry can no longer be compared, and is refused', async () => {
    const { send, ledger } = await openTestIntake();
    await send('app', ['{"id":"a"}', '{"id":"b"}']);
    ledger.prune(1);
    const answer = await send('app', ['{"id":"a"}']);
    assert.deepEqual([answer.outcome, answer.rejected[0]?.code], ['conflict', 'IDENTITY_PRUNED']);
    assert.deepEqual((await send('app', ['{"id":"b"}'])).duplicates, [{ at: 0, index: 1 }]);
  });

  test('an identity is compared as JSON text, however it is written', async () => {
    const { send, ledger } = await openTestIntake();
    await send('app', ['{"id":"\\u0061\\n"}', '{"id":7}']);
    assert.deepEqual(
      entriesOf(ledger).map(({ id }) => id),
      ['a\n', '7'],
    );
    assert.equal((await send('app', ['{"id":"a\\n"}'])).outcome, 'conflict');
    assert.deepEqual((await send('app', ['{"id":7}'])).duplicates, [{ at: 0, index: 1 }]);
  });

  test('an assigned identity is taken for good', async () => {
    const { send, ledger } = await openTestIntake();
    await send('app', ['{"x":1}']);
    const [assigned] = entriesOf(ledger);
    assert.equal((await send('app', [`{"id":"${assigned?.id}"}`])).outcome, 'conflict');
  });

  test('an Idempotency-Key makes a request without identities repeatable', async () => {
    const { send, ledger } = await openTestIntake();
    const events = ['{"x":1}', '{"x":1}', '{"id":"own"}'];
    const first = await send('app', events, { idempotencyKey: 'k1' });
    assert.equal(first.accepted, 3);
    const again = await send('app', events, { idempotencyKey: 'k1' });
    assert.deepEqual([again.accepted, again.duplicates.map(({ index }) => index)], [0, [0, 1, 2]]);
    assert.equal((await send('app', ['{"x":2}'], { idempotencyKey: 'k1' })).outcome, 'conflict');
    assert.equal((await send('app', ['{"x":1}'], { idempotencyKey: 'k2' })).accepted, 1);
    assert.equal((await send('other', ['{"x":1}'], { idempotencyKey: 'k1' })).accepted, 1);
    assert.match(entriesOf(ledger)[0]?.id ?? '', /^key_[\w-]{43}$/);
  });

  test('waits for the index of identities, but not for ever', async () => {
    const { intake, identities, ports, send } = await openTestIntake();
    const waiting = Promise.withResolvers<undefined>();
    Object.assign(identities, { ready: () => waiting.promise });
    const waits = send('app', ['{"id":"a"}']);
    await settle();
    waiting.resolve(undefined);
    assert.equal((await waits).accepted, 1);
    Object.assign(identities, { ready: () => Promise.withResolvers<undefined>().promise });
    const late = assert.rejects(send('app', ['{"id":"b"}']), { code: 'OVERLOADED' });
    await settle();
    await ports.clock.pass(5_000);
    await late;
    await intake.close();
  });
});
