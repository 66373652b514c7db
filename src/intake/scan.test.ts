import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anything, DEPTH_MAX, jsonEventRule } from './check-rules.ts';
import { noted, scan } from './scan.ts';
import { NOTE_IDENTITY, planOf } from './scan-plan.ts';
import { withStopper } from './split.ts';

const plan = planOf(anything);

/** The place of the first problem, or -1 when the text is one value and nothing else. */
function problemAt(text: string, of = plan): number {
  const bytes = withStopper(Buffer.from(text));
  const after = scan(bytes, 0, bytes.length - 1, of);
  if (after < 0) return ~after;
  return after === bytes.length - 1 ? -1 : after;
}

describe('JSON that is taken', () => {
  const texts = [
    ['numbers', '[0,-0,1,-1,10,1.5,-0.25,1e5,1E5,1e+5,1e-5,1.5e300,123456789012345678901234567890,1e400,0e1,0.0]'],
    ['literals', '[true,false,null]'],
    ['escapes', String.raw`["\"","\\","\/","\b\f\n\r\t","\u0000","\u00e9","\uD83D\uDE00"]`],
    ['unpaired surrogates', String.raw`["\ud800","\udfff","\udfff\ud800"]`],
    ['characters of every length', '["\u007f\u0080é語😀\u2028\uffff"]'],
    ['white space everywhere', '[ \t\r\n1 , {\n"a"\t:\r1 , "b" : [ ] } ]'],
    ['empty things', '[{},[],"",{"":""}]'],
    ['the same name in different objects', '[{"a":{"a":[{"a":1}]},"b":{"a":1}},{"a":1}]'],
    ['names that look alike', '{"abcd":1,"aXcd":2,"abcX":3,"Xbcd":4,"a":5,"A":6,"":7}'],
    ['a string alone', '"x"'],
  ] as const;
  for (const [name, text] of texts) {
    test(name, () => {
      assert.doesNotThrow(() => JSON.parse(text));
      assert.equal(problemAt(text), -1);
    });
  }
});

describe('JSON that is refused, and where', () => {
  const texts: readonly (readonly [text: string, at: number])[] = [
    ['', 0],
    ['[', 1],
    ['[1', 2],
    ['[1,', 3],
    ['[1,]', 3],
    ['[,1]', 1],
    ['[1 2]', 3],
    ['[1]]', 3],
    ['{', 1],
    ['{"a"', 4],
    ['{"a":', 5],
    ['{"a":1', 6],
    ['{"a":1,}', 7],
    ['{a:1}', 1],
    ["{'a':1}", 1],
    ['{"a" 1}', 5],
    ['{"a":1 "b":2}', 7],
    ['{1:1}', 1],
    ['01', 1],
    ['-', 1],
    ['-01', 2],
    ['+1', 0],
    ['.5', 0],
    ['1.', 2],
    ['1.e1', 2],
    ['1e', 2],
    ['1e+', 3],
    ['0x10', 1],
    ['1_000', 1],
    ['NaN', 0],
    ['Infinity', 0],
    ['-Infinity', 1],
    ['tru', 3],
    ['trux', 3],
    ['True', 0],
    ['nulll', 4],
    ['undefined', 0],
    ['"a', 2],
    ['"\\', 2],
    ['"\\x"', 2],
    ['"\\u12"', 5],
    ['"\\u12G4"', 5],
    ['"\\U0041"', 2],
    ['"a\tb"', 2],
    ['"a\nb"', 2],
    ['"\u0000"', 1],
    ['\ufeff{}', 0],
    ['\u00a0{}', 0],
    ['\v{}', 0],
    ['{}\f', 2],
    ['/**/{}', 0],
    ['{}//', 2],
  ];
  for (const [text, at] of texts) {
    test(JSON.stringify(text), () => {
      assert.throws(() => JSON.parse(text) as unknown);
      assert.equal(problemAt(text), at);
    });
  }
});

const many = (count: number, extra: string): string => `{${Array.from({ length: count }, (_, k) => `"name${k}":${k}`).join(',')}${extra}}`;

describe('names that come twice', () => {
  const repeated = [
    ['side by side', '{"a":1,"a":2}'],
    ['with others between', '{"a":1,"b":2,"c":{"a":1},"a":2}'],
    ['the empty name', '{"":1,"":2}'],
    ['written with an escape', String.raw`{"a":1,"\u0061":2}`],
    ['written with an escape first', String.raw`{"\u0061":1,"b":1,"a":2}`],
    ['both written with escapes', String.raw`{"\u0061b":1,"a\u0062":2}`],
    ['a surrogate pair as escapes', String.raw`{"😀":1,"\ud83d\ude00":2}`],
    ['deep inside', '[[{"x":[{"a":1,"a":2}]}]]'],
    ['after an inner object of many names', `{"a":${many(40, '')},"a":2}`],
    ['among many, the first', many(100, ',"name0":1')],
    ['among many, the last', many(100, ',"name99":1')],
    ['among many, with an escape', many(33, String.raw`,"\u006eame5":1`)],
    ['at the border of few and many', many(32, ',"name31":1')],
    ['numbers as names', `{${Array.from({ length: 50 }, (_, k) => `"${k}":1`).join(',')},"7":1}`],
  ] as const;
  for (const [name, text] of repeated) {
    test(`${name}: refused`, () => {
      assert.doesNotThrow(() => JSON.parse(text));
      assert.notEqual(problemAt(text), -1);
    });
  }

  test('many names that differ are taken', () => {
    for (const count of [31, 32, 33, 64, 5_000]) assert.equal(problemAt(many(count, '')), -1);
  });

  test('names whose lengths differ by 256 and that begin alike are taken', () => {
    assert.equal(problemAt(`{"${'a'.repeat(44)}":1,"${'a'.repeat(300)}":2}`), -1);
    assert.equal(problemAt(`{"${'a'.repeat(300)}":1,"${'a'.repeat(44)}":2}`), -1);
  });

  test('unpaired surrogates differ from each other and from the replacement character', () => {
    assert.equal(problemAt(String.raw`{"\ud800":1,"\ud801":2,"\ufffd":3}`), -1);
    assert.notEqual(problemAt(String.raw`{"\ud800":1,"\uD800":2}`), -1);
  });

  test('nothing of one event is remembered in the next', () => {
    const text = many(40, String.raw`,"\u0061":1`);
    assert.equal(problemAt(text), -1);
    assert.equal(problemAt(text), -1);
  });
});

test(`${DEPTH_MAX} levels are taken and one more is not`, () => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    const nested = (levels: number): string => `${open.repeat(levels)}1${close.repeat(levels)}`;
    assert.equal(problemAt(nested(DEPTH_MAX)), -1);
    assert.notEqual(problemAt(nested(DEPTH_MAX + 1)), -1);
    assert.notEqual(problemAt(nested(60_000)), -1);
  }
});

test('a value that is open at the end of its range is refused although the bytes go on', () => {
  const bytes = withStopper(Buffer.from('{"a":1,"b":2}'));
  assert.ok(scan(bytes, 0, 6, plan) < 0);
  assert.equal(scan(bytes, 0, 13, plan), 13);
});

test('the identity is noted with its quotes, also behind other fields, and only at the top', () => {
  const idPlan = planOf(jsonEventRule('id'));
  const text = '{"x":{"id":"inner"},"id":"outer"}';
  assert.equal(problemAt(text, idPlan), -1);
  assert.equal(text.slice(noted[NOTE_IDENTITY * 2], noted[NOTE_IDENTITY * 2 + 1]), '"outer"');
  assert.equal(problemAt('{"x":{"id":"inner"}}', idPlan), -1);
  assert.equal(noted[NOTE_IDENTITY * 2 + 1], 0);
});

test('a field of any name can be the identity', () => {
  for (const name of ['__proto__', 'constructor', 'ü', 'a b', '', '"', '\\']) {
    const text = JSON.stringify({ a: 1 }).replace('"a"', JSON.stringify(name));
    assert.equal(problemAt(text, planOf(jsonEventRule(name))), -1, name);
    assert.equal(Buffer.from(text).toString('utf8', noted[NOTE_IDENTITY * 2], noted[NOTE_IDENTITY * 2 + 1]), '1', name);
  }
});
