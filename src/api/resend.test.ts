import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';
import { asIndex } from '../contracts/units.ts';
import type { DestinationVerbs } from './control.ts';

describe('commands about old entries', () => {
  let it: Awaited<ReturnType<typeof openTestApi>>;
  before(async () => {
    it = await openTestApi({ tokens: [testToken('ops', 'operator', 'operator-token-1'), testToken('eyes', 'viewer', 'viewer-token-123')] });
    const body = '{"id":"a","occurred_at":"2026-11-24T10:00:00Z","action":"x.y","outcome":"success","actor":{"type":"user","id":"u"}}';
    const headers = { authorization: 'Bearer operator-token-1', 'content-type': 'application/json' };
    await it.send('/v1/events', { method: 'POST', body, headers });
  });
  after(() => it.close());

  const post = (path: string, body: unknown, token = 'operator-token-1') =>
    it.send(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });

  test('say what they would do and do nothing', async () => {
    const dry = await post('/v1/destinations/archive/replay', { from: 1, dry_run: true });
    assert.deepEqual(dry.json, { name: null, from: 1, through: 2, entries: 2, dry_run: true });
    assert.deepEqual(it.verbs, []);
  });

  test('take indexes and times, and what the destination lacks', async () => {
    const replay = await post('/v1/destinations/archive/replay', { from: '1970-01-01T00:00:00Z', through: '2026-01-01' });
    assert.deepEqual(replay.json, { name: 'replay-1', from: 1, through: 2, entries: 2, dry_run: false });
    const recover = await post('/v1/destinations/archive/recover', {});
    assert.deepEqual(recover.json, { name: 'recover-1', from: 1, through: 2, entries: 2, dry_run: false });
    assert.deepEqual(it.verbs.splice(0), ['replay 1-2', 'recover 1-2']);
  });

  test('refuse what they do not understand', async () => {
    assert.equal((await post('/v1/destinations/archive/replay', {})).status, 400);
    assert.equal((await post('/v1/destinations/archive/replay', { from: 'yesterday' })).status, 400);
    assert.equal((await post('/v1/destinations/archive/replay', { from: 0, until: 3 })).status, 400);
    assert.equal((await post('/v1/destinations/nobody/replay', { from: 0 })).status, 404);
    assert.equal((await post('/v1/destinations/archive/replay', { from: 0 }, 'viewer-token-123')).status, 403);
    assert.deepEqual(it.verbs, []);
  });

  test('cancel and forget', async () => {
    await post('/v1/destinations/archive/cancel', {});
    const forgotten = await post('/v1/destinations/archive/forget', {});
    assert.deepEqual(forgotten.json, { forgotten: 'archive', cursor: 3 });
    assert.deepEqual(it.verbs.splice(0), ['cancel', 'forget']);
  });

  test('a recovery without a beginning asks for one where the destination does not say what it lacks', async (t) => {
    const whole = { status: () => ({ cursor: asIndex(3), lacks: null, quarantine: [] }) } as unknown as DestinationVerbs;
    const other = await openTestApi({ tokens: [testToken('ops', 'operator', 'operator-token-1')] }, { destination: () => whole });
    t.after(other.close);
    const headers = { authorization: 'Bearer operator-token-1', 'content-type': 'application/json' };
    const answer = await other.send('/v1/destinations/archive/recover', { method: 'POST', body: '{}', headers });
    assert.equal(answer.status, 400);
    assert.match(answer.text, /archive does not say that it lacks anything, so say it: `waybill recover archive --from INDEX\|TIME`/);
  });

  test('a cancel is answered although what is in flight takes longer', async (t) => {
    const slow = { cancel: () => new Promise<void>(() => undefined) } as unknown as DestinationVerbs;
    const other = await openTestApi({ tokens: [testToken('ops', 'operator', 'operator-token-1')] }, { destination: () => slow });
    t.after(other.close);
    const answer = other.send('/v1/destinations/archive/cancel', { method: 'POST', headers: { authorization: 'Bearer operator-token-1' } });
    let status = 0;
    void answer.then((got) => (status = got.status));
    while (status === 0) {
      await other.ports.clock.pass(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(status, 200);
  });

  test('about what is set aside', async () => {
    const get = (path: string) => it.send(path, { headers: { authorization: 'Bearer viewer-token-123' } });
    const row = { destination: 'archive', from: 0, through: 1, entries: 2, code: 'SINK_REFUSED_ENTRY', message: 'no', at: 5 };
    assert.deepEqual((await get('/v1/quarantine')).json, { quarantine: [row] });
    assert.deepEqual((await get('/v1/quarantine/archive')).json, { quarantine: [row] });
    const shown = await get('/v1/quarantine/archive/0');
    assert.equal(shown.json['message'], 'no');
    assert.match(shown.text, /"entry":\{"v":1,/);
    assert.equal((await get('/v1/quarantine/archive/7')).status, 409);
    const waived = await post('/v1/quarantine/archive/waive', { from: 1 });
    assert.deepEqual(waived.json, { name: null, from: 1, through: 1, entries: 1, dry_run: false });
    const again = await post('/v1/quarantine/archive/redeliver', { from: 0, through: 900 });
    assert.deepEqual(again.json, { name: 'redeliver-1', from: 0, through: 2, entries: 2, dry_run: false });
    assert.deepEqual(it.verbs.splice(0), ['waive 1-1', 'redeliver 0-2']);
  });
});
