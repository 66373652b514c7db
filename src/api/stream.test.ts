import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { readStream, type StreamReader } from '../../test/doubles/event-stream.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { openTestApi, TEST_API_CONFIG } from '../../test/doubles/open-test-api.ts';
import type { ApiOptions } from './server.ts';

async function open(t: TestContext, options: Partial<ApiOptions> = {}, limits: Partial<typeof TEST_API_CONFIG.limits> = {}) {
  const it = await openTestApi({ limits: { ...TEST_API_CONFIG.limits, ...limits } }, options);
  const readers: StreamReader[] = [];
  t.after(async () => {
    for (const { socket } of readers) socket.destroy();
    await it.close();
  });
  return {
    ...it,
    read: (query: string, headers: Readonly<Record<string, string>> = {}) => {
      const reader = readStream(it.api.address.port, `/v1/stream${query}`, headers);
      readers.push(reader);
      return reader;
    },
    fill: (count: number, from = 0, pad = '') =>
      it.post(JSON.stringify(Array.from({ length: count }, (_, k) => ({ id: `e${from + k}`, ...(pad === '' ? {} : { pad }) })))),
  };
}

const ids = ({ events }: StreamReader): number[] => events.map(({ id }) => Number(id));
const upTo = (from: number, end: number): number[] => Array.from({ length: end - from }, (_, k) => from + k);

describe('GET /v1/stream', () => {
  test('what is there and then what comes, each with its index and the line of /v1/entries', async (t) => {
    const { read, fill, send, ledger } = await open(t);
    await fill(3);
    const reader = read('?from=beginning');
    await reader.until(() => reader.events.length === 3);
    await fill(2, 3);
    await reader.until(() => reader.events.length === 5);
    assert.match(reader.head(), /^HTTP\/1\.1 200 OK\r\n[^]*content-type: text\/event-stream/);
    assert.deepEqual(ids(reader), upTo(0, 5));
    const lines = (await send('/v1/entries')).text.trimEnd().split('\n');
    assert.deepEqual(
      reader.events.map(({ data }) => data),
      lines,
    );
    assert.equal(lines.length, ledger.size());
  });

  test('only what is durable', async (t) => {
    const { read, fill, ledger } = await open(t);
    await fill(1);
    const reader = read('?from=0');
    await reader.until(() => reader.events.length === 1);
    ledger.hold();
    const sent = fill(1, 1);
    while (ledger.assigned() === 1) await settle();
    await settle();
    assert.equal(reader.events.length, 1);
    ledger.release();
    await sent;
    await reader.until(() => reader.events.length === 2);
  });

  test('from now on where nothing is said, from an index, and behind the last id, which goes before', async (t) => {
    const { read, fill } = await open(t);
    await fill(5);
    const now = read('');
    const index = read('?from=3');
    const resumed = read('?from=0', { 'last-event-id': '2' });
    await Promise.all([now, index, resumed].map((reader) => reader.until(() => reader.head() !== '')));
    await index.until(() => index.events.length === 2);
    await fill(1, 5);
    await Promise.all([now, index, resumed].map((reader) => reader.until(() => ids(reader).at(-1) === 5)));
    assert.deepEqual([ids(now), ids(index), ids(resumed)], [[5], [3, 4, 5], [3, 4, 5]]);
  });

  test('only one source, and the id moves on with what is left out', async (t) => {
    const { read, fill, post } = await open(t, {
      sources: new Map([
        ['app', { rate: null }],
        ['other', { rate: null }],
      ]),
    });
    const send = (source: string, id: string) => post(`{"id":"${id}"}`, {}, `/v1/events?source=${source}`);
    await send('app', 'a');
    await send('other', 'a');
    await send('other', 'b');
    assert.equal((await fill(1)).status, 400);
    const reader = read('?from=beginning&source=app');
    await reader.until(() => reader.lastId() === '2');
    assert.deepEqual(ids(reader), [0]);
    const resumed = read('?source=app', { 'last-event-id': reader.lastId() });
    await resumed.until(() => resumed.head() !== '');
    await send('app', 'b');
    await resumed.until(() => resumed.events.length === 1);
    assert.deepEqual(ids(resumed), [3]);
  });

  test('what cannot be had is refused before anything is sent', async (t) => {
    const { send, fill, ledger } = await open(t);
    await fill(4);
    ledger.prune(2);
    const code = async (query: string, headers = {}) => {
      const { status, json } = await send(`/v1/stream${query}`, { headers });
      return [status, (json['error'] as { code: string }).code];
    };
    assert.deepEqual(await code('?from=1'), [410, 'LEDGER_PRUNED']);
    assert.deepEqual(await code('', { 'last-event-id': '0' }), [410, 'LEDGER_PRUNED']);
    assert.deepEqual(await code('?from=5'), [400, 'REQUEST_INVALID']);
    assert.deepEqual(await code('', { 'last-event-id': '4' }), [409, 'LEDGER_REWOUND']);
    for (const query of ['?from=-1', '?from=x', '?from=', '?source=A', '?to=3'])
      assert.deepEqual(await code(query), [400, 'REQUEST_INVALID'], query);
    assert.deepEqual(await code('', { 'last-event-id': 'now' }), [400, 'REQUEST_INVALID']);
  });

  test('a comment every fifteen seconds while nothing comes', async (t) => {
    const { read, fill, ports } = await open(t);
    await fill(1);
    const reader = read('?from=0');
    await reader.until(() => reader.events.length === 1);
    await settle();
    await ports.clock.pass(15_000);
    await reader.until(() => reader.comments.length === 1);
    await ports.clock.pass(15_000);
    await reader.until(() => reader.comments.length === 2);
    await fill(1, 1);
    await reader.until(() => reader.events.length === 2);
  });

  test('a stop ends it with a comment, behind everything that was sent', async (t) => {
    const { read, fill, api } = await open(t);
    await fill(2);
    const reader = read('?from=0');
    await reader.until(() => reader.events.length === 2);
    const closed = api.close();
    await reader.ended;
    await closed;
    assert.deepEqual(reader.comments, ['the server is being stopped']);
  });

  test('entries that go while a reader is behind end it with an event that says so', async (t) => {
    const { read, fill, ledger } = await open(t);
    for (let k = 0; k < 8; k++) await fill(20, k * 20, 'x'.repeat(40_000));
    const from = ledger.read.bind(ledger);
    ledger.read = (index, limits) => {
      if (index > 0) ledger.prune(150);
      return from(index, limits);
    };
    const reader = read('?from=0');
    await reader.ended;
    const last = reader.events.at(-1);
    assert.equal(last?.type, 'pruned');
    const { code, action } = JSON.parse(last.data) as { code: string; action: string };
    assert.equal(code, 'LEDGER_PRUNED');
    assert.notEqual(action, '');
    assert.deepEqual(ids(reader).slice(0, -1), upTo(0, reader.events.length - 1));
  });

  test('a mistake of this program breaks it off, and its details stay here', async (t) => {
    const { read, fill, ledger, ports } = await open(t);
    await fill(1);
    ledger.read = () => Promise.reject(new Error('a secret detail'));
    const reader = read('?from=0');
    await reader.ended;
    assert.deepEqual(reader.events, []);
    assert.match(JSON.stringify(ports.log.lines), /secret detail/);
  });

  test('as many readers as are allowed, and another one once one has left; a head takes no place', async (t) => {
    const { read, fill, send } = await open(t, {}, { streams: 2 });
    await fill(1);
    assert.equal((await send('/v1/stream?from=0', { method: 'HEAD' })).status, 200);
    const two = [read('?from=0'), read('?from=0')];
    await Promise.all(two.map((reader) => reader.until(() => reader.events.length === 1)));
    const third = await send('/v1/stream');
    assert.deepEqual([third.status, (third.json['error'] as { code: string }).code], [503, 'OVERLOADED']);
    assert.match((await send('/metrics')).text, /^waybill_streams 2$/m);
    two[0]?.socket.destroy();
    let status = 503;
    while (status === 503) {
      await settle();
      status = (await send('/v1/stream', { method: 'HEAD' })).status;
    }
    assert.equal(status, 200);
  });

  test('fifty readers get every entry in order', async (t) => {
    const { read, fill } = await open(t, {}, { connections: 60 });
    const readers = upTo(0, 50).map(() => read('?from=beginning'));
    await Promise.all(readers.map((reader) => reader.until(() => reader.head() !== '')));
    for (let k = 0; k < 20; k++) await fill(10, k * 10);
    await Promise.all(readers.map((reader) => reader.until(() => reader.events.length === 200)));
    for (const reader of readers) assert.deepEqual(ids(reader), upTo(0, 200));
  });

  test('a reader that does not read is read ahead for by a bounded amount, and holds up nobody', async (t) => {
    const { read, fill, ledger } = await open(t);
    let reads = 0;
    const from = ledger.read.bind(ledger);
    ledger.read = (index, limits) => {
      reads += 1;
      return from(index, limits);
    };
    const pad = 'x'.repeat(40_000);
    const stalled = read('?from=beginning');
    await stalled.until(() => stalled.head() !== '');
    stalled.socket.pause();
    // Far more than the buffers of both ends of a connection hold.
    for (let k = 0; k < 40; k++) await fill(20, k * 20, pad);
    let before = -1;
    while (before !== reads) {
      before = reads;
      await settle();
    }
    assert.ok(reads < 700, `${reads} of 800 pages were read for it`);
    const healthy = read('?from=beginning');
    await healthy.until(() => healthy.events.length === 800);
    stalled.socket.resume();
    await stalled.until(() => stalled.events.length === 800);
    assert.deepEqual(ids(stalled), upTo(0, 800));
  });
});
