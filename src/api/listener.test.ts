import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type RequestOptions, request } from 'node:https';
import { before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { type CertificateAuthority, type Issued, makeAuthority } from '../../test/doubles/certificate-authority.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { openTestApi, readAll, TEST_API_CONFIG, testListener, testToken } from '../../test/doubles/open-test-api.ts';
import type { ApiConfig, TokenConfig } from '../config/config.ts';
import { purposeOf } from './purposes.ts';
import { alternativeNames } from './tls.ts';

const FILES = { cert: '/tls/cert.pem', key: '/tls/key.pem', clientCa: null, clientCert: 'require' } as const;
const TOKENS = [testToken('ops', 'operator', 'right-token')];
const headers = { authorization: 'Bearer right-token', 'content-type': 'application/json' };
const HOST = [{ type: 'dns', value: 'audit.example' }] as const;

let authority: CertificateAuthority;
let stranger: CertificateAuthority;
let server: Issued;
let billing: Issued;
before(async () => {
  authority = await makeAuthority('the authority');
  stranger = await makeAuthority('a stranger');
  server = await authority.issue('audit.example', HOST);
  billing = await authority.issue('billing', [
    { type: 'dns', value: 'billing.example' },
    { type: 'url', value: 'spiffe://acme/billing' },
  ]);
});

/** An API with TLS, over the files of a server's certificate. */
function openSecure(config: Partial<ApiConfig> = {}, more: Readonly<Record<string, string>> = {}) {
  const files = { '/tls/cert.pem': server.certificate, '/tls/key.pem': server.key, ...more };
  return openTestApi({ listeners: [testListener('127.0.0.1', 0, { tls: FILES })], tokens: TOKENS, ...config }, {}, files);
}

/** What a request asks for beside its path. */
type Asked = Omit<RequestOptions, 'headers'> & { readonly headers?: Readonly<Record<string, string>> };

/** One request over TLS to a host of this name. Rejects when there is no connection. */
function ask(port: number, path: string, options: Asked = {}): Promise<{ readonly status: number; readonly serial: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        servername: 'audit.example',
        ca: authority.certificate,
        agent: false,
        ...options,
        headers: { ...headers, ...options.headers },
      },
      (response) => {
        const serial = (response.socket as ReturnType<typeof connectTls>).getPeerCertificate().serialNumber;
        response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, serial }));
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

describe('TLS', () => {
  test('answers over TLS 1.2 and 1.3, and over nothing older and nothing plain', async (t) => {
    const { api, socket, close } = await openSecure();
    t.after(close);
    const { port } = api.address;
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
      assert.equal((await ask(port, '/v1/status', { minVersion: version, maxVersion: version })).status, 200);
    await assert.rejects(ask(port, '/livez', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
    const plain = await socket();
    const ends = readAll(plain);
    plain.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n');
    assert.doesNotMatch(await ends, /live/);
  });

  test('a page that came over plain HTTP changes nothing here', async (t) => {
    const { api, close } = await openSecure();
    t.after(close);
    const { port } = api.address;
    const from = (origin: string) =>
      ask(port, '/v1/destinations/archive/pause', { method: 'POST', headers: { host: 'localhost:1', origin } }).then(
        ({ status }) => status,
      );
    assert.deepEqual([await from('http://localhost:1'), await from('https://localhost:1')], [403, 200]);
  });

  test('files that do not fit together are refused at the start, by their names and without what is in them', async () => {
    const foreign = await authority.issue('other', HOST);
    for (const [more, message] of [
      [{ '/tls/key.pem': foreign.key }, /the key in \/tls\/key\.pem does not belong to the certificate in \/tls\/cert\.pem/],
      [{ '/tls/cert.pem': 'nothing' }, /\/tls\/cert\.pem holds no certificate/],
      [{ '/tls/key.pem': 'nothing' }, /the key in \/tls\/key\.pem/],
    ] as const)
      await assert.rejects(openSecure({}, more), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'TLS_INVALID');
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /BEGIN|nothing/);
        return true;
      });
  });

  test('a new certificate is taken while connections stay; a broken one leaves the old one at work, and the log says so', async (t) => {
    const { api, ports, close } = await openSecure();
    t.after(close);
    const { port } = api.address;
    const open = connectTls({ host: '127.0.0.1', port, servername: 'audit.example', ca: authority.certificate });
    await once(open, 'secureConnect');
    const before = (await ask(port, '/livez')).serial;
    const next = await authority.issue('audit.example', HOST);
    ports.disk.files.set(FILES.cert, Buffer.from(next.certificate));
    await ports.clock.pass(30_000);
    assert.equal((await ask(port, '/livez')).serial, before, 'half of a renewal is no renewal');
    assert.match(JSON.stringify(ports.log), /the old certificate stays: the key in/);
    ports.disk.files.set(FILES.key, Buffer.from(next.key));
    await ports.clock.pass(30_000);
    assert.notEqual((await ask(port, '/livez')).serial, before);
    const answered = once(open, 'data') as Promise<[Buffer]>;
    open.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n');
    assert.match((await answered)[0].toString(), /^HTTP\/1.1 200/);
    open.destroy();
  });

  test('the end of a certificate is announced, and in the status', async (t) => {
    const ending = await authority.issue('audit.example', HOST, 5);
    const { api, ports, send, close } = await openTestApi(
      { listeners: [testListener('127.0.0.1'), testListener('127.0.0.1', 0, { tls: FILES })] },
      {},
      { '/tls/cert.pem': ending.certificate, '/tls/key.pem': ending.key },
    );
    t.after(close);
    ports.clock.wall = Date.now();
    await ports.clock.pass(30_000);
    assert.match(JSON.stringify(ports.log), /the certificate in \/tls\/cert\.pem expires in 4 days/);
    const { listeners } = (await send('/v1/status')).json['api'] as {
      listeners: { address: string; tls: { expires_at: string } | null }[];
    };
    assert.equal(listeners[0]?.tls, null);
    assert.equal(listeners[1]?.address, `127.0.0.1:${api.addresses[1]?.port}`);
    assert.match(listeners[1]?.tls?.expires_at ?? '', /^\d{4}-\d\d-\d\dT/);
  });
});

describe('client certificates', () => {
  const known = (proof: TokenConfig['proof']): TokenConfig => ({ ...testToken('billing', 'viewer', 'unused-unused-unused'), proof });
  const listeners = (clientCert: 'require' | 'allow') => [
    testListener('127.0.0.1', 0, { tls: { ...FILES, clientCa: '/tls/ca.pem', clientCert } }),
  ];
  const shows = ({ certificate: cert, key }: Issued): Asked => ({ cert, key, headers: { authorization: '' } });

  test('say who a caller is, by a name or by their digest', async (t) => {
    const { X509Certificate } = await import('node:crypto');
    const sha256 = new X509Certificate(billing.certificate).fingerprint256.replaceAll(':', '').toLowerCase();
    for (const proof of [
      { by: 'certificate', sha256 },
      { by: 'name', name: 'DNS:billing.example' },
      { by: 'name', name: 'URI:spiffe://acme/billing' },
    ] as const) {
      const { api, close } = await openSecure(
        { tokens: [known(proof)], listeners: listeners('require') },
        { '/tls/ca.pem': authority.certificate },
      );
      t.after(close);
      assert.equal((await ask(api.address.port, '/v1/status', shows(billing))).status, 200);
      assert.equal((await ask(api.address.port, '/v1/destinations/archive/pause', { ...shows(billing), method: 'POST' })).status, 403);
      const other = await authority.issue('billing.example', [{ type: 'dns', value: 'other.example' }]);
      assert.equal((await ask(api.address.port, '/v1/status', shows(other))).status, 401, 'a common name is no name');
    }
  });

  test('are required, and of the authority', async (t) => {
    const { api, close } = await openSecure({ listeners: listeners('require') }, { '/tls/ca.pem': authority.certificate });
    t.after(close);
    await assert.rejects(ask(api.address.port, '/livez'));
    await assert.rejects(
      ask(api.address.port, '/livez', shows(await stranger.issue('billing', [{ type: 'dns', value: 'billing.example' }]))),
    );
    assert.equal((await ask(api.address.port, '/livez', shows(billing))).status, 200);
  });

  test('may be left out where they are only allowed; one of a stranger then says nothing', async (t) => {
    const tokens = [...TOKENS, known({ by: 'name', name: 'DNS:billing.example' })];
    const { api, close } = await openSecure({ tokens, listeners: listeners('allow') }, { '/tls/ca.pem': authority.certificate });
    t.after(close);
    const { port } = api.address;
    assert.equal((await ask(port, '/v1/status')).status, 200);
    assert.equal((await ask(port, '/v1/status', shows(billing))).status, 200);
    const forged = shows(await stranger.issue('billing', [{ type: 'dns', value: 'billing.example' }]));
    assert.equal((await ask(port, '/v1/status', forged)).status, 401);
  });

  test('with a name that was quoted are not believed', () => {
    assert.deepEqual(alternativeNames('DNS:a.example, URI:spiffe://b'), ['DNS:a.example', 'URI:spiffe://b']);
    assert.deepEqual(alternativeNames('DNS:"a.example\\u0022, DNS:evil.example"'), []);
    assert.deepEqual(alternativeNames(undefined), []);
  });
});

describe('listeners', () => {
  test('answer what they serve, and whether the process lives', async (t) => {
    const { api, close } = await openTestApi({
      listeners: [testListener('127.0.0.1', 0, { serve: ['ingest'] }), testListener('127.0.0.1', 0, { serve: ['control', 'metrics'] })],
    });
    t.after(close);
    const statusOf = async (place: number, path: string, method = 'GET') =>
      (await fetch(`http://127.0.0.1:${api.addresses[place]?.port}${path}`, { method, headers: { 'content-type': 'application/json' } }))
        .status;
    assert.deepEqual([await statusOf(0, '/v1/status'), await statusOf(1, '/v1/status')], [404, 200]);
    assert.deepEqual([await statusOf(0, '/metrics'), await statusOf(1, '/metrics')], [404, 200]);
    assert.deepEqual([await statusOf(0, '/v1/events', 'POST'), await statusOf(1, '/v1/events', 'POST')], [400, 404]);
    assert.deepEqual([await statusOf(0, '/livez'), await statusOf(1, '/livez')], [200, 200]);
  });

  test('know every path by its purpose', () => {
    const purposes = [
      '/v1/events',
      '/v1/entries',
      '/v1/reload',
      '/metrics',
      '/tlog/checkpoint',
      '/',
      '/assets/a.js',
      '/livez',
      '/openapi.json',
    ];
    assert.deepEqual(purposes.map(purposeOf), ['ingest', 'control', 'control', 'metrics', 'tlog', 'console', 'console', null, null]);
  });
});

describe('another configuration', () => {
  const sources = new Map([['app', { rate: null }]]);

  test('holds from its commit on, without closing a connection', async (t) => {
    const { api, send, socket, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    const kept = await socket();
    const { port } = api.address;
    const change = await api.prepare({ ...TEST_API_CONFIG, tokens: [testToken('ops', 'operator', 'another-token')] }, sources);
    assert.equal((await send('/v1/status', { headers })).status, 200, 'nothing has changed yet');
    change.commit();
    assert.equal(api.address.port, port);
    assert.equal((await send('/v1/status', { headers })).status, 401);
    const answered = once(kept, 'data') as Promise<[Buffer]>;
    kept.write('GET /v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer another-token\r\n\r\n');
    assert.match((await answered)[0].toString(), /^HTTP\/1.1 200/);
    kept.destroy();
  });

  test('ends what is being read with a token that it no longer has, or that expires, and nothing else', async (t) => {
    const expiresMs = Date.UTC(2026, 10, 24, 11, 8, 30);
    const short = testToken('short', 'viewer', 'short-token', { expiresMs });
    const old = testToken('old', 'viewer', 'old-token');
    const { api, ports, socket, close } = await openTestApi({ tokens: [...TOKENS, short, old] });
    t.after(close);
    const follow = async (token: string) => {
      const reader = await socket();
      const said = once(reader, 'data');
      reader.write(`GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n\r\n`);
      await said;
      return reader;
    };
    const readers = { kept: await follow('right-token'), short: await follow('short-token'), old: await follow('old-token') };
    const ended = { short: readAll(readers.short), old: readAll(readers.old) };
    (await api.prepare({ ...TEST_API_CONFIG, tokens: [...TOKENS, short] }, sources)).commit();
    await ended.old;
    assert.equal(readers.short.closed, false);
    await ports.clock.pass(30_000);
    await ended.short;
    assert.equal(readers.kept.closed, false);
    readers.kept.destroy();
  });

  test('opens a new address before the old one closes, and a request under way ends where it began', async (t) => {
    const { api, post, ledger, ports, close } = await openTestApi();
    t.after(close);
    const old = api.address.port;
    ledger.hold();
    const slow = post('{"id":"a"}');
    while (ledger.assigned() === 0) await settle();
    // Another name of the same machine, so that it is another address of the configuration.
    const change = await api.prepare({ ...TEST_API_CONFIG, listeners: [testListener('127.0.0.2')] }, sources);
    change.commit();
    assert.equal((await fetch(`http://127.0.0.2:${api.address.port}/livez`)).status, 200);
    await assert.rejects(fetch(`http://127.0.0.1:${old}/livez`));
    ledger.release();
    assert.equal((await slow).status, 200);
    await ports.clock.pass(5_000);
  });

  test('that cannot be leaves everything as it was', async (t) => {
    const { api, send, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    const taken = await openTestApi();
    t.after(taken.close);
    const mine = testListener('127.0.0.3');
    const listeners = [mine, testListener('127.0.0.1', taken.api.address.port)];
    await assert.rejects(api.prepare({ ...TEST_API_CONFIG, listeners }, sources), { code: 'LISTEN_FAILED' });
    const broken = [testListener('127.0.0.4', 0, { tls: FILES })];
    await assert.rejects(api.prepare({ ...TEST_API_CONFIG, listeners: broken }, sources), { code: 'TLS_INVALID' });
    await assert.rejects(api.prepare({ ...TEST_API_CONFIG, listeners: [testListener('0.0.0.0')] }, sources), { code: 'LISTEN_UNSAFE' });
    const undone = await api.prepare({ ...TEST_API_CONFIG, listeners: [mine] }, sources);
    await undone.undo();
    assert.equal((await send('/v1/status', { headers })).status, 200);
    assert.equal(api.addresses.length, 1);
  });
});
