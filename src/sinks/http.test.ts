import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { batchOf, entriesOf, heldOf } from '../../test/conformance/batches.ts';
import { startHttpReceiver } from '../../test/conformance/http-receiver.ts';
import { asIndex } from '../contracts/units.ts';
import { openPorts } from '../runtime/ports.ts';
import { type HttpConfig, http } from './http.ts';

const ports = await openPorts({ logLevel: 'silent' });
const receiver = await startHttpReceiver({ drops: false });
after(async () => {
  await receiver.stop();
  await ports.close();
});

const never = (): AbortSignal => new AbortController().signal;

function configOf(settings: object): HttpConfig {
  const result = http.config.safeParse({ url: `${receiver.url}/in`, ...settings });
  assert.ok(result.success, 'the settings are right');
  return result.data;
}

const target = (url: string): string => http.target(configOf({ url }));

async function sent(settings: object, batch = batchOf({ from: 5, entries: entriesOf(5, 3), through: 9 })) {
  const sink = await http.open(configOf(settings), {
    name: 'lake',
    origin: 'acme.example/audit',
    ports,
    cursor: asIndex(5),
    receipt: null,
  });
  const receipt = await sink.write(batch, never());
  await sink.close();
  const request = receiver.requests.at(-1);
  assert.ok(request !== undefined);
  return { receipt, request };
}

describe('the request of a batch', () => {
  test('says what the batch accounts for', async () => {
    const { receipt, request } = await sent({ token: 'abc', headers: { 'X-Tenant': 'acme' } });
    const { headers } = request;
    assert.equal(request.method, 'POST');
    assert.equal(request.path, '/in');
    const own = Object.entries(headers).filter(
      ([name]) => name.startsWith('waybill-') || ['content-type', 'authorization', 'x-tenant'].includes(name),
    );
    assert.deepEqual(Object.fromEntries(own), {
      authorization: 'Bearer abc',
      'x-tenant': 'acme',
      'content-type': 'application/x-ndjson',
      'waybill-ledger': 'acme.example/audit',
      'waybill-destination': 'lake',
      'waybill-from': '5',
      'waybill-through': '9',
      'waybill-count': '3',
      'waybill-omitted': '{"filtered":2,"quarantined":[],"control":0}',
      'waybill-batch': '5-9',
    });
    assert.deepEqual(receipt, { status: 204 });
  });

  test('names the replay that it belongs to', async () => {
    const { request } = await sent({}, batchOf({ from: 0, entries: entriesOf(0, 1), replay: 'r-1' }));
    assert.equal(request.headers['waybill-replay'], 'r-1');
  });

  test('may be empty', async () => {
    const { request } = await sent({}, batchOf({ from: 0, entries: [], through: 99 }));
    assert.equal(request.body.length, 0);
    assert.equal(request.headers['waybill-count'], '0');
  });

  test('counts set aside entries when they are too many for a header', async () => {
    const quarantined = Array.from({ length: 3_000 }, (_, k) => asIndex(1_000_000 + k));
    const batch = { ...batchOf({ from: 0, entries: [], through: 99 }), omitted: { filtered: 1, quarantined, control: 2, detached: 0 } };
    const { request } = await sent({}, batch);
    const omitted = JSON.parse(String(request.headers['waybill-omitted']));
    assert.equal(omitted.quarantined_count, 3_000);
    assert.equal(omitted.quarantined.length, 500);
    assert.equal(omitted.filtered + omitted.control, 3);
  });

  for (const compress of ['none', 'gzip', 'zstd'] as const) {
    test(`carries its entries with compression ${compress}`, async () => {
      const before = receiver.held().length;
      const parts = { from: 0, entries: entriesOf(0, 500) };
      const { request } = await sent({ compress }, batchOf(parts));
      assert.equal(request.headers['content-encoding'], compress === 'none' ? undefined : compress);
      assert.ok(compress === 'none' || request.body.length < 20_000);
      assert.deepEqual(receiver.held().slice(before), heldOf(parts));
    });
  }
});

describe('a destination that is closed', () => {
  test('gives up what is under way, and takes nothing more', async () => {
    const sink = await http.open(configOf({}), { name: 'lake', origin: 'acme.example/audit', ports, cursor: asIndex(0), receipt: null });
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    receiver.trouble('hang', resolve);
    const writing = assert.rejects(sink.write(batchOf({ from: 0, entries: entriesOf(0, 1) }), never()), {
      code: 'SINK_ANSWER_LOST',
      message: /the destination was closed/,
    });
    await arrived;
    await sink.close();
    await writing;
    receiver.heal();
    await assert.rejects(sink.write(batchOf({ from: 0, entries: [] }), never()), { name: 'BrokenInvariant' });
  });
});

describe('the settings', () => {
  test('promise that repeats are dropped only when they are told so', () => {
    assert.equal(http.traits(configOf({})).dedupe, 'none');
    assert.equal(http.traits(configOf({ idempotent: true })).dedupe, 'key');
  });

  test('name the target without its key, and notice when the key changes', () => {
    assert.equal(target('https://a.example/in'), 'https://a.example/in');
    assert.match(target('https://a.example/in?key=secret'), /^https:\/\/a\.example\/in\?#[0-9a-f]{8}$/);
    assert.notEqual(target('https://a.example/in?key=1'), target('https://a.example/in?key=2'));
  });

  const wrong: readonly (readonly [string, object])[] = [
    ['another protocol', { url: 'ftp://a.example/' }],
    ['no URL', { url: 'a.example' }],
    ['credentials in the URL', { url: 'https://user:password@a.example/' }],
    ['a fragment', { url: 'https://a.example/#part' }],
    ['a token with a line break', { token: 'a\nb' }],
    ['an empty token', { token: '' }],
    ['a header that waybill sets', { headers: { 'Waybill-From': '0' } }],
    ['a header that the connection needs', { headers: { 'Content-Length': '0' } }],
    ['a header value with a line break', { headers: { 'X-A': 'a\r\nX-B: b' } }],
    ['a header name with a space', { headers: { 'X A': 'a' } }],
    ['an unknown compression', { compress: 'br' }],
    ['an unknown key', { uri: 'https://a.example/' }],
  ];
  for (const [what, settings] of wrong) {
    test(`refuse ${what}`, () => {
      const result = http.config.safeParse({ url: receiver.url, ...settings });
      assert.equal(result.success, false);
      const said = JSON.stringify(result.error?.issues);
      assert.ok(!said.includes('password') && !said.includes('X-B: b'), said);
    });
  }
});
