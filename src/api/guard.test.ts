import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../test/doubles/manual-ports.ts';
import type { Got } from '../../test/doubles/open-test-api.ts';
import { openTestApi, TEST_API_CONFIG, testListener, testToken } from '../../test/doubles/open-test-api.ts';
import type { ApiConfig, Role } from '../config/config.ts';
import { isLoopback } from '../config/keys.ts';
import { createAttempts } from './attempts.ts';
import { createGuard } from './guard.ts';

const code = ({ json }: Got) => (json['error'] as { code?: string } | undefined)?.code;
const TOKENS = (['producer', 'viewer', 'auditor', 'operator'] as const).map((role) => testToken(role, role, `secret-${role}`));
const bearer = (role: string) => ({ authorization: `Bearer secret-${role}` });

describe('hosts and origins', () => {
  test('a host that is neither loopback nor configured is 421', async (t) => {
    const { send, close } = await openTestApi({ hosts: ['audit.example'] });
    t.after(close);
    for (const host of ['127.0.0.1', '127.1.2.3:80', 'localhost', 'LOCALHOST:8400', '[::1]:8400', 'audit.example', 'Audit.Example:443']) {
      assert.equal((await send('/v1/status', { headers: { host } })).status, 200, host);
    }
    for (const host of ['evil.example', 'audit.example.evil.example', '127.0.0.1.evil.example', '10.0.0.1', 'localhost.evil', '[::2]']) {
      const answer = await send('/v1/status', { headers: { host } });
      assert.deepEqual([answer.status, code(answer)], [421, 'HOST_UNKNOWN'], host);
    }
    assert.equal((await send('/livez', { headers: { host: 'evil.example' } })).status, 200, 'a probe knows the machine by another name');
  });

  test('a page of another site changes nothing', async (t) => {
    const { post, send, ledger, verbs, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    const host = 'localhost:8400';
    for (const origin of ['http://evil.example', 'null', 'http://localhost:8401', 'http://localhost', 'ftp://localhost:8400', '']) {
      const answer = await post('{}', { host, origin, ...bearer('operator') });
      assert.deepEqual([answer.status, code(answer)], [403, 'ORIGIN_FOREIGN'], origin);
      const control = await send('/v1/destinations/archive/pause', { method: 'POST', headers: { host, origin, ...bearer('operator') } });
      assert.equal(control.status, 403);
      assert.equal((await send('/v1/status', { headers: { host, origin, ...bearer('viewer') } })).status, 200, 'reading changes nothing');
    }
    assert.deepEqual([ledger.assigned(), verbs], [0, []]);
    assert.equal((await post('{}', { host, origin: 'http://LOCALHOST:8400', ...bearer('operator') })).status, 200);
  });
});

describe('tokens', () => {
  test('each role may do what it is for, and no more', async (t) => {
    const { post, send, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    const may: Record<Role, readonly [ingest: number, read: number, control: number]> = {
      producer: [200, 403, 403],
      viewer: [403, 200, 403],
      auditor: [403, 200, 403],
      operator: [200, 200, 200],
    };
    for (const [role, [ingest, read, control]] of Object.entries(may)) {
      const headers = bearer(role);
      assert.equal((await post('{}', headers)).status, ingest, role);
      for (const path of ['/v1/entries', '/v1/status', '/v1/destinations', '/v1/destinations/archive', '/metrics']) {
        assert.equal((await send(path, { headers })).status, read, `${role} ${path}`);
      }
      for (const verb of ['pause', 'resume', 'retry']) {
        assert.equal((await send(`/v1/destinations/archive/${verb}`, { method: 'POST', headers })).status, control, `${role} ${verb}`);
      }
    }
  });

  test('no token, a wrong one or one in another form is 401, and says nothing about the right one', async (t) => {
    const { post, send, ledger, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    for (const authorization of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer secret',
      'Bearer secret-producer2',
      'Basic secret-producer',
      'secret-producer',
    ]) {
      const answer = await post('{}', authorization === undefined ? {} : { authorization });
      assert.deepEqual([answer.status, code(answer)], [401, 'UNAUTHORIZED'], String(authorization));
      assert.equal(answer.headers['www-authenticate'], 'Bearer');
      assert.doesNotMatch(answer.text, /secret/);
    }
    assert.equal((await send('/v1/status')).status, 401);
    assert.equal((await send('/livez')).status, 200);
    assert.equal((await send('/readyz')).status, 200);
    assert.equal(ledger.assigned(), 0);
    assert.equal((await post('{}', { authorization: 'bearer  secret-producer' })).status, 200);
  });

  test('without tokens there is no operator', async (t) => {
    const { send, verbs, close } = await openTestApi();
    t.after(close);
    const answer = await send('/v1/destinations/archive/pause', { method: 'POST' });
    assert.deepEqual([answer.status, code(answer)], [403, 'FORBIDDEN']);
    assert.deepEqual(verbs, []);
    assert.equal((await send('/v1/status')).status, 200);
  });

  test('listening beyond loopback without a token, or with one that anybody can read, is refused', async () => {
    const clock = new ManualClock();
    const guard = (config: Partial<ApiConfig>) => createGuard({ ...TEST_API_CONFIG, ...config }, clock, createAttempts(clock));
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'audit.example']) {
      assert.throws(() => guard({ listeners: [testListener(host)] }), { code: 'LISTEN_UNSAFE' }, host);
      assert.throws(() => guard({ listeners: [testListener(host)], tokens: TOKENS }), { code: 'LISTEN_UNSAFE' }, host);
      assert.equal(isLoopback(host), false);
      guard({ listeners: [testListener(host, 1, { cleartext: true })], tokens: TOKENS });
      guard({
        listeners: [testListener(host, 1, { tls: { cert: 'c', key: 'k', clientCa: null, clientCert: 'require' } })],
        tokens: TOKENS,
      });
    }
    await assert.rejects(openTestApi({ listeners: [testListener('0.0.0.0')] }), { code: 'LISTEN_UNSAFE' });
  });
});
