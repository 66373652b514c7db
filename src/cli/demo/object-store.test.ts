import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { openPorts } from '../../runtime/ports.ts';
import { openS3Signer } from '../../sinks/s3-signer.ts';
import { startObjectStore } from './object-store.ts';
import { signatureFault } from './object-store-signature.ts';

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-access-key' };
const REGION = 'eu-central-1';

const store = await startObjectStore({ ...KEYS, bucket: 'audit', region: REGION, conditions: 'honoured' });
const ports = await openPorts({ logLevel: 'silent' });
after(async () => {
  await store.stop();
  await ports.close();
});

/** A request as the sink signs it, in the form in which a server gets it. */
async function signed(changes: { readonly key?: string; readonly pathStyle?: boolean; readonly query?: Record<string, string> } = {}) {
  const { key = 'a/dt=2026/b', pathStyle = true, query = {} } = changes;
  const place = { endpoint: 'http://store.example:9000', region: REGION, bucket: 'audit', pathStyle };
  const sign = await openS3Signer(place, { ...KEYS, sessionToken: 'a-token' });
  const body = Buffer.from('hello');
  const { method, url, headers } = await sign({ method: 'PUT', key, body, query, headers: { 'x-amz-meta-a': 'b  c ' } }, Date.now());
  const { pathname, search, host } = new URL(url);
  return { method, path: `${pathname}${search}`, headers: { ...headers, host } as Record<string, string>, body };
}

const known = { ...KEYS, region: REGION };

describe('a signature', () => {
  test('by another implementation is understood', async () => {
    assert.equal(signatureFault(await signed(), known, Date.now()), null);
    assert.equal(signatureFault(await signed({ pathStyle: false }), known, Date.now()), null);
    assert.equal(signatureFault(await signed({ query: { prefix: 'a/b=c d', 'list-type': '2' } }), known, Date.now()), null);
  });

  test('holds nothing but what was signed', async () => {
    const right = await signed();
    const fault = (changed: object, at = Date.now()) => signatureFault({ ...right, ...changed }, known, at);
    assert.equal(fault({ path: '/audit/a/other' }), 'SignatureDoesNotMatch');
    assert.equal(fault({ method: 'GET' }), 'SignatureDoesNotMatch');
    assert.equal(fault({ body: Buffer.from('hallo') }), 'XAmzContentSHA256Mismatch');
    assert.equal(fault({ headers: { ...right.headers, 'x-amz-meta-a': 'other' } }), 'SignatureDoesNotMatch');
    assert.equal(fault({ headers: { ...right.headers, 'x-amz-meta-more': 'unsigned' } }), 'AccessDenied');
    assert.equal(fault({ headers: { ...right.headers, authorization: undefined } }), 'AccessDenied');
    assert.equal(fault({}, Date.now() + 16 * 60_000), 'RequestTimeTooSkewed');
    assert.equal(signatureFault(right, { ...known, secretAccessKey: 'other' }, Date.now()), 'SignatureDoesNotMatch');
    assert.equal(signatureFault(right, { ...known, region: 'other' }, Date.now()), 'AuthorizationHeaderMalformed');
  });
});

describe('the store', () => {
  const send = async (method: 'GET' | 'PUT' | 'HEAD', key: string, headers: Record<string, string> = {}, body?: Buffer) => {
    const sign = await openS3Signer({ endpoint: store.url, region: REGION, bucket: 'audit', pathStyle: true }, KEYS);
    const request = await sign({ method, key, headers, ...(body === undefined ? {} : { body }) }, Date.now());
    return ports.http.send(request, new AbortController().signal);
  };

  test('keeps an object whose checksum is right, once where that is asked for', async () => {
    const body = Buffer.from('hello');
    const checksum = { 'x-amz-checksum-sha256': createHash('sha256').update(body).digest('base64') };
    assert.equal((await send('PUT', 'one', {}, body)).status, 400);
    assert.equal((await send('PUT', 'one', { 'x-amz-checksum-sha256': 'AAAA' }, body)).status, 400);
    assert.equal((await send('PUT', 'one', { ...checksum, 'x-amz-meta-a': 'b', 'if-none-match': '*' }, body)).status, 200);
    assert.equal((await send('PUT', 'one', { ...checksum, 'if-none-match': '*' }, body)).status, 412);
    const got = await send('GET', 'one', { 'x-amz-checksum-mode': 'ENABLED' });
    assert.equal(Buffer.from(got.body).toString(), 'hello');
    assert.equal(got.headers['x-amz-meta-a'], 'b');
    assert.equal(got.headers['x-amz-checksum-sha256'], checksum['x-amz-checksum-sha256']);
    assert.equal((await send('HEAD', 'one')).status, 200);
    assert.equal((await send('GET', 'two')).status, 404);
    assert.deepEqual(
      store.objects().map(({ key }) => key),
      ['one'],
    );
  });
});
