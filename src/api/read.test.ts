import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { settle } from '../../test/doubles/manual-ports.ts';
import type { Got } from '../../test/doubles/open-test-api.ts';
import { openTestApi, readAll, testToken } from '../../test/doubles/open-test-api.ts';
import { BrokenInvariant } from '../contracts/assert.ts';

const code = ({ json }: Got) => (json['error'] as { code?: string } | undefined)?.code;
const operator = { tokens: [testToken('ops', 'operator', 'secret')] };
const headers = { authorization: 'Bearer secret' };

function breaks(): never {
  throw new BrokenInvariant('a secret detail');
}

describe('GET /v1/entries', () => {
  test('lines with the index and the exact bytes', async (t) => {
    const { post, send, ledger, close } = await openTestApi();
    t.after(close);
    await post('[{"id":"a" , "x":"täil"},{"id":"b"},{"id":"c"}]');
    const all = await send('/v1/entries');
    assert.equal(all.headers['content-type'], 'application/x-ndjson');
    assert.equal(all.headers['waybill-size'], '3');
    const lines = ledger.texts().map((text, index) => `{"index":${index},"entry":${text}}\n`);
    assert.equal(all.text, lines.join(''));
    assert.equal((await send('/v1/entries?from=1&limit=1')).text, lines[1]);
    assert.equal((await send('/v1/entries?from=2&limit=10')).text, lines[2]);
    for (const path of ['/v1/entries?from=3', '/v1/entries?from=99', '/v1/entries?limit=0']) {
      const none = await send(path);
      assert.deepEqual([none.status, none.text], [200, '']);
    }
  });

  test('shows only what is durable', async (t) => {
    const { post, send, ledger, close } = await openTestApi();
    t.after(close);
    await post('{"id":"a"}');
    ledger.hold();
    const sent = post('{"id":"b"}');
    while (ledger.assigned() === 1) await settle();
    assert.equal((await send('/v1/entries')).text.split('\n').length, 2);
    ledger.release();
    await sent;
  });

  test('a long answer comes in pieces, whole and in order', async (t) => {
    const { post, send, close } = await openTestApi();
    t.after(close);
    const pad = 'x'.repeat(30_000);
    for (let k = 0; k < 10; k++) await post(JSON.stringify(Array.from({ length: 20 }, (_, j) => ({ id: `${k}.${j}`, pad }))));
    const lines = (await send('/v1/entries?limit=500')).text.trimEnd().split('\n');
    const read = lines.map((line) => JSON.parse(line) as { index: number; entry: { id: string } });
    const expected = Array.from({ length: 200 }, (_, n) => [n, `${Math.floor(n / 20)}.${n % 20}`]);
    const found = read.map(({ index, entry }) => [index, entry.id]);
    assert.deepEqual(found, expected);
  });

  test('a reader that goes away in the middle harms nobody', async (t) => {
    const { post, send, socket, close } = await openTestApi();
    t.after(close);
    const pad = 'x'.repeat(50_000);
    for (let k = 0; k < 20; k++) await post(JSON.stringify(Array.from({ length: 10 }, (_, j) => ({ id: `${k}.${j}`, pad }))));
    const reader = await socket();
    reader.write('GET /v1/entries?limit=200 HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await new Promise((resolve) => reader.once('readable', resolve));
    reader.destroy();
    await settle();
    assert.equal((await send('/livez')).status, 200);
  });

  test('what is pruned is 410, and what is no number is 400', async (t) => {
    const { post, send, ledger, close } = await openTestApi();
    t.after(close);
    await post('[{"id":"a"},{"id":"b"}]');
    ledger.prune(1);
    const gone = await send('/v1/entries?from=0');
    assert.deepEqual([gone.status, code(gone)], [410, 'LEDGER_PRUNED']);
    assert.match((await send('/v1/entries')).text, /^\{"index":1,/);
    for (const query of ['from=-1', 'from=1.5', 'from=x', 'from=', 'limit=1e3', 'limit=999999999', 'through=3']) {
      const answer = await send(`/v1/entries?${query}`);
      assert.deepEqual([answer.status, code(answer)], [400, 'REQUEST_INVALID'], query);
    }
  });

  test('an entry that cannot be read breaks the answer off, so that it is not taken for whole', async (t) => {
    const { post, ledger, socket, close } = await openTestApi();
    t.after(close);
    const pad = 'x'.repeat(50_000);
    for (let k = 0; k < 5; k++) await post(JSON.stringify(Array.from({ length: 10 }, (_, j) => ({ id: `${k}.${j}`, pad }))));
    const read = ledger.read.bind(ledger);
    ledger.read = (from, limits) => (from === 0 ? read(from, limits) : Promise.reject(new Error('damaged')));
    const reader = await socket();
    const answer = readAll(reader);
    reader.write('GET /v1/entries HTTP/1.1\r\nhost: localhost\r\n\r\n');
    const text = await answer;
    assert.match(text, /^HTTP\/1.1 200 /);
    assert.ok(!text.endsWith('0\r\n\r\n'), 'the last chunk is missing');
  });
});

describe('status and control', () => {
  test('status, destinations and one of them', async (t) => {
    const { post, send, close } = await openTestApi();
    t.after(close);
    await post('[{"id":"a"},{"id":"a"}]');
    const { json } = await send('/v1/status');
    assert.deepEqual(json['ledger'], { origin: 'test.example/log', size: 1, durable: 1 });
    assert.deepEqual((json['sources'] as Record<string, unknown>)['app'], {
      accepted: 1,
      duplicates: 1,
      rejected: 0,
      conflicts: 0,
      entries: 1,
    });
    const list = await send('/v1/destinations');
    const one = await send('/v1/destinations/archive');
    assert.deepEqual((list.json['destinations'] as Record<string, unknown>)['archive'], one.json);
    for (const name of ['nobody', '__proto__', 'constructor', '%E0%A4%A']) {
      const answer = await send(`/v1/destinations/${name}`);
      assert.deepEqual([answer.status, code(answer)], [404, 'DESTINATION_UNKNOWN'], name);
    }
  });

  test('keys are written in one way, whatever the parts call them', async (t) => {
    const view = { state: 'running', cursor: 0, lag: 0, error: null, nextRetryAt: 7, head: { inFlight: true }, list: [{ aB: 1 }] };
    const status = () => ({ ledger: { origin: 'o', size: 0, durable: 0 }, sources: {}, destinations: { 'a-b_c': view } });
    const { send, close } = await openTestApi({}, { status });
    t.after(close);
    const { nextRetryAt: next_retry_at, ...rest } = view;
    const expected = { ...rest, next_retry_at, head: { in_flight: true }, list: [{ a_b: 1 }] };
    assert.deepEqual((await send('/v1/status')).json['destinations'], { 'a-b_c': expected });
    assert.deepEqual((await send('/v1/destinations/a-b_c')).json, expected);
  });

  test('verbs reach their destination', async (t) => {
    const { send, verbs, close } = await openTestApi(operator);
    t.after(close);
    for (const verb of ['pause', 'resume', 'retry']) {
      const answer = await send(`/v1/destinations/archive/${verb}`, { method: 'POST', headers });
      assert.deepEqual([answer.status, answer.json['state']], [200, 'running']);
    }
    assert.deepEqual(verbs, ['pause', 'resume', 'retry']);
    const unknown = await send('/v1/destinations/nobody/pause', { method: 'POST', headers });
    assert.deepEqual([unknown.status, code(unknown)], [404, 'DESTINATION_UNKNOWN']);
  });

  test('a verb takes no body, or an empty object with its type', async (t) => {
    const { send, verbs, close } = await openTestApi(operator);
    t.after(close);
    const path = '/v1/destinations/archive/pause';
    const typed = { ...headers, 'content-type': 'application/json' };
    assert.equal((await send(path, { method: 'POST', headers: typed, body: '{ }' })).status, 200);
    assert.equal((await send(path, { method: 'POST', headers, body: '{}' })).status, 415);
    assert.equal((await send(path, { method: 'POST', headers: typed, body: '{"for":"1h"}' })).status, 400);
    assert.deepEqual(verbs, ['pause']);
  });

  test('metrics have their names and follow the status', async (t) => {
    const { post, send, close } = await openTestApi();
    t.after(close);
    await post('[{"id":"a"},{"id":"b"}]');
    await post('{"id":"a"}');
    const { status, text, headers } = await send('/metrics');
    assert.equal(status, 200);
    assert.match(headers['content-type'] ?? '', /^text\/plain/);
    for (const line of [
      'waybill_ledger_durable 2',
      'waybill_source_accepted_total{source="app"} 2',
      'waybill_source_duplicates_total{source="app"} 1',
      'waybill_destination_lag{destination="archive"} 4',
      'waybill_destination_entries_total{destination="archive"} 3',
      'waybill_destination_state{destination="archive",state="running"} 1',
      'waybill_destination_state{destination="archive",state="halted"} 0',
      'waybill_http_requests_total{route="/v1/events",status="200"} 2',
      'waybill_http_request_seconds_count{route="/v1/events"} 2',
    ]) {
      assert.ok(text.split('\n').includes(line), `${line} in\n${text}`);
    }
    assert.match((await send('/metrics')).text, /^waybill_source_accepted_total\{source="app"\} 2$/m, 'asking twice counts once');
  });

  test('ready means that an event could be made durable now', async (t) => {
    const { send, ledger, close } = await openTestApi();
    t.after(close);
    assert.deepEqual((await send('/readyz')).json, { ready: true });
    ledger.limitBytes = 0;
    const full = await send('/readyz');
    assert.deepEqual([full.status, code(full)], [503, 'LEDGER_FULL']);
    assert.deepEqual([(await send('/livez')).status, (await send('/livez')).json], [200, { live: true }]);
  });

  test('a broken promise of this program is 500 without its details, and is told to whoever runs it', async (t) => {
    const { send, api, ports, close } = await openTestApi({}, { status: breaks });
    t.after(close);
    const answer = await send('/v1/status');
    assert.deepEqual([answer.status, code(answer)], [500, 'INTERNAL']);
    assert.doesNotMatch(answer.text, /secret detail/);
    assert.equal(((await api.failed) as Error).name, 'BrokenInvariant');
    assert.match(String(ports.log.lines.at(-1)?.facts?.['error']), /secret detail/);
  });
});
