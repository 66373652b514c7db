import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, BlockList, connect, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { makeCertificate } from '../../test/doubles/certificate.ts';
import type { TlsIdentity } from '../contracts/ports.ts';
import { openHttp } from './http-client.ts';
import { connectUnless, reach } from './http-connect.ts';
import { privateAddresses } from './private-addresses.ts';

const http = openHttp();
const never = (): AbortSignal => new AbortController().signal;

let connections = 0;
const server = createServer((socket) => {
  connections += 1;
  socket.on('error', () => {});
  socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n');
});
let port = 0;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
after(async () => {
  server.close();
  await http.close();
});

describe('a request that may go to public addresses only', () => {
  const refused: readonly (readonly [string, (at: number) => string])[] = [
    ['a loopback address', (at) => `http://127.0.0.1:${at}/`],
    ['a name that leads there', (at) => `http://localhost:${at}/`],
    ['an address as one number', (at) => `http://2130706433:${at}/`],
    ['an IPv4 address in IPv6', (at) => `http://[::ffff:127.0.0.1]:${at}/`],
    ['IPv6 loopback', (at) => `http://[::1]:${at}/`],
    ['a loopback address over TLS', (at) => `https://127.0.0.1:${at}/`],
    ['a name that leads there, over TLS', (at) => `https://localhost:${at}/`],
    ['the metadata service of a cloud', () => 'http://169.254.169.254/latest/meta-data/'],
    ['a private network', () => 'https://10.1.2.3/'],
    ['a carrier network', () => 'http://100.100.100.200/'],
    ['any address of this machine', (at) => `http://0.0.0.0:${at}/`],
    ['a private network in IPv6', () => 'http://[fd00:ec2::254]/'],
    ['a link-local address', () => 'http://[fe80::1]/'],
    ['an address behind NAT64', () => 'http://[64:ff9b::7f00:1]/'],
    ['an address in 6to4', () => 'http://[2002:7f00:1::]/'],
  ];
  for (const [what, urlAt] of refused) {
    test(`never connects to ${what}`, async () => {
      const before = connections;
      const url = urlAt(port);
      const wrong = { code: 'SINK_ADDRESS_PRIVATE', message: /leads to a private address, and only public ones are allowed/ };
      await assert.rejects(http.send({ method: 'POST', url, headers: {}, body: new Uint8Array(1), publicOnly: true }, never()), wrong);
      await assert.rejects(http.reach({ url, publicOnly: true }, never()), wrong);
      assert.equal(connections, before);
    });
  }

  test('does not use a connection that another request has made', async () => {
    const url = `http://127.0.0.1:${port}/`;
    assert.equal((await http.send({ method: 'GET', url, headers: {} }, never())).status, 204);
    await assert.rejects(http.send({ method: 'GET', url, headers: {}, publicOnly: true }, never()), { code: 'SINK_ADDRESS_PRIVATE' });
  });
});

describe('the list', () => {
  test('holds every address of a name, also when there are several', async () => {
    const socket = connect({
      host: 'several.example',
      port,
      blockList: privateAddresses(),
      autoSelectFamily: true,
      lookup: (_name, _options, answer) =>
        answer(null, [
          { address: '127.0.0.1', family: 4 },
          { address: '::1', family: 6 },
        ]),
    });
    const [error] = (await once(socket, 'error')) as [Error];
    const errors = error instanceof AggregateError ? error.errors : [error];
    assert.ok(
      errors.every((one) => (one as { readonly code?: string }).code === 'ERR_IP_BLOCKED'),
      String(errors),
    );
  });

  const PUBLIC = [
    '1.1.1.1',
    '8.8.8.8',
    '172.15.0.1',
    '172.32.0.1',
    '192.169.0.1',
    '100.63.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00::1',
  ];
  const INSIDE = [
    '10.255.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '0.1.2.3',
    '255.255.255.255',
  ];
  const INSIDE_6 = ['::', '::1', '::ffff:10.0.0.1', '::10.0.0.1', 'fc00::1', 'fdff::1', 'fe80::1', 'febf::1', 'ff02::1', '2001::1'];
  test('lets public addresses through and nothing else', () => {
    const list = privateAddresses();
    const has = (address: string): boolean => list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
    assert.deepEqual(PUBLIC.filter(has), []);
    assert.deepEqual(
      [...INSIDE, ...INSIDE_6].filter((address) => !has(address)),
      [],
    );
  });
});

describe('TLS on a socket that was looked at', () => {
  test('is agreed on with the name of the URL', async () => {
    const { key, certificate } = await makeCertificate('localhost');
    const names: string[] = [];
    const secure = createTlsServer({ key, cert: certificate, SNICallback: (name, done) => (names.push(name), done(null)) });
    secure.on('tlsClientError', () => {});
    secure.listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const { port: at } = secure.address() as AddressInfo;
    const target = { hostname: 'localhost', host: `localhost:${at}`, protocol: 'https:', port: String(at) };
    const error = await new Promise((resolve) => connectUnless(new BlockList())(target, (...[failure]) => resolve(failure)));
    secure.close();
    // Nobody trusts this certificate, which only shows after the handshake.
    assert.match(String(error), /self-signed/);
    assert.deepEqual(names, ['localhost']);
  });
});

describe('TLS with an identity', () => {
  async function serve(ours: { readonly certificate: string }) {
    const own = await makeCertificate('localhost');
    const secure = createHttpsServer({
      key: own.key,
      cert: own.certificate,
      ca: ours.certificate,
      requestCert: true,
      rejectUnauthorized: false,
    });
    const clients: boolean[] = [];
    secure.on('request', (request, response) => {
      clients.push((request.socket as TLSSocket).authorized);
      response.end();
    });
    secure.listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const stop = (): void => {
      secure.closeAllConnections();
      secure.close();
    };
    return { url: `https://localhost:${(secure.address() as AddressInfo).port}/`, ca: own.certificate, clients, stop };
  }

  test('trusts whom it is told to, and shows who it is', async () => {
    const ours = await makeCertificate('waybill');
    const { url, ca, clients, stop } = await serve(ours);
    const get = (tls: TlsIdentity | undefined) => http.send({ method: 'GET', url, headers: {}, tls }, never());
    await assert.rejects(get(undefined), { code: 'SINK_UNREACHABLE', message: /self-signed/ });
    assert.equal((await get({ ca })).status, 200);
    assert.equal((await get({ ca, cert: ours.certificate, key: ours.key })).status, 200);
    // The same texts in another object are the same identity; a connection of another identity is never used.
    assert.equal((await get({ ca, cert: ours.certificate, key: ours.key })).status, 200);
    assert.equal((await get({ ca })).status, 200);
    assert.deepEqual(clients, [false, true, true, false]);
    assert.deepEqual(await http.reach({ url, tls: { ca } }, never()), { address: '127.0.0.1', tls: 'TLSv1.3' });
    stop();
  });

  test('also where the address is looked at first', async () => {
    const { url, ca, stop } = await serve(await makeCertificate('waybill'));
    const { host, hostname, port: at } = new URL(url);
    const connectOutside = connectUnless(new BlockList(), { ca });
    const socket = await new Promise<TLSSocket>((resolve, reject) =>
      connectOutside({ hostname, host, protocol: 'https:', port: at }, (...[failure, made]) =>
        failure === null ? resolve(made as TLSSocket) : reject(failure),
      ),
    );
    assert.ok(socket.authorized);
    socket.destroy();
    stop();
  });
});

describe('a connection that is only tried', () => {
  test('says where it led, and sends nothing', async () => {
    assert.deepEqual(await reach({ url: `http://localhost:${port}/in` }, never()), { address: '127.0.0.1', tls: null });
  });

  test('says why it failed, also when the caller gave up', async () => {
    await assert.rejects(reach({ url: 'http://name.invalid/' }, never()), { code: 'SINK_UNREACHABLE' });
    await assert.rejects(reach({ url: `http://127.0.0.1:${port}/` }, AbortSignal.abort(new Error('too long'))), {
      code: 'SINK_UNREACHABLE',
      message: /too long/,
    });
  });
});
