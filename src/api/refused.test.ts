import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';

const tokens = [testToken('ops', 'operator', 'secret-of-ops'), testToken('eve', 'viewer', 'secret-of-eve')];
const ops = { authorization: 'Bearer secret-of-ops' };
const eve = { authorization: 'Bearer secret-of-eve' };

async function open(texts: readonly string[]) {
  const api = await openTestApi({ tokens });
  const names: string[] = [];
  for (const [k, text] of texts.entries()) {
    const place = { source: 'app', partition: 'p', position: String(k), nth: 0, reason: 'EVENT_NOT_JSON', message: 'no', at: 7 };
    names.push(await api.intake.refused.keep(Buffer.from(text, 'latin1'), place));
  }
  return { ...api, names };
}

describe('refused events', () => {
  test('are listed and shown to whoever may read', async (t) => {
    const { send, close, names } = await open(['bad', '\xff', '{"id":"a"}']);
    t.after(close);
    const all = await send('/v1/refused', { headers: eve });
    assert.deepEqual([all.status, all.json['count'], all.json['bytes']], [200, 3, 6 * 4_096]);
    const rows = all.json['refused'] as { sha256: string; times: number; places: object[] }[];
    assert.deepEqual(
      rows.map(({ sha256 }) => sha256),
      names.toSorted(),
    );
    const first = await send(`/v1/refused?limit=1&after=${rows[0]?.sha256}`, { headers: eve });
    assert.deepEqual(
      (first.json['refused'] as { sha256: string }[]).map(({ sha256 }) => sha256),
      [rows[1]?.sha256],
    );
    const text = await send(`/v1/refused/${names[0]}`, { headers: eve });
    assert.deepEqual([text.json['text'], text.json['base64'], text.json['times']], ['bad', 'YmFk', 1]);
    const binary = await send(`/v1/refused/${names[1]}`, { headers: eve });
    assert.deepEqual([binary.json['text'], binary.json['base64']], [null, '/w==']);
    for (const path of ['/v1/refused/nothing', '/v1/refused/..%2f..%2fledger.json', `/v1/refused/${'0'.repeat(64)}`]) {
      assert.equal((await send(path, { headers: eve })).status, 404, path);
    }
  });

  test('are taken in again or discarded by an operator only', async (t) => {
    const { send, close, names, ledger } = await open(['bad', '{"id":"a"}']);
    t.after(close);
    assert.equal((await send(`/v1/refused/${names[1]}/retry`, { method: 'POST', headers: eve })).status, 403);
    const retried = await send(`/v1/refused/${names[1]}/retry`, { method: 'POST', headers: ops });
    assert.deepEqual([retried.status, retried.json['accepted']], [200, 1]);
    const still = await send(`/v1/refused/${names[0]}/retry`, { method: 'POST', headers: ops });
    assert.deepEqual([still.status, (still.json['error'] as { code: string }).code], [422, 'EVENTS_INVALID']);
    const given = await send(`/v1/refused/${names[0]}/discard`, { method: 'POST', headers: ops });
    assert.deepEqual([given.status, given.json['sha256']], [200, names[0]]);
    assert.equal((await send(`/v1/refused/${names[0]}/discard`, { method: 'POST', headers: ops })).status, 404);
    const types = ledger.texts().map((entry) => (JSON.parse(entry) as { event: { type?: string } }).event.type ?? 'event');
    assert.deepEqual(
      types.filter((type) => type !== 'operator.request'),
      ['event', 'refused.retried', 'refused.discarded'],
    );
  });

  test('a source that is pulled is tried again by an operator', async (t) => {
    const api = await openTestApi({ tokens });
    t.after(api.close);
    const status = await api.send('/v1/sources/nobody/retry', { method: 'POST', headers: ops });
    assert.deepEqual([status.status, (status.json['error'] as { code: string }).code], [404, 'SOURCE_UNKNOWN']);
    await api.send('/v1/sources/other/retry', { method: 'POST', headers: ops });
    assert.deepEqual(api.verbs, ['retry other']);
    const pushed = await api.send('/v1/sources/app/retry', { method: 'POST', headers: ops });
    const { code, message } = pushed.json['error'] as { code: string; message: string };
    assert.deepEqual([pushed.status, code], [409, 'COMMAND_REFUSED']);
    assert.match(message, /app is not read but sent to/);
  });
});
