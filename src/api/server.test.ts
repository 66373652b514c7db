import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { settle } from '../../test/doubles/manual-ports.ts';
import type { Got } from '../../test/doubles/open-test-api.ts';
import { openTestApi, readAll, testListener, testToken } from '../../test/doubles/open-test-api.ts';

const code = ({ json }: Got) => (json['error'] as { code?: string } | undefined)?.code;
const limits = { bodyBytes: 1_000, events: 3, connections: 50, requestMs: 30_000, reads: 1_000, streams: 60 };
const HEAD = 'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';

describe('paths and methods', () => {
  test('404 and 405 in JSON, with what to do', async (t) => {
    const { send, close } = await openTestApi();
    t.after(close);
    for (const path of ['/v1', '/v1/events/', '/V1/status', '/v1/destinations/archive/stop', '/v1/destinations//', '//v1/status']) {
      const answer = await send(path);
      assert.deepEqual([answer.status, code(answer)], [404, 'PATH_UNKNOWN'], path);
      assert.equal(typeof (answer.json['error'] as { action: string }).action, 'string');
    }
    for (const [method, path, allow] of [
      ['GET', '/v1/events', 'POST'],
      ['POST', '/v1/status', 'GET'],
      ['DELETE', '/v1/destinations/archive', 'GET'],
      ['GET', '/v1/destinations/archive/pause', 'POST'],
    ] as const) {
      const answer = await send(path, { method });
      assert.deepEqual([answer.status, code(answer), answer.headers.allow], [405, 'METHOD_UNSUPPORTED', allow]);
    }
    const head = await send('/v1/status', { method: 'HEAD' });
    assert.deepEqual([head.status, head.text], [200, '']);
    for (const query of ['x=1', '?', '?x=1', 'x?y']) assert.equal((await send(`/v1/status?${query}`)).status, 400, query);
  });
});

describe('limits', () => {
  test('a body above the limit is 413, told by its length or found on the way', async (t) => {
    const { post, send, ledger, close } = await openTestApi({ limits });
    t.after(close);
    const large = `{"id":"a","pad":"${'x'.repeat(1_000)}"}`;
    const told = await post(large);
    assert.deepEqual([told.status, code(told)], [413, 'BODY_TOO_LARGE']);
    const chunked = await send('/v1/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      body: large,
    });
    assert.deepEqual([chunked.status, code(chunked)], [413, 'BODY_TOO_LARGE']);
    assert.equal((await post(`{"id":"a","pad":"${'x'.repeat(900)}"}`)).status, 200);
    assert.equal(ledger.assigned(), 1);
  });

  test('a body far above the limit is answered too, and the connection ends', async (t) => {
    const { socket, close } = await openTestApi({ limits });
    t.after(close);
    const sender = await socket();
    const answer = readAll(sender);
    sender.write(`${HEAD}content-length: 100000000\r\n\r\n${'x'.repeat(3_000)}`);
    const text = await answer;
    assert.match(text, /^HTTP\/1.1 413 /);
    assert.match(text, /connection: close/i);
    assert.match(text, /BODY_TOO_LARGE/);
  });

  test('a sender of a large body gets to read why it is refused before its body is read', async (t) => {
    const tokens = [testToken('p', 'producer', 'secret')];
    const { post, ledger, close } = await openTestApi({ tokens });
    t.after(close);
    for (let round = 0; round < 20; round++) {
      const answer = await post(Buffer.alloc(900_000, 0x20));
      assert.deepEqual([answer.status, code(answer)], [401, 'UNAUTHORIZED']);
    }
    assert.equal(ledger.assigned(), 0);
  });

  test('more events than a request may have are 413', async (t) => {
    const { post, ledger, close } = await openTestApi({ limits });
    t.after(close);
    const answer = await post('[{},{},{},{}]');
    assert.deepEqual([answer.status, code(answer)], [413, 'BODY_TOO_LARGE']);
    assert.equal((await post('{}\n{}\n{}\n{}\n', { 'content-type': 'application/x-ndjson' })).status, 413);
    assert.equal(ledger.assigned(), 0);
    assert.equal((await post('[{},{},{}]')).status, 200);
  });

  test('a sender that asks first is told to go on, or why not', async (t) => {
    const { socket, ledger, close } = await openTestApi({ limits });
    t.after(close);
    const wanted = await socket();
    const welcome = once(wanted, 'data') as Promise<[Buffer]>;
    wanted.write(`${HEAD}content-length: 2\r\nexpect: 100-continue\r\n\r\n`);
    assert.match((await welcome)[0].toString(), /^HTTP\/1.1 100 /);
    const last = once(wanted, 'data') as Promise<[Buffer]>;
    wanted.write('{}');
    assert.match((await last)[0].toString(), /^HTTP\/1.1 200 /);
    wanted.destroy();
    const unwanted = await socket();
    const refusal = readAll(unwanted);
    unwanted.write(`${HEAD}content-length: 5000\r\nexpect: 100-continue\r\n\r\n`);
    assert.match(await refusal, /^HTTP\/1.1 413 /);
    assert.equal(ledger.assigned(), 1);
  });

  test('a slow sender is ended, and nothing of its request is accepted', async (t) => {
    const { socket, ledger, close } = await openTestApi({ limits: { ...limits, requestMs: 200 } });
    t.after(close);
    const body = await socket();
    const slowBody = readAll(body);
    body.write(`${HEAD}content-length: 100\r\n\r\n{"id":`);
    const head = await socket();
    const slowHead = readAll(head);
    head.write('POST /v1/events HT');
    assert.match(await slowBody, /^HTTP\/1.1 408 /);
    assert.match(await slowHead, /^HTTP\/1.1 408 /);
    assert.equal(ledger.assigned(), 0);
  });

  test('a connection too many is closed', async (t) => {
    const { socket, send, close } = await openTestApi({ limits: { ...limits, connections: 2 } });
    t.after(close);
    const first = await socket();
    const second = await socket();
    const third = await socket();
    assert.equal(await readAll(third), '');
    first.destroy();
    second.destroy();
    await settle();
    assert.equal((await send('/livez')).status, 200);
  });

  test('all unfinished requests together hold no more memory than they may', async (t) => {
    const { socket, post, ledger, close } = await openTestApi({ limits }, { pendingBytesMax: 1_200 });
    t.after(close);
    const holding = await socket();
    holding.write(`${HEAD}content-length: 900\r\n\r\n${' '.repeat(800)}`);
    let refused = await post(`{"id":"a","pad":"${'x'.repeat(500)}"}`);
    // The other request may not have been read yet.
    while (refused.status === 200) refused = await post(`{"id":"a","pad":"${'x'.repeat(500)}"}`);
    assert.deepEqual([refused.status, code(refused)], [503, 'OVERLOADED']);
    assert.ok(refused.headers['retry-after']);
    const before = ledger.assigned();
    holding.destroy();
    let answer = refused;
    while (answer.status === 503) answer = await post(`{"id":"b","pad":"${'x'.repeat(500)}"}`);
    assert.equal(answer.status, 200);
    assert.equal(ledger.assigned(), before + 1);
  });

  test('a head that is too large is refused', async (t) => {
    const { socket, close } = await openTestApi();
    t.after(close);
    const sender = await socket();
    const answer = readAll(sender);
    sender.write(`${HEAD}x-pad: ${'x'.repeat(20_000)}\r\n\r\n`);
    assert.match(await answer, /^HTTP\/1.1 431 /);
  });
});

describe('senders that go away', () => {
  test('in the middle of a body: nothing', async (t) => {
    const { socket, post, ledger, close } = await openTestApi();
    t.after(close);
    const sender = await socket();
    sender.write(`${HEAD}content-length: 30\r\n\r\n[{"id":"a"},{"id":"b"}`);
    const ends = readAll(sender);
    sender.end();
    assert.doesNotMatch(await ends, /^HTTP\/1.1 200 /);
    assert.equal((await post('{"id":"c"}')).json['size'], 1);
    assert.equal(ledger.assigned(), 1);
  });

  test('after the body: everything, and the same again is a duplicate', async (t) => {
    const { socket, post, ledger, close } = await openTestApi();
    t.after(close);
    ledger.hold();
    const sender = await socket();
    sender.write(`${HEAD}content-length: 23\r\n\r\n[{"id":"a"},{"id":"b"}]`);
    while (ledger.assigned() === 0) await settle();
    sender.destroy();
    await settle();
    ledger.release();
    const again = await post('[{"id":"a"},{"id":"b"}]');
    assert.deepEqual([again.json['accepted'], (again.json['duplicates'] as unknown[]).length], [0, 2]);
  });
});

describe('stopping', () => {
  test('answers what it has, takes no more, and closes', async () => {
    const { post, socket, api, intake, ledger, close } = await openTestApi();
    ledger.hold();
    const first = post('{"id":"a"}');
    while (ledger.assigned() === 0) await settle();
    const idle = await socket();
    const idleEnds = readAll(idle);
    const stopped = api.close();
    await settle();
    await assert.rejects(post('{"id":"b"}'), { code: 'ECONNREFUSED' });
    ledger.release();
    const answer = await first;
    assert.deepEqual([answer.status, answer.headers.connection], [200, 'close']);
    await stopped;
    assert.equal(await idleEnds, '');
    await intake.close();
    await close().catch(() => undefined);
  });

  test('a request on an open connection is told so', async () => {
    const { socket, api, ledger, intake } = await openTestApi();
    ledger.hold();
    const busy = await socket();
    busy.write(`${HEAD}content-length: 10\r\n\r\n{"id":"a"}`);
    while (ledger.assigned() === 0) await settle();
    const late = await socket();
    const lateEnds = readAll(late);
    late.write(`${HEAD}content-length: 10\r\n\r\n`);
    await settle();
    const stopped = api.close();
    late.write('{"id":"b"}');
    await settle();
    ledger.release();
    await stopped;
    const text = await lateEnds;
    // It was asked for before the stop, so it is either taken whole or refused whole.
    assert.equal(ledger.assigned(), /^HTTP\/1.1 200 /.test(text) ? 2 : 1);
    await intake.close();
  });

  test('does not wait for a slow sender longer than it is told', async () => {
    const { socket, api, ports, intake } = await openTestApi();
    const slow = await socket();
    const ends = readAll(slow);
    slow.write(`${HEAD}content-length: 10\r\n\r\n{`);
    await settle();
    const stopped = api.close(5_000);
    await settle();
    await ports.clock.pass(5_000);
    await stopped;
    assert.equal(await ends, '');
    await intake.close();
  });

  test('an address that is taken is an error with the address in it', async (t) => {
    const { api, close } = await openTestApi();
    t.after(close);
    await assert.rejects(openTestApi({ listeners: [testListener(api.address.host, api.address.port)] }), {
      code: 'LISTEN_FAILED',
      message: new RegExp(`port ${api.address.port}`),
    });
  });
});
