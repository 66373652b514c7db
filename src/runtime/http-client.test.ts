import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { openHttp } from './http-client.ts';

const http = openHttp();
const closers: (() => void)[] = [];
after(async () => {
  for (const close of closers) close();
  await http.close();
});

const never = (): AbortSignal => new AbortController().signal;

async function serve(listener: RequestListener): Promise<{ url: string; connections: Socket[] }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  const connections: Socket[] = [];
  server.on('connection', (socket) => connections.push(socket));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections };
}

async function serveTcp(onConnection: (socket: Socket) => void): Promise<{ url: string }> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('answers', () => {
  test('method, path, headers and body arrive, and status, headers and body come back', async () => {
    const { url } = await serve((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => {
        response.writeHead(202, { 'X-Many': ['a', 'b'], 'Retry-After': '7' });
        response.end([request.method, request.url, request.headers['x-own'], Buffer.concat(parts).toString()].join(' '));
      });
    });
    const body = new TextEncoder().encode('entries');
    const answer = await http.send({ method: 'POST', url: `${url}/in?a=%20b`, headers: { 'X-Own': 'yes' }, body }, never());
    assert.equal(answer.status, 202);
    assert.equal(answer.headers['retry-after'], '7');
    assert.equal(answer.headers['x-many'], 'a, b');
    assert.equal(Buffer.from(answer.body).toString(), 'POST /in?a=%20b yes entries');
  });

  test('redirects are not followed', async () => {
    let requests = 0;
    const { url } = await serve((_request, response) => {
      requests++;
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    const answer = await http.send({ method: 'GET', url, headers: {} }, never());
    assert.equal(answer.status, 302);
    assert.equal(requests, 1);
  });

  test('connections are kept: many requests one after another need no more than two', async () => {
    const { url, connections } = await serve((request, response) => {
      request.resume();
      response.end('ok');
    });
    for (let i = 0; i < 20; i++) await http.send({ method: 'POST', url, headers: {}, body: new Uint8Array(1_000) }, never());
    assert.ok(connections.length <= 2, `${connections.length} connections`);
  });

  test('a body is cut at 64 KiB, however much there is', async () => {
    const { url } = await serve((_request, response) => {
      response.on('error', () => {});
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(10_000, 'x')));
        response.once('drain', more);
      };
      more();
    });
    const answer = await http.send({ method: 'GET', url, headers: {} }, never());
    assert.equal(answer.status, 200);
    assert.equal(answer.body.length, 65_536);
    assert.ok(answer.body.every((byte) => byte === 120));
  });

  test('a body of exactly 64 KiB is whole', async () => {
    const { url } = await serve((_request, response) => void response.end(Buffer.alloc(65_536, 'y')));
    assert.equal((await http.send({ method: 'GET', url, headers: {} }, never())).body.length, 65_536);
  });
});

describe('failures', () => {
  test('nobody listens, or there is no such name: nothing was sent', async () => {
    const port = await freePort();
    const request = { method: 'POST', headers: {}, body: new Uint8Array(1) } as const;
    await assert.rejects(http.send({ ...request, url: `http://127.0.0.1:${port}/x?key=hidden` }, never()), {
      code: 'SINK_UNREACHABLE',
      message: `cannot reach http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    });
    await assert.rejects(http.send({ ...request, url: 'http://waybill.invalid/' }, never()), { code: 'SINK_UNREACHABLE' });
  });

  test('the handshake fails: nothing was sent', async () => {
    const { url } = await serveTcp((socket) => socket.end('this is not TLS'));
    await assert.rejects(
      http.send({ method: 'POST', url: url.replace('http:', 'https:'), headers: {}, body: new Uint8Array(1) }, never()),
      {
        code: 'SINK_UNREACHABLE',
      },
    );
  });

  test('the connection ends after the request: the answer is lost', async () => {
    const { url } = await serveTcp((socket) => socket.once('data', () => socket.destroy()));
    await assert.rejects(http.send({ method: 'POST', url, headers: {}, body: new Uint8Array(10) }, never()), {
      code: 'SINK_ANSWER_LOST',
      message: /^no answer from http:\/\/127\.0\.0\.1:\d+: /,
    });
  });

  test('the connection ends within the answer: the answer is lost', async () => {
    const { url } = await serveTcp((socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')));
    await assert.rejects(http.send({ method: 'POST', url, headers: {}, body: new Uint8Array(10) }, never()), { code: 'SINK_ANSWER_LOST' });
  });

  test('what is not HTTP is no answer', async () => {
    const { url } = await serveTcp((socket) => socket.once('data', () => socket.end('+OK\r\n')));
    await assert.rejects(http.send({ method: 'POST', url, headers: {}, body: new Uint8Array(10) }, never()), { code: 'SINK_ANSWER_LOST' });
  });

  test('a request is sent once only, also when a kept connection turns out to be closed', async () => {
    let requests = 0;
    const { url } = await serve((request, response) => {
      requests++;
      request.resume();
      if (requests === 1) response.end('first');
      else request.socket.destroy();
    });
    await http.send({ method: 'GET', url, headers: {} }, never());
    await assert.rejects(http.send({ method: 'GET', url, headers: {} }, never()), { code: 'SINK_ANSWER_LOST' });
    assert.equal(requests, 2);
  });

  test('the end of the signal ends the request, and the connection with it', async () => {
    const controller = new AbortController();
    const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
    const { url } = await serve((request) => {
      request.resume();
      request.socket.once('close', () => onClose());
      controller.abort(new Error('took too long'));
    });
    await assert.rejects(http.send({ method: 'POST', url, headers: {}, body: new Uint8Array(10) }, controller.signal), {
      code: 'SINK_ANSWER_LOST',
      message: /took too long/,
    });
    await closed;
  });

  test('the end of the signal also ends a handshake that nobody answers', async () => {
    const own = openHttp();
    const controller = new AbortController();
    const { url } = await serveTcp((socket) => socket.once('data', () => controller.abort()));
    const request = { method: 'POST', url: url.replace('http:', 'https:'), headers: {}, body: new Uint8Array(1) } as const;
    await assert.rejects(own.send(request, controller.signal), { code: 'SINK_ANSWER_LOST' });
    await own.close();
  });

  test('a signal that has ended sends nothing', async () => {
    let requests = 0;
    const { url } = await serve((_request, response) => {
      requests++;
      response.end();
    });
    await assert.rejects(http.send({ method: 'GET', url, headers: {} }, AbortSignal.abort()), { code: 'SINK_ANSWER_LOST' });
    await http.send({ method: 'GET', url, headers: {} }, never());
    assert.equal(requests, 1);
  });

  test('a header that HTTP cannot carry is refused before anything is sent', async () => {
    const { url } = await serve((_request, response) => void response.end());
    await assert.rejects(http.send({ method: 'GET', url, headers: { 'x-bad': 'a\r\nb: c' } }, never()), { code: 'SINK_UNREACHABLE' });
  });

  test('close ends what is under way', async () => {
    const own = openHttp();
    const { promise: reached, resolve: arrived } = Promise.withResolvers<void>();
    const { url } = await serve(() => arrived());
    const sending = assert.rejects(own.send({ method: 'GET', url, headers: {} }, never()), { code: 'SINK_ANSWER_LOST' });
    await reached;
    await own.close();
    await sending;
  });
});
