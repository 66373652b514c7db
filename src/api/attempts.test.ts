import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../test/doubles/manual-ports.ts';
import type { Got } from '../../test/doubles/open-test-api.ts';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';
import { AddressMap, addressGroup } from './addresses.ts';
import { createAttempts, createDenialLog } from './attempts.ts';

const code = ({ json }: Got) => (json['error'] as { code?: string } | undefined)?.code;
const TOKENS = [testToken('ops', 'operator', 'right-token'), testToken('app', 'producer', 'right-producer')];

describe('trying tokens', () => {
  test('ends after a while: then no token of the address is looked at, and it opens again by itself', async (t) => {
    const { send, post, ports, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    const read = (token: string) => send('/v1/status', { headers: { authorization: `Bearer ${token}` } });
    for (let k = 0; k < 20; k += 1) assert.equal((await read(`guess-${k}`)).status, 401);
    const refused = await read('guess-20');
    assert.deepEqual([refused.status, code(refused)], [429, 'AUTH_THROTTLED']);
    assert.equal(refused.headers['retry-after'], '3');
    // The right token is not looked at either: an answer would tell the attacker that it was found.
    assert.equal((await read('right-token')).status, 429);
    assert.equal((await post('{}', { authorization: 'Bearer right-producer' })).status, 429);
    assert.equal((await send('/livez')).status, 200);
    await ports.clock.pass(3_000);
    assert.equal((await read('right-token')).status, 200);
  });

  test('does not lock out those who share the address and were right before', async (t) => {
    const { send, post, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    assert.equal((await post('{}', { authorization: 'Bearer right-producer' })).status, 200);
    for (let k = 0; k < 30; k += 1) await send('/v1/status', { headers: { authorization: `Bearer guess-${k}` } });
    assert.equal((await post('{}', { authorization: 'Bearer right-producer' })).status, 200);
    assert.equal((await send('/v1/status', { headers: { authorization: 'Bearer right-token' } })).status, 429);
  });

  test('a request without a token is no try', async (t) => {
    const { send, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    for (let k = 0; k < 60; k += 1) assert.equal((await send('/v1/status')).status, 401);
  });

  test('takes a bounded memory, whoever comes', () => {
    const attempts = createAttempts(new ManualClock());
    for (let k = 0; k < 50_000; k += 1) attempts.wrong(`10.${k >> 16}.${(k >> 8) & 255}.${k & 255}`);
    const map = new AddressMap(() => ({}));
    for (let k = 0; k < 50_000; k += 1) map.of(`2001:db8:${(k >> 8).toString(16)}:${(k & 255).toString(16)}::1`);
    assert.equal(map.size, 4_096);
  });

  test('an IPv6 network of one machine is one sender', () => {
    assert.equal(addressGroup('2001:db8:0:7::1'), addressGroup('2001:0DB8:0:0007:ffff::'));
    assert.notEqual(addressGroup('2001:db8:0:7::1'), addressGroup('2001:db8:0:8::1'));
    assert.equal(addressGroup('::ffff:10.1.2.3'), '10.1.2.3');
    assert.equal(addressGroup('10.1.2.3'), '10.1.2.3');
    assert.equal(addressGroup('::1'), '0:0:0:0::/64');
    assert.equal(addressGroup('1:2:3:4:5:6:7:8'), '1:2:3:4::/64');
  });
});

describe('the log of denials', () => {
  test('has one line a minute for an address, and sixty for all', async () => {
    const clock = new ManualClock();
    const lines: unknown[] = [];
    const denials = createDenialLog(clock, { warn: (_message, facts) => lines.push(facts) });
    for (let k = 0; k < 100; k += 1) denials.note('10.0.0.1', '/v1/reload', 'FORBIDDEN');
    assert.equal(lines.length, 1);
    await clock.pass(60_000);
    denials.note('10.0.0.1', '/v1/reload', 'FORBIDDEN');
    assert.deepEqual(lines[1], { address: '10.0.0.1', route: '/v1/reload', code: 'FORBIDDEN', refused_before: 99 });
    for (let k = 0; k < 1_000; k += 1) denials.note(`10.1.${k >> 8}.${k & 255}`, '/v1/reload', 'FORBIDDEN');
    assert.equal(lines.length, 61);
  });
});

describe('rates', () => {
  test('a token may send so many events a second, whatever its source allows', async (t) => {
    const tokens = [testToken('app', 'producer', 'right-producer', { rate: 3 })];
    const { post, ports, ledger, close } = await openTestApi({ tokens });
    t.after(close);
    const headers = { authorization: 'Bearer right-producer' };
    assert.equal((await post('[{"id":"a"},{"id":"b"},{"id":"c"}]', headers)).status, 200);
    const refused = await post('{"id":"d"}', headers);
    assert.deepEqual([refused.status, code(refused)], [429, 'RATE_LIMITED']);
    assert.match(refused.text, /the token app may take 3 events a second/);
    assert.equal(ledger.assigned(), 3);
    await ports.clock.pass(1_000);
    assert.equal((await post('{"id":"d"}', headers)).status, 200);
  });

  test('a caller may read so often, and its events are not counted for that', async (t) => {
    const limits = { bodyBytes: 1_000, events: 3, connections: 50, requestMs: 30_000, reads: 2, streams: 10 };
    const { send, post, close } = await openTestApi({ tokens: TOKENS, limits });
    t.after(close);
    const headers = { authorization: 'Bearer right-token' };
    const statuses = [];
    for (let k = 0; k < 4; k += 1) statuses.push((await send('/v1/status', { headers })).status);
    assert.deepEqual(statuses, [200, 200, 429, 429]);
    assert.equal((await post('{}', headers)).status, 200);
    assert.equal((await send('/livez')).status, 200);
  });

  test('a token ends when it is said to, and the answer says so to its holder only', async (t) => {
    const expiresMs = Date.UTC(2026, 10, 24, 11, 8, 10);
    const { send, ports, close } = await openTestApi({ tokens: [testToken('ops', 'operator', 'right-token', { expiresMs })] });
    t.after(close);
    const read = (token: string) => send('/v1/status', { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await read('right-token')).status, 200);
    await ports.clock.pass(1_000);
    const ended = await read('right-token');
    assert.equal(ended.status, 401);
    assert.match(ended.text, /the token ops was valid until 2026-11-24T11:08:10.000Z/);
    assert.doesNotMatch((await read('wrong')).text, /valid until/);
  });
});
