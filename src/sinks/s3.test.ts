import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { batchOf, entriesOf, type Held, heldOf } from '../../test/conformance/batches.ts';
import { linesOf } from '../../test/conformance/s3-peer.ts';
import { type ObjectStore, startObjectStore } from '../cli/demo/object-store.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Sink } from '../contracts/sink.ts';
import { asIndex } from '../contracts/units.ts';
import { openPorts } from '../runtime/ports.ts';
import { type S3Config, s3 } from './s3.ts';

const GOLDEN = join(import.meta.dirname, '../../test/golden/s3/objects.txt');
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-access-key' };

const ports = await openPorts({ logLevel: 'silent' });
let store: ObjectStore = await startObjectStore({ ...KEYS, bucket: 'audit', region: 'eu-central-1', conditions: 'honoured' });
beforeEach(async () => {
  await store.stop();
  store = await startObjectStore({ ...KEYS, bucket: 'audit', region: 'eu-central-1', conditions: 'honoured' });
});
after(async () => {
  await store.stop();
  await ports.close();
});

const never = (): AbortSignal => new AbortController().signal;

function configOf(settings: object = {}): S3Config {
  const keys = { access_key_id: KEYS.accessKeyId, secret_access_key: KEYS.secretAccessKey };
  const given = { endpoint: store.url, bucket: 'audit', prefix: 'acme/', region: 'eu-central-1', ...keys, ...settings };
  const result = s3.config.safeParse(given);
  assert.ok(result.success, 'the settings are right');
  return result.data;
}

async function open(settings: object = {}, own: { readonly name?: string; readonly ports?: Ports } = {}): Promise<Sink> {
  return s3.open(configOf(settings), { name: 'archive', origin: 'acme.example/audit', ports, cursor: asIndex(0), receipt: null, ...own });
}

const batches = (): string[] => store.objects().flatMap(({ key }) => (key.includes('.ndjson') ? [key] : []));

async function readAll(sink: Sink): Promise<readonly Held[]> {
  const held: Held[] = [];
  for await (const { index, bytes } of sink.readBack?.(never()) ?? []) held.push({ index, entry: Buffer.from(bytes).toString() });
  return held;
}

describe('the objects of batches', () => {
  test('have these names, headers and records', async () => {
    const sink = await open({ compress: 'none' });
    const lasting = {
      ...batchOf({ from: 0, entries: ['{"id":"a"}', '{"id":"é"}'], through: 4 }),
      id: 'archive-0-4-0123456789abcdef01234567',
    };
    await sink.write(lasting, never());
    await sink.write(
      { ...batchOf({ from: 1, entries: ['{"id":"b"}'], replay: 'replay-1' }), id: 'archive-1-1-76543210fedcba9876543210' },
      never(),
    );
    const shown = store.objects().map(({ key, contentType, headers, body }) => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      return [key, `content-type: ${contentType}`, ...lines.sort(), '', body.toString()].join('\n');
    });
    assert.equal(shown.join('\n'), readFileSync(GOLDEN, 'utf8'));
    await sink.close();
  });

  test('sort as their entries do, however large the index', async () => {
    const sink = await open();
    const froms = [0, 9, 10, 99_999, 100_000, 4_294_967_296, Number.MAX_SAFE_INTEGER - 1];
    for (const from of froms.toReversed()) await sink.write(batchOf({ from, entries: entriesOf(0, 1) }), never());
    assert.deepEqual(
      batches().map((key) => Number(key.slice(5, 21))),
      froms,
    );
    assert.deepEqual(
      (await readAll(sink)).map(({ index }) => index),
      froms,
    );
    await sink.close();
  });

  for (const compress of ['gzip', 'zstd', 'none']) {
    test(`with compression ${compress} are the same bytes each time`, async () => {
      const sink = await open({ compress });
      const batch = { from: 0, entries: entriesOf(0, 2_000) };
      for (const replay of ['replay-1', 'replay-2']) await sink.write(batchOf({ ...batch, replay }), never());
      const [first, second] = store.objects().filter(({ key }) => key.includes('replay-'));
      assert.ok(first !== undefined && second !== undefined);
      assert.deepEqual(first.body, second.body);
      assert.equal(linesOf(first), Buffer.from(batchOf(batch).body).toString());
      await sink.close();
    });
  }

  test('carry what the bucket asks for', async () => {
    const now = Date.UTC(2026, 0, 1);
    const clock = { ...ports.clock, now: () => now };
    const sent: Readonly<Record<string, string>>[] = [];
    const http: Ports['http'] = {
      ...ports.http,
      async send({ headers }) {
        sent.push(headers);
        return { status: sent.length === 1 ? 404 : sent.length === 3 ? 412 : 200, headers: {}, body: new Uint8Array(0) };
      },
    };
    const settings = { lock: { mode: 'compliance', for: '10d' }, encryption: 'aws:kms', kms_key: 'alias/audit' };
    const locked = await open(settings, { ports: { ...ports, clock, http } });
    await locked.write(batchOf({ from: 0, entries: entriesOf(0, 1) }), never());
    const headers = sent.at(-1) ?? {};
    assert.equal(headers['x-amz-object-lock-mode'], 'COMPLIANCE');
    assert.equal(headers['x-amz-object-lock-retain-until-date'], '2026-01-11T00:00:00.000Z');
    assert.equal(headers['x-amz-server-side-encryption'], 'aws:kms');
    assert.equal(headers['x-amz-server-side-encryption-aws-kms-key-id'], 'alias/audit');
    // A bucket that refuses what is not encrypted refuses the first object too.
    assert.equal(sent[1]?.['x-amz-server-side-encryption'], 'aws:kms');
    await locked.close();
  });
});

describe('an object that is there already', () => {
  const parts = { from: 0, entries: entriesOf(0, 50) };

  test('counts as taken when it has the same bytes', async () => {
    const sink = await open();
    for (let time = 0; time < 3; time += 1) assert.equal((await sink.write(batchOf(parts), never()))['key'], batches()[0]);
    assert.equal(store.versions.filter(({ key }) => key.includes('.ndjson')).length, 1);
    await sink.close();
  });

  test('counts as taken when it has the same records, packed otherwise', async () => {
    const sink = await open();
    await sink.write(batchOf(parts), never());
    const object = store.objects().find(({ key }) => key.includes('.ndjson'));
    assert.ok(object !== undefined);
    store.plant({ ...object, body: gzipSync(batchOf(parts).body, { level: 9 }) });
    await sink.write(batchOf(parts), never());
    await sink.close();
  });

  for (const [what, body] of [
    ['other records', gzipSync('{"index":0,"entry":{}}\n')],
    ['something else', Buffer.from('hello')],
    ['more than any batch has', gzipSync(Buffer.alloc(300 << 20))],
  ] as const) {
    test(`stops the destination when it holds ${what}`, async () => {
      const sink = await open();
      store.plant({ key: `acme/${'0'.repeat(16)}-${'49'.padStart(16, '0')}.ndjson.gz`, body, contentType: '', headers: {} });
      await assert.rejects(sink.write(batchOf(parts), never()), {
        code: 'DESTINATION_FOREIGN',
        remedy: 'halt',
        message: /with another content/,
      });
      await sink.close();
    });
  }

  test('and may not be looked at for a moment is tried again, though the answer to HEAD names no code', async () => {
    const sink = await open();
    await sink.write(batchOf(parts), never());
    store.interfere(({ method }) => (method === 'HEAD' ? { status: 409, code: 'ConditionalRequestConflict' } : null));
    await assert.rejects(sink.write(batchOf(parts), never()), { code: 'SINK_BUSY', remedy: 'retry' });
    store.interfere(() => null);
    await sink.write(batchOf(parts), never());
    await sink.close();
  });

  test('and may not be looked at says which right is missing', async () => {
    const sink = await open();
    await sink.write(batchOf(parts), never());
    store.interfere(({ method }) => (method === 'HEAD' ? { status: 403, code: 'AccessDenied' } : null));
    await assert.rejects(sink.write(batchOf(parts), never()), { code: 'SINK_UNAUTHORIZED', message: /allow s3:GetObject/ });
    await sink.close();
  });
});

describe('what an answer means', () => {
  const cases: readonly (readonly [number, string, string])[] = [
    [409, 'ConditionalRequestConflict', 'SINK_BUSY'],
    [409, 'OperationAborted', 'SINK_BUSY'],
    [503, 'SlowDown', 'SINK_BUSY'],
    [500, 'InternalError', 'SINK_BUSY'],
    [400, 'RequestTimeout', 'SINK_BUSY'],
    [400, 'BadDigest', 'SINK_BUSY'],
    [400, 'InvalidArgument', 'SINK_REFUSED'],
    [400, 'ExpiredToken', 'SINK_UNAUTHORIZED'],
    [403, 'AccessDenied', 'SINK_UNAUTHORIZED'],
    [404, 'NoSuchBucket', 'SINK_NOT_FOUND'],
    [400, 'EntityTooLarge', 'SINK_REFUSED_ENTRY'],
    [501, 'NotImplemented', 'SINK_REFUSED'],
  ];
  for (const [status, error, code] of cases) {
    test(`${status} ${error} is ${code}`, async () => {
      const sink = await open();
      store.interfere(() => ({ status, code: error }));
      const wrong = { code, message: `${store.url} answered ${status}: ${error} this is ${error}` };
      await assert.rejects(sink.write(batchOf({ from: 0, entries: entriesOf(0, 1) }), never()), wrong);
      await sink.close();
    });
  }

  test('a bucket of another region is named', async () => {
    const wrong = { code: 'SINK_REFUSED', message: /the bucket is in eu-central-1: set `region: eu-central-1`/ };
    await assert.rejects(open({ region: 'us-east-1' }), wrong);
    const headers = { 'x-amz-bucket-region': 'ap-south-1' };
    for (const status of [301, 307]) {
      store.interfere(() => ({ status, code: 'PermanentRedirect', headers }));
      await assert.rejects(open(), { code: 'SINK_NOT_FOUND', message: /set `region: ap-south-1`/ });
    }
  });

  test('a wrong secret, a wrong key and a wrong bucket halt', async () => {
    await assert.rejects(open({ secret_access_key: 'wrong' }), { code: 'SINK_UNAUTHORIZED', message: /SignatureDoesNotMatch/ });
    await assert.rejects(open({ access_key_id: 'AKIDOTHER' }), { code: 'SINK_UNAUTHORIZED', message: /InvalidAccessKeyId/ });
    await assert.rejects(open({ bucket: 'other' }), { code: 'SINK_NOT_FOUND', message: /NoSuchBucket/ });
  });
});

describe('a prefix', () => {
  test('belongs to the destination that came first', async () => {
    await (await open()).close();
    await (await open()).close();
    const foreign = { code: 'DESTINATION_FOREIGN', message: /acme\/waybill\.json says that this prefix belongs to another/ };
    await assert.rejects(open({}, { name: 'other' }), foreign);
    await (await open({ prefix: 'other/' }, { name: 'other' })).close();
    assert.deepEqual(
      store.versions.map(({ key }) => key),
      ['acme/waybill.json', 'other/waybill.json'],
    );
  });

  test('can be owned by credentials that may only write', async () => {
    store.interfere(({ method }) => (method === 'PUT' ? null : { status: 403, code: 'AccessDenied' }));
    for (let time = 0; time < 2; time += 1) {
      const sink = await open();
      assert.equal(sink.traits.dedupe, 'key');
      await sink.write(batchOf({ from: time, entries: entriesOf(time, 1) }), never());
      await sink.close();
    }
    assert.equal(batches().length, 2);
  });
});

describe('a store that does not keep conditions', () => {
  for (const conditions of ['ignored', 'refused'] as const) {
    test(`and credentials that may not read leave the prefix of another alone, and say what is missing (${conditions})`, async () => {
      const other = await startObjectStore({ ...KEYS, bucket: 'audit', region: 'eu-central-1', conditions });
      await (await open({ endpoint: other.url }, { name: 'other' })).close();
      const before = other
        .objects()
        .find(({ key }) => key === 'acme/waybill.json')
        ?.body.toString();
      other.interfere(({ method }) => (method === 'PUT' ? null : { status: 403, code: 'AccessDenied' }));
      const missing = { code: 'SINK_UNAUTHORIZED', message: /nobody can tell whose the prefix is: allow s3:GetObject and s3:ListBucket/ };
      await assert.rejects(open({ endpoint: other.url }), missing);
      assert.equal(
        other
          .objects()
          .find(({ key }) => key === 'acme/waybill.json')
          ?.body.toString(),
        before,
      );
      other.interfere(() => null);
      await assert.rejects(open({ endpoint: other.url }), { code: 'DESTINATION_FOREIGN' });
      await other.stop();
    });
  }

  for (const conditions of ['ignored', 'refused'] as const) {
    test(`is found out, and promises less (${conditions})`, async () => {
      const other = await startObjectStore({ ...KEYS, bucket: 'audit', region: 'eu-central-1', conditions });
      for (let time = 0; time < 2; time += 1) {
        const sink = await open({ endpoint: other.url });
        assert.equal(sink.traits.dedupe, 'none');
        await sink.close();
      }
      // Whose the prefix is, it cannot overwrite either.
      await assert.rejects(open({ endpoint: other.url }, { name: 'other' }), { code: 'DESTINATION_FOREIGN' });
      await other.stop();
    });
  }
});

describe('reading back', () => {
  test('goes over more objects than one listing has, and past what is none of its own', async () => {
    const sink = await open();
    for (let from = 0; from < 1_100; from += 1) {
      const { body } = batchOf({ from, entries: entriesOf(from, 1) });
      const key = `acme/${String(from).padStart(16, '0')}-${String(from).padStart(16, '0')}.ndjson`;
      store.plant({ key, body: Buffer.from(body), contentType: '', headers: {} });
    }
    await sink.write(batchOf({ from: 7, entries: entriesOf(7, 1), replay: 'replay-1' }), never());
    store.plant({ key: 'acme/notes.txt', body: Buffer.from('hello'), contentType: '', headers: {} });
    assert.deepEqual(await readAll(sink), heldOf({ from: 0, entries: entriesOf(0, 1_100) }));
    await sink.close();
  });

  test('reads a batch once that is there packed in two ways', async () => {
    const parts = { from: 0, entries: entriesOf(0, 3) };
    for (const compress of ['gzip', 'zstd']) {
      const sink = await open({ compress });
      await sink.write(batchOf(parts), never());
      assert.deepEqual(await readAll(sink), heldOf(parts));
      await sink.close();
    }
    assert.equal(batches().length, 2);
  });

  for (const [what, body] of [
    ['is damaged', gzipSync(batchOf({ from: 0, entries: entriesOf(0, 3) }).body).subarray(0, 60)],
    ['ends in the middle of a line', gzipSync(batchOf({ from: 0, entries: entriesOf(0, 3) }).body.subarray(0, -1))],
    ['holds no entries', gzipSync('hello\n')],
  ] as const) {
    test(`stops at an object that ${what}`, async () => {
      const sink = await open();
      store.plant({ key: `acme/${'0'.repeat(16)}-${'2'.padStart(16, '0')}.ndjson.gz`, body, contentType: '', headers: {} });
      await assert.rejects(readAll(sink), { code: 'DESTINATION_FOREIGN', message: /does not hold entries, or not whole ones/ });
      await sink.close();
    });
  }
});

describe('the settings', () => {
  const keys = { access_key_id: 'a', secret_access_key: 'b' };
  const wrong: readonly (readonly [string, object])[] = [
    ['no credentials', {}],
    ['half a key', { access_key_id: 'a' }],
    ['keys and others', { ...keys, credentials: 'default' }],
    ['a bucket in capitals', { ...keys, bucket: 'Audit' }],
    ['a prefix that climbs', { ...keys, prefix: 'a/../b/' }],
    ['a prefix that begins with a slash', { ...keys, prefix: '/a' }],
    ['a prefix with two slashes', { ...keys, prefix: 'a//b' }],
    ['a prefix with a space', { ...keys, prefix: 'a b' }],
    ['an endpoint of another protocol', { ...keys, endpoint: 's3://a' }],
    ['a lock for an hour', { ...keys, lock: { mode: 'governance', for: '1h' } }],
  ];
  for (const [what, settings] of wrong) {
    test(`refuse ${what}`, () => assert.equal(s3.config.safeParse({ bucket: 'audit', ...settings }).success, false));
  }

  test('say where entries go', () => {
    const target = (settings: object): string => s3.target(configOf({ endpoint: undefined, ...settings }));
    assert.equal(target({}), 'https://audit.s3.eu-central-1.amazonaws.com/acme/*.ndjson.gz');
    assert.equal(target({ path_style: true, compress: 'none' }), 'https://s3.eu-central-1.amazonaws.com/audit/acme/*.ndjson');
    assert.equal(target({ endpoint: 'https://store.example/s3/' }), 'https://store.example/s3/audit/acme/*.ndjson.gz');
    assert.equal(
      target({ endpoint: 'https://store.example:9000', path_style: false }),
      'https://audit.store.example:9000/acme/*.ndjson.gz',
    );
  });

  test('with the credentials of the machine name the package that they need', async () => {
    const settings = { access_key_id: undefined, secret_access_key: undefined, credentials: 'default' };
    await assert.rejects(open(settings), { code: 'SINK_PACKAGE_MISSING', message: /npm install @aws-sdk\/credential-provider-node/ });
  });
});
