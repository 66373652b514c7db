import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EVENT_BYTES_MAX, IDENTITY_BYTES_MAX } from '../contracts/units.ts';
import type { CheckRules } from './check.ts';
import { checkBody } from './check.ts';
import type { Checked } from './checked.ts';
import type { BodyShape } from './split.ts';

const json: CheckRules = { schema: 'json', idField: null };
const byId: CheckRules = { schema: 'json', idField: 'id' };
const waybill: CheckRules = { schema: 'waybill/1', idField: null };

const good = { id: 'e1', occurred_at: '2026-11-24T11:08:09.123Z', action: 'a.b', outcome: 'success', actor: { type: 'user', id: 'u1' } };

function check(body: string | Buffer, shape: BodyShape, rules: CheckRules = json, countMax?: number): Checked {
  return checkBody(typeof body === 'string' ? Buffer.from(body) : body, shape, rules, countMax);
}

/** The events as text. */
function events({ bytes, count, starts, ends }: Checked): string[] {
  return Array.from({ length: count }, (_, k) => Buffer.from(bytes.subarray(starts[k], ends[k])).toString());
}

/** The identities as text; `null` for none. */
function ids({ bytes, count, idStarts, idEnds }: Checked): (string | null)[] {
  return Array.from({ length: count }, (_, k) =>
    idStarts[k] === idEnds[k] ? null : Buffer.from(bytes.subarray(idStarts[k], idEnds[k])).toString(),
  );
}

/** The codes of the faults of each event. */
function codes({ count, faults }: Checked): string[][] {
  return Array.from({ length: count }, (_, k) => (faults.get(k) ?? []).map(({ code }) => code));
}

describe('lines', () => {
  test('blank lines, CRLF, space around and a last line without an end', () => {
    const checked = check('\n\r\n  \t\n{"a":1}\r\n\n  {"b":2} \t\n\n{"c":3}', 'lines');
    assert.deepEqual(events(checked), ['{"a":1}', '{"b":2}', '{"c":3}']);
    assert.equal(checked.faults.size, 0);
    assert.equal(checked.unreadable, undefined);
  });

  test('nothing is a submission of no events', () => {
    for (const body of ['', '\n', ' \r\n\n']) assert.equal(check(body, 'lines').count, 0);
  });

  test('a bad line is the fault of that event only, and keeps its range as it came', () => {
    const checked = check('{"a":1}\n{"b":\r2,}  \n{"c":3}\n', 'lines');
    assert.deepEqual(events(checked), ['{"a":1}', '{"b":\r2,}', '{"c":3}']);
    assert.deepEqual(codes(checked), [[], ['EVENT_NOT_JSON'], []]);
  });

  test('an event does not go on in the next line', () => {
    const checked = check('{"a":\n1}\n[\n{"b":2}\n', 'lines');
    assert.deepEqual(codes(checked), [['EVENT_NOT_JSON'], ['EVENT_NOT_JSON'], ['EVENT_NOT_JSON'], []]);
  });

  test('two events in one line are one bad line', () => {
    assert.deepEqual(codes(check('{"a":1}{"b":2}\n{"a":1} {"b":2}', 'lines')), [['EVENT_NOT_JSON'], ['EVENT_NOT_JSON']]);
  });

  test('a carriage return between tokens becomes a space, and nothing else changes', () => {
    assert.deepEqual(events(check('{\r"a":\r"\\r x"\r}\r\n', 'lines')), ['{ "a": "\\r x" }']);
  });

  test('a line that is not UTF-8 is a fault of that line', () => {
    const body = Buffer.concat([Buffer.from('{"a":1}\n{"b":"'), Buffer.from([0xff]), Buffer.from('"}\n{"é":3}\n{"d":1,"d":2}\n')]);
    const checked = check(body, 'lines');
    assert.deepEqual(codes(checked), [[], ['EVENT_NOT_UTF8'], [], ['EVENT_DUPLICATE_KEY']]);
    assert.equal(checked.faults.get(1)?.[0]?.message, 'is not UTF-8 at byte 6');
  });
});

describe('an array', () => {
  test('each item is an event; line breaks inside become spaces', () => {
    const checked = check(' [ {"a":\r\n1} ,\n{"b":"\\n"},{}\n] \n', 'array');
    assert.deepEqual(events(checked), ['{"a":  1}', '{"b":"\\n"}', '{}']);
    assert.deepEqual(events(check('[{"a":\r1}]', 'array')), ['{"a": 1}']);
  });

  test('an empty array is a submission of no events', () => {
    for (const body of ['[]', ' [ \n ] ']) assert.deepEqual([check(body, 'array').count, check(body, 'array').unreadable], [0, undefined]);
  });

  const unreadable: readonly (readonly [body: string, at: number])[] = [
    ['', 0],
    ['{"a":1}', 0],
    ['[', 1],
    ['[{"a":1}', 8],
    ['[{"a":1},', 9],
    ['[{"a":1},]', 9],
    ['[,]', 1],
    ['[{"a":1} {"b":2}]', 9],
    ['[{"a":1}]x', 9],
    ['[{"a":1}][]', 9],
    ['[{"a":01}]', 7],
    ['[{"a":1,"a":2,}]', 14],
    ['[nul]', 4],
    ['[{"a":"\n"}]', 7],
    [`[{"a":"${'x'.repeat(70_000)}"]`, 70_008],
    ['['.repeat(100), 100],
  ];
  for (const [body, at] of unreadable) {
    test(`${body.slice(0, 30)} cannot be read at ${at}`, () => assert.equal(check(body, 'array').unreadable?.at, at));
  }

  test('what is JSON but no event is a fault of that item', () => {
    const deep = `${'[{"a":'.repeat(40)}1${'}]'.repeat(40)}`;
    const large = `{"a":"${'x'.repeat(EVENT_BYTES_MAX)}"}`;
    const checked = check(`[1 , "a,]", null, [ ], {"a":1}, {"a":1,"a":2} ,{"a":${deep}}, ${large}, {"b":1}]`, 'array');
    assert.deepEqual(codes(checked), [
      ['EVENT_NOT_OBJECT'],
      ['EVENT_NOT_OBJECT'],
      ['EVENT_NOT_OBJECT'],
      ['EVENT_NOT_OBJECT'],
      [],
      ['EVENT_DUPLICATE_KEY'],
      ['EVENT_TOO_DEEP'],
      ['EVENT_TOO_LARGE'],
      [],
    ]);
    assert.deepEqual(events(checked).slice(0, 6), ['1', '"a,]"', 'null', '[ ]', '{"a":1}', '{"a":1,"a":2}']);
    assert.equal(events(checked)[8], '{"b":1}');
  });
});

describe('an object', () => {
  test('the body is the event', () => {
    assert.deepEqual(events(check(' {"a":\n1}\r\n', 'object')), ['{"a": 1}']);
  });

  test('a body that is not one JSON value cannot be read', () => {
    for (const [body, at] of [
      ['', 0],
      [' \n', 1],
      ['{"a":1', 6],
      ['{"a":1} x', 8],
      ['{"a":1}{"b":2}', 7],
      ['x', 0],
      ['{"a":1}]', 7],
    ] as const) {
      assert.equal(check(body, 'object').unreadable?.at, at, body);
    }
  });

  test('another JSON value is one faulty event', () => {
    for (const body of ['1', '[{"a":1}]', '"x"', 'null\n']) assert.deepEqual(codes(check(body, 'object')), [['EVENT_NOT_OBJECT']], body);
  });

  test('a body that is not UTF-8 cannot be read', () => {
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    for (const shape of ['object', 'array'] as const)
      assert.deepEqual(check(Buffer.from(body), shape).unreadable, { at: 2, message: 'the body is not UTF-8' });
  });
});

const sized = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`;

describe('sizes', () => {
  test(`${EVENT_BYTES_MAX} bytes are taken in every shape, and one more is not`, () => {
    for (const [shape, wrap] of [
      ['lines', (e: string) => `\n  ${e}   \n`],
      ['array', (e: string) => `[ ${e} ]`],
      ['object', (e: string) => ` ${e} `],
    ] as const) {
      assert.deepEqual(codes(check(wrap(sized(EVENT_BYTES_MAX)), shape)), [[]], shape);
      assert.deepEqual(codes(check(wrap(sized(EVENT_BYTES_MAX + 1)), shape)), [['EVENT_TOO_LARGE']], shape);
    }
  });

  test('white space after an event does not count', () => {
    const checked = check(`${sized(EVENT_BYTES_MAX)}${' '.repeat(100_000)}\n{"b":1}\n`, 'lines');
    assert.deepEqual(codes(checked), [[], []]);
  });

  test('reading stops at the first event above countMax', () => {
    assert.equal(check('{}\n'.repeat(1_000), 'lines', json, 10).count, 11);
    assert.equal(check(`[${'{},'.repeat(1_000)}{}]`, 'array', json, 10).count, 11);
    assert.equal(check('{}\n'.repeat(10), 'lines', json, 10).count, 10);
    assert.equal(check('[{},{}]', 'array', json, 2).unreadable, undefined);
  });

  test('columns grow with many small events', () => {
    const checked = check('{"id":1}\n'.repeat(5_000), 'lines', byId);
    assert.equal(checked.count, 5_000);
    assert.deepEqual(new Set(events(checked)), new Set(['{"id":1}']));
    assert.deepEqual(new Set(ids(checked)), new Set(['1']));
  });
});

describe('identities by id_field', () => {
  const values: readonly (readonly [json: string, id: string | null])[] = [
    ['"abc"', 'abc'],
    ['"é😀"', 'é😀'],
    ['"a\\"b\\\\c"', 'a\\"b\\\\c'],
    ['"\\u0061\\/b"', 'a/b'],
    ['"\\u000a\\u001f"', '\\n\\u001f'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"\\uD800"', '\\ud800'],
    ['17', '17'],
    ['-1.50e3', '-1.50e3'],
    ['12345678901234567890', '12345678901234567890'],
    ['"17"', '17'],
    [`"${'x'.repeat(IDENTITY_BYTES_MAX)}"`, 'x'.repeat(IDENTITY_BYTES_MAX)],
    [`"${'\\u0061'.repeat(IDENTITY_BYTES_MAX)}"`, 'a'.repeat(IDENTITY_BYTES_MAX)],
  ];
  for (const [value, id] of values) {
    test(`${value.slice(0, 40)} is ${id?.slice(0, 40)}`, () => {
      const event = `{"x":{"id":true},"id":${value}}`;
      const checked = check(`{"id":"first"}\n${event}\n{"b":1}\n`, 'lines', byId);
      assert.deepEqual(ids(checked), ['first', id, null]);
      // What was put behind the body must not have moved an event.
      assert.deepEqual(events(checked), ['{"id":"first"}', event, '{"b":1}']);
    });
  }

  for (const value of [
    'null',
    'true',
    '{}',
    '[]',
    '""',
    `"${'x'.repeat(IDENTITY_BYTES_MAX + 1)}"`,
    `"${'\\u0001'.repeat(86)}"`,
    `"${'é'.repeat(257)}"`,
    '1'.repeat(513),
  ]) {
    test(`${value.slice(0, 30)} is no identity, and the event can be kept without one`, () => {
      const checked = check(`{"id":${value}}`, 'lines', byId);
      assert.deepEqual(codes(checked), [['IDENTITY_INVALID']]);
      assert.deepEqual(ids(checked), [null]);
    });
  }

  test('a source without id_field has no identities', () => {
    assert.deepEqual(ids(check('{"id":"x"}', 'object', json)), [null]);
  });

  test('a name written with escapes is the same name', () => {
    assert.deepEqual(ids(check('{"\\u0069d":"x"}', 'object', byId)), ['x']);
    assert.deepEqual(codes(check('{"\\u0069d":"x","id":"y"}', 'object', byId)), [['EVENT_DUPLICATE_KEY']]);
  });
});

test('an event cannot pretend to be kept outside the ledger', () => {
  for (const rules of [json, byId, waybill]) {
    for (const name of ['$blob', '\\u0024blob']) {
      const event = JSON.stringify({ ...good, X: { sha256: '', bytes: 1 } }).replace('X', () => name);
      assert.deepEqual(codes(check(event, 'object', rules)), [['EVENT_RESERVED']]);
    }
    assert.deepEqual(codes(check(JSON.stringify({ ...good, data: { $blob: 1 } }), 'object', rules)), [[]]);
  }
});

describe('waybill/1', () => {
  test('identity and producer of each event', () => {
    const withProducer = { ...good, id: 'e"2', producer: { id: 'p\u00e9', epoch: 0, seq: 9_007_199_254_740_991, host: 'x' } };
    const { id: _, ...without } = good;
    const checked = check([good, withProducer, without].map((event) => JSON.stringify(event)).join('\n'), 'lines', waybill);
    assert.deepEqual(codes(checked), [[], [], []]);
    assert.deepEqual(ids(checked), ['e1', 'e\\"2', null]);
    assert.deepEqual([...checked.producers], [[1, { id: 'pé', epoch: 0, seq: 9_007_199_254_740_991 }]]);
  });

  test('numbers of a producer may be written in any way that JSON has', () => {
    const event = JSON.stringify({ ...good, producer: { id: 'p', epoch: 5, seq: 7 } })
      .replace('5', '-0')
      .replace('7}', '1.2e1}');
    assert.deepEqual(check(event, 'object', waybill).producers.get(0), { id: 'p', epoch: 0, seq: 12 });
  });

  test('names of a producer may be written with escapes, whatever names others have sent before', () => {
    // In some engines a property name of backslashes misleads `JSON.parse` about the names of later texts.
    const seen = [String.raw`{"id":"p","epoch":1,"\\u0":3}`, String.raw`{"id":"p","epoch":1,"\\u007":3}`].map(
      (text) => JSON.parse(text) as unknown,
    );
    const event = JSON.stringify({ ...good, producer: { id: 'p', epoch: 1, seq: 3 } }).replace('"seq"', String.raw`"\u0073eq"`);
    assert.deepEqual(check(event, 'object', waybill).producers.get(0), { id: 'p', epoch: 1, seq: 3 });
    assert.equal(seen.length, 2);
  });

  test('a faulty event that can be kept still has its identity and stands on one line', () => {
    const checked = check(`[{"id":"k1",\n"outcome":"maybe"}]`, 'array', waybill);
    assert.deepEqual(ids(checked), ['k1']);
    assert.deepEqual(events(checked), ['{"id":"k1", "outcome":"maybe"}']);
    assert.equal(checked.producers.size, 0);
    assert.deepEqual(ids(check('{"id":7}', 'object', waybill)), [null]);
  });

  test('the id_field of the source means nothing here', () => {
    assert.deepEqual(ids(check(JSON.stringify({ ...good, n: 'x' }), 'object', { schema: 'waybill/1', idField: 'n' })), ['e1']);
  });
});
