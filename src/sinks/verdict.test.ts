import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { excerpt, retryAfterMs, standardVerdict } from './verdict.ts';

const NOW = Date.UTC(2026, 10, 24, 12, 0, 0);

function answer(status: number, headers: Record<string, string> = {}, body: string | Uint8Array = '') {
  return { status, headers, body: typeof body === 'string' ? new TextEncoder().encode(body) : body };
}

const verdict = (response: ReturnType<typeof answer>, secrets: readonly string[] = []) =>
  standardVerdict(response, { from: 'https://logs.example', now: NOW, secrets });

describe('what a status means', () => {
  const table: Readonly<Record<string, readonly number[]>> = {
    SINK_UNAUTHORIZED: [401, 403],
    SINK_NOT_FOUND: [300, 301, 302, 303, 307, 308, 404, 410],
    SINK_BUSY: [408, 425, 429, 500, 502, 503, 504, 507, 599],
    SINK_REFUSED_ENTRY: [400, 413, 422],
    SINK_REFUSED: [402, 405, 406, 407, 409, 411, 412, 414, 415, 417, 418, 421, 428, 431, 451],
  };
  for (const [code, statuses] of Object.entries(table)) {
    test(`${code}: ${statuses.join(', ')}`, () => {
      for (const status of statuses) {
        const error = verdict(answer(status));
        assert.equal(error?.code, code);
        assert.equal(error?.message, `https://logs.example answered ${status}`);
        assert.deepEqual(error?.details, { facts: { status } });
      }
    });
  }

  test('taken: every 2xx', () => {
    for (const status of [200, 201, 202, 204, 207, 299]) assert.equal(verdict(answer(status)), null);
  });

  test('only a busy destination says when to come back', () => {
    assert.equal(verdict(answer(503, { 'retry-after': '30' }))?.details.retryAfterMs, 30_000);
    assert.equal(verdict(answer(429, { 'retry-after': 'soon' }))?.details.retryAfterMs, undefined);
    assert.equal(verdict(answer(400, { 'retry-after': '30' }))?.details.retryAfterMs, undefined);
  });
});

describe('Retry-After', () => {
  const cases: readonly (readonly [string | undefined, number | null])[] = [
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['Tue, 24 Nov 2026 12:01:30 GMT', 90_000],
    ['Tuesday, 24-Nov-26 12:01:30 GMT', 90_000],
    ['Tue Nov 24 12:01:30 2026', 90_000],
    ['Tue, 24 Nov 2026 11:00:00 GMT', 0],
    [undefined, null],
    ['', null],
    ['-1', null],
    ['1.5', null],
    ['1e3', null],
    ['99999999999', null],
    ['2026', 2_026_000],
    ['2026-11-24', null],
    ['tomorrow', null],
    ['Tue, 99 Nov 2026 12:01:30 GMT', null],
  ];
  for (const [value, expected] of cases) {
    test(`${JSON.stringify(value)} is ${expected}`, () => assert.equal(retryAfterMs(value, NOW), expected));
  }
});

describe('what a message quotes of an answer', () => {
  test('one line of text without control characters', () => {
    const body = '  first\r\n\u001b[31msecond\u0000\u2028third\ufffd \u202ereversed  ';
    assert.equal(excerpt(answer(400, {}, body), []), 'first [31msecond third reversed');
    assert.equal(
      verdict(answer(422, { 'content-type': 'application/json' }, '{"a":1}'))?.message,
      'https://logs.example answered 422: {"a":1}',
    );
    assert.equal(excerpt(answer(400, { 'content-type': 'application/problem+json; charset=utf-8' }, '{}'), []), '{}');
  });

  test('nothing of what is not text, and no page', () => {
    assert.equal(excerpt(answer(502, { 'content-type': 'text/html' }, '<html>'), []), '');
    assert.equal(excerpt(answer(502, { 'content-type': 'application/octet-stream' }, 'x'), []), '');
    assert.equal(excerpt(answer(502, {}, Uint8Array.of(0xff, 0xfe, 0x00)), []), '');
  });

  test('at most 200 characters, none of them halved', () => {
    const text = excerpt(answer(400, {}, '\u{1f9fe}'.repeat(1_000)), []);
    assert.equal(Array.from(text).length, 200);
    assert.match(text, /^\u{1f9fe}+…$/u);
    assert.equal(excerpt(answer(400, {}, 'y'.repeat(200)), []).length, 200);
  });

  test('no secret, also where the cut would halve it', () => {
    const secret = 'token-'.repeat(20);
    const body = `${'x'.repeat(150)}${secret} and ${secret}`;
    const text = excerpt(answer(401, {}, body), [secret, 'ab']);
    assert.ok(!text.includes('token-'));
    assert.ok(text.startsWith(`${'x'.repeat(150)}(hidden) and (hidden)`));
    assert.equal(excerpt(answer(401, {}, 'about'), ['ab', '']), 'about');
  });
});
