import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';

const FILES = [
  { path: 'index.html', text: '<!doctype html><meta name="waybill" content=""><script type="module" src="/assets/page-1.js"></script>' },
  { path: 'assets/page-1.js', text: 'console.log("täil");' },
  { path: 'assets/page-1.css', text: 'body{}' },
  { path: 'icon.svg', text: '<svg/>' },
];
const operator = { tokens: [testToken('ops', 'operator', 'secret')] };

describe('the console', () => {
  test('its page comes without a token, under a policy that lets nothing foreign in', async (t) => {
    const { send, close } = await openTestApi(operator, { console: FILES });
    t.after(close);
    const { status, headers, text } = await send('/');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(headers['cache-control'], 'no-cache');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    const policy = String(headers['content-security-policy']);
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"])
      assert.ok(policy.includes(part), part);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.match(text, /<meta name="waybill" content="tokens=yes demo=no">/);
    assert.doesNotMatch(text, /secret/);
  });

  test('tells the page what it comes from', async (t) => {
    const { send, close } = await openTestApi({}, { console: FILES, extraRoutes: [] });
    t.after(close);
    assert.match((await send('/')).text, /content="tokens=no demo=yes"/);
  });

  test('its assets may be kept for ever, and what has not changed is not sent again', async (t) => {
    const { send, close } = await openTestApi({}, { console: FILES });
    t.after(close);
    const first = await send('/assets/page-1.js');
    assert.deepEqual([first.status, first.text], [200, FILES[1]?.text]);
    assert.equal(first.headers['content-type'], 'text/javascript; charset=utf-8');
    assert.match(String(first.headers['cache-control']), /immutable/);
    const etag = String(first.headers.etag);
    const again = await send('/assets/page-1.js', { headers: { 'if-none-match': `"other", ${etag}` } });
    assert.deepEqual([again.status, again.text, again.headers.etag], [304, '', etag]);
    assert.equal((await send('/assets/page-1.css')).headers['content-type'], 'text/css; charset=utf-8');
    assert.equal((await send('/icon.svg')).headers['content-type'], 'image/svg+xml');
    assert.equal((await send('/', { method: 'HEAD' })).text, '');
  });

  test('no path leads to anything but its files', async (t) => {
    const { send, close } = await openTestApi({}, { console: FILES });
    t.after(close);
    const paths = [
      '/index.html',
      '/assets',
      '/assets/',
      '/assets/../index.html',
      '/%2e%2e/package.json',
      '/assets/%2e%2e%2fpage-1.js',
      '//icon.svg',
    ];
    for (const path of paths) assert.equal((await send(path)).status, 404, path);
  });

  test('says how to build it where it was not', async (t) => {
    const { send, close } = await openTestApi();
    t.after(close);
    const { status, headers, text } = await send('/');
    assert.equal(status, 404);
    assert.match(String(headers['content-type']), /^text\/html/);
    assert.match(text, /npm run build:console/);
  });

  test('an extra route is there only where a program gives it', async (t) => {
    const route = {
      method: 'POST',
      path: '/demo/destinations/*/break',
      need: 'control',
      take: () => ({ status: 204, headers: {}, body: '' }),
    } as const;
    const plain = await openTestApi(operator);
    const demo = await openTestApi(operator, { extraRoutes: [route] });
    t.after(plain.close);
    t.after(demo.close);
    const asked = { method: 'POST', headers: { authorization: 'Bearer secret' } };
    assert.equal((await plain.send('/demo/destinations/hook/break', asked)).status, 404);
    assert.equal((await demo.send('/demo/destinations/hook/break', asked)).status, 204);
    assert.equal((await demo.send('/demo/destinations/hook/break', { method: 'POST' })).status, 401);
  });
});
