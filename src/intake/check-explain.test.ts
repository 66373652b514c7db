import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FAULT_CODES, isKeepable } from '../contracts/faults.ts';
import { checkBody } from './check.ts';
import { explain, FAULTS_MAX } from './check-explain.ts';
import { jsonEventRule } from './check-rules.ts';
import { waybillEventRule } from './waybill-event.ts';

const actor = { type: 'user', id: 'u1' };
const good = { id: 'e1', occurred_at: '2026-11-24T11:08:09.123Z', action: 'a.b', outcome: 'success', actor };
const target = { type: 't', id: 'i' };

/** The faults of an event as `path CODE`; the one-pass check must refuse what has any. */
function faultsOf(event: unknown): string[] {
  const text = typeof event === 'string' ? event : JSON.stringify(event);
  const found = explain(Buffer.from(text), waybillEventRule).map(({ path, code }) => `${path} ${code}`);
  const checked = checkBody(Buffer.from(text), 'lines', { schema: 'waybill/1', idField: null });
  assert.equal(checked.faults.size, found.length > 0 ? 1 : 0, 'the two checks differ');
  return found;
}

describe('waybill/1, taken', () => {
  const whole = {
    ...good,
    actor: {
      ...actor,
      name: '',
      email: 'a@b',
      session_id: 's',
      credential_id: 'c',
      on_behalf_of: [actor],
      agent: { model: 'm' },
      extra: [1],
    },
    targets: [{ ...target, name: 'n', role: 'r', attributes: { x: [] } }],
    tenant: 't',
    operation: 'update',
    error: { code: 'c', message: 'm' },
    context: {
      ip: '::1',
      forwarded_for: ['a'],
      user_agent: '',
      location: 'l',
      request_id: 'r',
      http: {},
      service: { name: 's' },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
    changes: [{ path: '/a', before: null, after: { b: [1] }, redacted: true }, { path: '/b' }],
    severity: 'high',
    reason: 'r',
    description: 'd',
    correlation_id: 'c',
    causation_id: 'c',
    metadata: { s: 's', n: 1, b: true, z: null },
    data: { any: [{ thing: 1 }] },
    producer: { id: 'p', epoch: 1, seq: 2 },
    unknown: { field: ['stays'] },
  };
  test('the least', () => assert.deepEqual(faultsOf(good), []));
  test('everything', () => assert.deepEqual(faultsOf(whole), []));
  test('in any order', () => assert.deepEqual(faultsOf(Object.fromEntries(Object.entries(whole).toReversed())), []));
  test('every field of the rules stands in it', () => {
    assert.deepEqual(
      Object.keys(waybillEventRule.fields).filter((name) => !(name in whole)),
      ['$blob'],
    );
  });
});

const long = (count: number): string => 'x'.repeat(count);

describe('waybill/1, refused', () => {
  const { occurred_at: _, ...untimed } = good;
  const table: readonly (readonly [event: unknown, ...faults: string[]])[] = [
    [{}, '/occurred_at EVENT_FIELD_MISSING', '/action EVENT_FIELD_MISSING', '/outcome EVENT_FIELD_MISSING', '/actor EVENT_FIELD_MISSING'],
    [untimed, '/occurred_at EVENT_FIELD_MISSING'],
    [{ ...good, id: 1 }, '/id IDENTITY_INVALID'],
    [{ ...good, id: '' }, '/id IDENTITY_INVALID'],
    [{ ...good, id: long(513) }, '/id IDENTITY_INVALID'],
    [{ ...good, occurred_at: '2026-11-24' }, '/occurred_at EVENT_FIELD_FORMAT'],
    [{ ...good, occurred_at: 1_764_000_000 }, '/occurred_at EVENT_FIELD_TYPE'],
    [{ ...good, action: '' }, '/action EVENT_FIELD_TOO_SHORT'],
    [{ ...good, action: 'a..b' }, '/action EVENT_FIELD_FORMAT'],
    [{ ...good, action: long(129) }, '/action EVENT_FIELD_TOO_LONG'],
    [{ ...good, outcome: 'ok' }, '/outcome EVENT_FIELD_VALUE'],
    [{ ...good, outcome: null }, '/outcome EVENT_FIELD_TYPE'],
    [{ ...good, actor: 'me' }, '/actor EVENT_FIELD_TYPE'],
    [{ ...good, actor: {} }, '/actor/type EVENT_FIELD_MISSING', '/actor/id EVENT_FIELD_MISSING'],
    [{ ...good, actor: { type: 'robot', id: 1 } }, '/actor/type EVENT_FIELD_VALUE', '/actor/id EVENT_FIELD_TYPE'],
    [{ ...good, actor: { ...actor, on_behalf_of: Array.from({ length: 6 }, () => actor) } }, '/actor/on_behalf_of EVENT_TOO_MANY'],
    [{ ...good, actor: { ...actor, on_behalf_of: [actor, { type: 'user' }] } }, '/actor/on_behalf_of/1/id EVENT_FIELD_MISSING'],
    [{ ...good, actor: { ...actor, agent: [] } }, '/actor/agent EVENT_FIELD_TYPE'],
    [{ ...good, targets: target }, '/targets EVENT_FIELD_TYPE'],
    [{ ...good, targets: Array.from({ length: 51 }, () => target) }, '/targets EVENT_TOO_MANY'],
    [{ ...good, targets: [target, { id: '' }] }, '/targets/1/type EVENT_FIELD_MISSING', '/targets/1/id EVENT_FIELD_TOO_SHORT'],
    [{ ...good, operation: 'drop' }, '/operation EVENT_FIELD_VALUE'],
    [{ ...good, error: { message: long(4_097) } }, '/error/message EVENT_FIELD_TOO_LONG'],
    [{ ...good, context: { forwarded_for: [1] } }, '/context/forwarded_for/0 EVENT_FIELD_TYPE'],
    [{ ...good, context: { traceparent: 'x' } }, '/context/traceparent EVENT_FIELD_FORMAT'],
    [{ ...good, changes: [{ before: 1 }] }, '/changes/0/path EVENT_FIELD_MISSING'],
    [{ ...good, changes: [{ path: 'a', redacted: null }] }, '/changes/0/redacted EVENT_FIELD_TYPE'],
    [{ ...good, changes: Array.from({ length: 101 }, () => ({ path: 'a' })) }, '/changes EVENT_TOO_MANY'],
    [{ ...good, severity: 'fatal' }, '/severity EVENT_FIELD_VALUE'],
    [{ ...good, metadata: { 'a/b~c': {} } }, '/metadata/a~1b~0c EVENT_FIELD_TYPE'],
    [{ ...good, metadata: Object.fromEntries(Array.from({ length: 51 }, (_value, k) => [`k${k}`, k])) }, '/metadata EVENT_TOO_MANY'],
    [{ ...good, data: { pad: long(16_384 - 9) } }, '/data EVENT_FIELD_TOO_LONG'],
    [{ ...good, data: [] }, '/data EVENT_FIELD_TYPE'],
    [{ ...good, producer: { id: 'p', epoch: -1, seq: 1.5 } }, '/producer/epoch EVENT_FIELD_VALUE', '/producer/seq EVENT_FIELD_VALUE'],
    [{ ...good, producer: { id: 'p', epoch: '1', seq: 2 ** 53 } }, '/producer/epoch EVENT_FIELD_TYPE', '/producer/seq EVENT_FIELD_VALUE'],
    [{ ...good, producer: { id: 'p' } }, '/producer/epoch EVENT_FIELD_MISSING', '/producer/seq EVENT_FIELD_MISSING'],
    [{ ...good, $blob: {} }, '/$blob EVENT_RESERVED'],
    ['{"data":{"x":[{"a~":1,"a~":2}]},"actor":1,"actor":2}', '/actor EVENT_DUPLICATE_KEY', '/data/x/0/a~0 EVENT_DUPLICATE_KEY'],
    ['[]', ' EVENT_NOT_OBJECT'],
    ['{"a":1', ' EVENT_NOT_JSON'],
    [`{"a":${'['.repeat(64)}${']'.repeat(64)}}`, ' EVENT_TOO_DEEP'],
    [`{"a":"${long(64_000)}"}`, ' EVENT_TOO_LARGE'],
  ];
  for (const [event, ...expected] of table) {
    test(JSON.stringify(event).slice(0, 100), () => assert.deepEqual(faultsOf(event), expected));
  }
});

test('limits are in characters, whichever way they are written', () => {
  for (const character of ['x', 'é', '語', '😀']) {
    assert.deepEqual(faultsOf({ ...good, tenant: character.repeat(512) }), []);
    assert.deepEqual(faultsOf({ ...good, tenant: character.repeat(513) }), ['/tenant EVENT_FIELD_TOO_LONG']);
  }
  const escaped = JSON.stringify({ ...good, tenant: '@' }).replace('@', '\\u0061'.repeat(512));
  assert.deepEqual(faultsOf(escaped), []);
  assert.deepEqual(faultsOf(escaped.replace('\\u0061', 'aa')), ['/tenant EVENT_FIELD_TOO_LONG']);
});

test('data is measured as it is sent', () => {
  const pad = 'x'.repeat(16_384 - 10);
  assert.deepEqual(faultsOf({ ...good, data: { pad } }), []);
  assert.deepEqual(faultsOf(JSON.stringify({ ...good, data: { pad } }).replace('"pad":', '"pad": ')), ['/data EVENT_FIELD_TOO_LONG']);
});

test('messages never tell what an event contains', () => {
  const secret = 'hunter2secret';
  const texts = [
    { ...good, outcome: secret, action: `${secret} ${secret}`, occurred_at: secret, metadata: { a: [secret] }, id: secret.repeat(50) },
    `{"a":${secret}}`,
    `"${secret}"`,
    `{"a":"${secret}","a":"${secret}"}`,
  ];
  for (const event of texts) {
    const found = explain(Buffer.from(typeof event === 'string' ? event : JSON.stringify(event)), waybillEventRule);
    assert.ok(found.length > 0);
    for (const { path, message } of found) assert.ok(!`${path}${message}`.includes(secret), message);
  }
});

test('the list of faults and each path in it are bounded', () => {
  const found = explain(Buffer.from(JSON.stringify({ ...good, changes: Array.from({ length: 1_000 }, () => 1) })), waybillEventRule);
  assert.equal(found.length, FAULTS_MAX);
  const [long] = explain(Buffer.from(JSON.stringify({ ...good, metadata: { ['n'.repeat(10_000)]: [] } })), waybillEventRule);
  assert.ok(long !== undefined && long.path.length < 300);
});

test('every code that an event can get is in the table, and only what fits an entry is keepable', () => {
  const keepable = Object.keys(FAULT_CODES).filter(isKeepable);
  assert.ok(keepable.every((code) => code.startsWith('EVENT_FIELD_') || code === 'EVENT_TOO_MANY' || code === 'IDENTITY_INVALID'));
  assert.equal(isKeepable('NO_SUCH_CODE'), false);
  assert.equal(isKeepable('toString'), false);
});

test('a schema-less event is any object', () => {
  for (const text of ['{}', '{"id":null,"actor":1}']) assert.deepEqual(explain(Buffer.from(text), jsonEventRule(null)), []);
});
