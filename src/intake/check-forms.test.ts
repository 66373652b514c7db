import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { characters, textHasForm } from './check-forms.ts';
import type { Form } from './check-rules.ts';
import { hasForm } from './scan-forms.ts';

function both(text: string, form: Form): boolean {
  const bytes = Buffer.from(`"${text}"\n`);
  const fast = hasForm(bytes, 1, bytes.length - 2, form);
  assert.equal(textHasForm(text, form), fast, `the two checks differ about ${text}`);
  return fast;
}

describe('date-time', () => {
  const good = [
    '2026-11-24T11:08:09Z',
    '2026-11-24t11:08:09z',
    '2026-11-24T11:08:09.1Z',
    '2026-11-24T11:08:09.123456789Z',
    '2026-11-24T11:08:09+00:00',
    '2026-11-24T11:08:09-23:59',
    '2026-11-24T11:08:09-00:00',
    '2024-02-29T00:00:00Z',
    '2000-02-29T00:00:00Z',
    '0000-02-29T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '0099-01-01T00:00:00Z',
    '2016-12-31T23:59:60Z',
    '2016-12-31T23:59:60.5Z',
    '2017-01-01T05:29:60+05:30',
    '2016-12-31T15:59:60-08:00',
    '2026-04-30T00:00:00Z',
  ];
  for (const text of good) test(`${text} is taken`, () => assert.equal(both(text, 'date-time'), true));
  const bad = [
    '',
    '2026-11-24',
    '2026-11-24 11:08:09Z',
    '2026-11-24T11:08:09',
    '2026-11-24T11:08Z',
    '2026-11-24T11:08:09.Z',
    '2026-11-24T11:08:09.1234567890Z',
    '2026-11-24T11:08:09,5Z',
    '2026-11-24T11:08:09+0100',
    '2026-11-24T11:08:09+01',
    '2026-11-24T11:08:09+24:00',
    '2026-11-24T11:08:09+01:60',
    '2026-11-24T11:08:09 Z',
    '2026-11-24T11:08:09ZZ',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-32T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T23:59:61Z',
    '2016-12-31T23:59:60+01:00',
    '26-01-01T00:00:00Z',
    '+2026-01-01T00:00:00Z',
    '-2026-01-01T00:00:00Z',
    '12026-01-01T00:00:00Z',
    '2026-1-1T0:0:0Z',
    '2026/01/01T00:00:00Z',
    '２026-01-01T00:00:00Z',
    '2026-01-01T00-00-00Z',
    ' 2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.5',
    '1764000000',
    '2026-W01-1T00:00:00Z',
  ];
  for (const text of bad) test(`${text} is refused`, () => assert.equal(both(text, 'date-time'), false));

  test('every day of a leap year and of another exists, and no other day does', () => {
    for (const year of [2023, 2024]) {
      for (let month = 0; month <= 13; month += 1) {
        for (let day = 0; day <= 32; day += 1) {
          const date = new Date(Date.UTC(year, month - 1, day));
          const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T00:00:00Z`;
          assert.equal(both(text, 'date-time'), date.toISOString().startsWith(text.slice(0, 10)), text);
        }
      }
    }
  });
});

test('action: words with dots between them', () => {
  for (const text of ['a', 'user.login', 'A-b_c.9.x', '_', '-']) assert.equal(both(text, 'action'), true, text);
  for (const text of ['.', 'a.', '.a', 'a..b', 'a b', 'é', 'a/b', 'a:b', '']) assert.equal(both(text, 'action'), false, text);
});

test('traceparent: four fields of lower-case hexadecimal', () => {
  const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  assert.equal(both(good, 'traceparent'), true);
  for (const text of [good.toUpperCase(), good.slice(1), `${good}0`, good.replaceAll('-', '0'), good.replace('a', 'g'), ''])
    assert.equal(both(text, 'traceparent'), false, text);
});

test('characters are code points', () => {
  assert.equal(characters('aé語😀'), 4);
  assert.equal(characters('\ud800\udc00\ud800'), 2);
});
