import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { settle } from '../../test/doubles/manual-ports.ts';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';
import { entriesOf } from '../../test/doubles/open-test-intake.ts';

const LINES = { 'content-type': 'application/x-ndjson' };
const code = (json: Record<string, unknown>) => (json['error'] as { code?: string } | undefined)?.code;

describe('POST /v1/events: shapes and answers', () => {
  test('an object, an array and lines', async (t) => {
    const { post, ledger, close } = await openTestApi();
    t.after(close);
    const one = await post('{"id":"a"}');
    assert.deepEqual([one.status, one.text], [200, '{"accepted":1,"first_index":0,"size":1,"duplicates":[]}']);
    assert.equal(one.headers['content-type'], 'application/json');
    const many = await post(' [{"id":"b"},\n{"id":"c"}]');
    assert.deepEqual(many.json, { accepted: 2, first_index: 1, size: 3, duplicates: [] });
    const lines = await post('{"id":"d"}\r\n\n{"id":"a"}', LINES);
    assert.deepEqual(lines.json, { accepted: 1, first_index: 3, size: 4, duplicates: [{ at: 1, index: 0 }] });
    assert.deepEqual(
      entriesOf(ledger).map(({ id }) => id),
      ['a', 'b', 'c', 'd'],
    );
  });

  test('nothing but duplicates, and nothing at all', async (t) => {
    const { post, close } = await openTestApi();
    t.after(close);
    await post('{"id":"a"}');
    assert.deepEqual((await post('{"id":"a"}')).json, { accepted: 0, first_index: null, size: 1, duplicates: [{ at: 0, index: 0 }] });
    assert.deepEqual((await post('[]')).json, { accepted: 0, first_index: null, size: 1, duplicates: [] });
    assert.equal((await post('', LINES)).status, 200);
  });

  test('422 for faults, 409 when all are conflicts, and nothing is appended', async (t) => {
    const { post, ledger, close } = await openTestApi();
    t.after(close);
    await post('{"id":"a"}');
    const bad = await post('{"id":"b"}\n{"id":}\n', LINES);
    assert.deepEqual([bad.status, code(bad.json)], [422, 'EVENTS_INVALID']);
    const [rejected] = bad.json['rejected'] as { at: number; path: string; code: string; message: string }[];
    assert.deepEqual([rejected?.at, rejected?.path, rejected?.code], [1, '', 'EVENT_NOT_JSON']);
    const conflict = await post('[{"id":"b"},{"id":"a","x":1}]');
    assert.deepEqual([conflict.status, code(conflict.json)], [409, 'EVENTS_CONFLICT']);
    assert.equal((conflict.json['rejected'] as { code: string }[])[0]?.code, 'IDENTITY_CONFLICT');
    assert.equal((await post('[{"id":"a","x":1},7]')).status, 422);
    assert.equal(ledger.assigned(), 1);
  });

  test('partial: 200 with what was rejected', async (t) => {
    const { post, close } = await openTestApi();
    t.after(close);
    const answer = await post('{"id":"a"}\nx\n{"id":"b"}\n', LINES, '/v1/events?partial=true');
    assert.equal(answer.status, 200);
    assert.deepEqual([answer.json['accepted'], answer.json['first_index']], [2, 0]);
    assert.deepEqual(
      (answer.json['rejected'] as { at: number }[]).map(({ at }) => at),
      [1],
    );
  });

  test('400 for a body that cannot be read as a whole', async (t) => {
    const { post, ledger, close } = await openTestApi();
    t.after(close);
    for (const body of ['', '{', '[{"id":"a"}', '{"id":"a"} x', 'x', Buffer.from([0x22, 0xff, 0x22])]) {
      const answer = await post(body);
      assert.deepEqual([answer.status, code(answer.json)], [400, 'BODY_UNREADABLE'], String(body));
      assert.match((answer.json['error'] as { message: string }).message, /at byte \d+/);
    }
    assert.equal(ledger.assigned(), 0);
  });

  test('Idempotency-Key makes a request repeatable, and has a form', async (t) => {
    const { post, close } = await openTestApi();
    t.after(close);
    await post('[{"x":1},{"x":1}]', { 'idempotency-key': 'k' });
    assert.deepEqual((await post('[{"x":1},{"x":1}]', { 'idempotency-key': 'k' })).json['duplicates'], [
      { at: 0, index: 0 },
      { at: 1, index: 1 },
    ]);
    assert.equal((await post('{}', { 'idempotency-key': 'x'.repeat(256) })).status, 400);
    assert.equal((await post('{}', { 'idempotency-key': 'a b' })).status, 400);
  });

  test('is answered only once it is durable', async (t) => {
    const { post, ledger, close } = await openTestApi();
    t.after(close);
    ledger.hold();
    let answered = false;
    const sent = post('{"id":"a"}').then((answer) => {
      answered = true;
      return answer;
    });
    while (ledger.assigned() === 0) await settle();
    await settle();
    assert.equal(answered, false);
    ledger.release();
    assert.equal((await sent).status, 200);
  });
});

describe('POST /v1/events: types and encodings', () => {
  test('takes its exact content types only', async (t) => {
    const { post, close } = await openTestApi();
    t.after(close);
    for (const type of ['application/json; charset=utf-8', 'application/JSON;charset="UTF-8"']) {
      assert.equal((await post('{}', { 'content-type': type })).status, 200, type);
    }
    for (const type of ['text/plain', 'application/json; charset=latin1', 'application/jsonx', 'application/x-www-form-urlencoded', '']) {
      const answer = await post('{}', { 'content-type': type });
      assert.deepEqual([answer.status, code(answer.json)], [415, 'CONTENT_TYPE_UNSUPPORTED'], type);
    }
    assert.equal((await post('{}', { 'content-encoding': 'br' })).status, 415);
  });

  test('unpacks gzip and zstd', async (t) => {
    const { post, ledger, close } = await openTestApi();
    t.after(close);
    assert.equal((await post(gzipSync('{"id":"a"}'), { 'content-encoding': 'gzip' })).status, 200);
    assert.equal((await post(zstdCompressSync('{"id":"b"}\n{"id":"c"}'), { ...LINES, 'content-encoding': 'zstd' })).status, 200);
    assert.equal(ledger.assigned(), 3);
    for (const encoding of ['gzip', 'zstd']) {
      const answer = await post('{"id":"a"}', { 'content-encoding': encoding });
      assert.deepEqual([answer.status, code(answer.json)], [400, 'BODY_UNREADABLE']);
      assert.equal((await post(gzipSync('{"id":"x"}').subarray(0, -3), { 'content-encoding': encoding })).status, 400);
    }
  });

  test('never unpacks more than a body may have', async (t) => {
    const { post, close } = await openTestApi({
      limits: { bodyBytes: 100_000, events: 10, connections: 10, requestMs: 30_000, reads: 1_000, streams: 60 },
    });
    t.after(close);
    const bomb = Buffer.alloc(50_000_000, ' ');
    for (const [encoding, packed] of [
      ['gzip', gzipSync(bomb)],
      ['zstd', zstdCompressSync(bomb)],
    ] as const) {
      assert.ok(packed.length < 100_000);
      const answer = await post(packed, { 'content-encoding': encoding });
      assert.deepEqual([answer.status, code(answer.json)], [413, 'BODY_TOO_LARGE']);
    }
  });
});

describe('POST /v1/events: sources', () => {
  const two = { sources: new Map(['app', 'other'].map((name) => [name, { rate: null }])) };

  test('the only source needs no name; two do', async (t) => {
    const one = await openTestApi();
    t.after(one.close);
    assert.equal((await one.post('{}', {}, '/v1/events?source=app')).status, 200);
    const missing = await one.post('{}', {}, '/v1/events?source=audit');
    assert.deepEqual([missing.status, code(missing.json)], [404, 'SOURCE_UNKNOWN']);
    const both = await openTestApi({}, two);
    t.after(both.close);
    assert.equal((await both.post('{}')).status, 400);
    assert.equal((await both.post('{}', {}, '/v1/events?source=other')).status, 200);
    assert.equal(entriesOf(both.ledger)[0]?.source, 'other');
  });

  test('a token writes to its own sources only', async (t) => {
    const tokens = [testToken('p', 'producer', 'secret-of-p', { sources: ['other'] })];
    const { post, ledger, close } = await openTestApi({ tokens }, two);
    t.after(close);
    const authorization = 'Bearer secret-of-p';
    assert.equal((await post('{}', { authorization })).status, 200);
    assert.equal(entriesOf(ledger)[0]?.source, 'other');
    const foreign = await post('{}', { authorization }, '/v1/events?source=app');
    assert.deepEqual([foreign.status, code(foreign.json)], [403, 'FORBIDDEN']);
  });

  test('unknown, repeated and malformed parameters are refused', async (t) => {
    const { post, close } = await openTestApi();
    t.after(close);
    for (const query of ['sorce=app', 'partial=yes', 'partial=', 'source=app&source=app']) {
      const answer = await post('{}', {}, `/v1/events?${query}`);
      assert.deepEqual([answer.status, code(answer.json)], [400, 'REQUEST_INVALID'], query);
    }
  });
});

describe('POST /v1/events: pushback', () => {
  test('a full ledger is 503 with Retry-After, and goes on by itself', async (t) => {
    const { post, ledger, close } = await openTestApi();
    t.after(close);
    ledger.limitBytes = 10;
    const answer = await post('{"id":"a"}');
    assert.deepEqual([answer.status, code(answer.json)], [503, 'LEDGER_FULL']);
    assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
    ledger.limitBytes = Number.MAX_SAFE_INTEGER;
    assert.deepEqual((await post('{"id":"a"}')).json['accepted'], 1);
  });

  test('a source above its rate is 429 with the time to wait', async (t) => {
    const { post, ports, close } = await openTestApi({}, { sources: new Map([['app', { rate: 10 }]]) });
    t.after(close);
    const events = JSON.stringify(Array.from({ length: 30 }, (_, k) => ({ id: `${k}` })));
    assert.equal((await post(events)).status, 200);
    const answer = await post('{"id":"late"}');
    assert.deepEqual([answer.status, code(answer.json), answer.headers['retry-after']], [429, 'RATE_LIMITED', '3']);
    await ports.clock.pass(2_000);
    assert.equal((await post('{"id":"late"}')).status, 429);
    await ports.clock.pass(100);
    assert.equal((await post('{"id":"late"}')).status, 200);
  });

  test('what was pushed back costs nothing of the rate', async (t) => {
    const { post, ledger, close } = await openTestApi({}, { sources: new Map([['app', { rate: 1 }]]) });
    t.after(close);
    ledger.limitBytes = 10;
    for (let k = 0; k < 5; k++) assert.equal((await post('{"id":"a"}')).status, 503);
  });

  test('a ledger that has failed is 503, and the health says so', async (t) => {
    const { post, send, ledger, close } = await openTestApi();
    t.after(close);
    ledger.fail(new Error('the disk is gone'));
    const answer = await post('{"id":"a"}');
    assert.deepEqual([answer.status, code(answer.json)], [503, 'LEDGER_FAILED']);
    assert.doesNotMatch(answer.text, /disk is gone/);
    assert.equal((await send('/livez')).status, 503);
    assert.equal((await send('/readyz')).status, 503);
  });
});
