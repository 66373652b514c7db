import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { findPaths, matchesName, matchesPath, patternFault } from './file-glob.ts';
import { linesOf, longLine } from './file-lines.ts';
import { type FilePlace, originOf, placeOf, positionOf, printOf } from './file-place.ts';

describe('patterns', () => {
  test('fit what they say and nothing else', () => {
    for (const [pattern, name, fits] of [
      ['*.log', 'a.log', true],
      ['*.log', '.log', false],
      ['.*', '.log', true],
      ['a*b*c', 'a-b-b-c', true],
      ['a*b*c', 'a-b-b-c-', false],
      ['a?c', 'abc', true],
      ['a?c', 'ac', false],
      ['**', 'x', true],
      ['', '', true],
      ['*', '', true],
      ['a.c', 'abc', false],
    ] as const)
      assert.equal(matchesName(pattern, name), fits, `${pattern} ${name}`);
    assert.ok(matchesPath('/var/*/a-?.log', '/var/x/a-1.log'));
    assert.ok(!matchesPath('/var/*/a-?.log', '/var/x/y/a-1.log'));
    assert.ok(!matchesPath('/var/[a].log', '/var/a.log'));
  });

  test('agree with a regular expression', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
    fc.assert(
      fc.property(part, name, (pattern, text) => {
        const expected = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text);
        assert.equal(matchesName(pattern, text), expected);
      }),
    );
  });

  test('that nobody could mean are refused', () => {
    for (const pattern of ['/a/**/b', '/a/[b]', '/a/{b,c}', '/a\\b', '/a/']) assert.notEqual(patternFault(pattern), null, pattern);
    assert.equal(patternFault('/var/log/*/app.log*'), null);
  });

  test('a directory that cannot be listed hides only its own files', async () => {
    const files = {
      list: async (directory: string) => {
        if (directory === '/no') throw new Error('denied');
        return { '/': ['no', 'yes'], '/yes': ['a.log', 'b.txt'] }[directory] ?? null;
      },
    };
    const denied: string[] = [];
    const found = await findPaths(files, ['/*/*.log', '/yes/named'], (directory) => void denied.push(directory));
    assert.deepEqual([found, denied], [['/yes/a.log', '/yes/named'], ['/no']]);
  });
});

describe('places', () => {
  const place: FilePlace = {
    offset: 5_000,
    tailAt: 4_000,
    device: '65024',
    inode: '18446744073709551615',
    origin: originOf('/var/log/ä b.log'),
    headBytes: 1_024,
    head: printOf(Buffer.from('head')),
    tail: printOf(Buffer.from('tail')),
    ended: true,
  };

  test('are read as they were written, and are short', () => {
    assert.deepEqual(placeOf(positionOf(place), 'p'), place);
    for (const path of [`/${'x'.repeat(4_000)}`, `/${'ä'.repeat(300)}`, '/\ud800']) {
      const long = { ...place, origin: originOf(path) };
      assert.deepEqual(placeOf(positionOf(long), 'p'), long);
      assert.ok(Buffer.byteLength(positionOf(long)) <= 1_024);
    }
    assert.notEqual(originOf(`/${'x'.repeat(4_000)}`), originOf(`/${'x'.repeat(4_001)}`));
  });

  test('anything else is refused, and nothing else is thrown', () => {
    const text = positionOf(place);
    for (const wrong of [
      '',
      'started',
      text.replace('1 ', '2 '),
      text.replace('4000', '5001'),
      text.replace(' 1024 ', ' 1025 '),
      `${text}\n`,
    ])
      assert.throws(() => placeOf(wrong, 'p'), { code: 'SOURCE_BROKEN' });
    fc.assert(
      fc.property(fc.string(), (random) => {
        assert.throws(() => placeOf(random, 'p'), { code: 'SOURCE_BROKEN' });
      }),
    );
  });
});

describe('lines', () => {
  test('cut anywhere give the same events', () => {
    const line = fc.string({ unit: fc.constantFrom('a', '"', '{', '\r', ' ', 'é'), maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.nat(),
        fc.constantFrom('ndjson' as const, 'lines' as const),
        (lines, cut, format) => {
          const content = Buffer.from(lines.map((text) => `${text}\n`).join(''));
          const textOf = (events: ReturnType<typeof linesOf>['events']) =>
            events.map(({ bytes, start, end, position }) => `${position} ${Buffer.from(bytes.subarray(start, end)).toString()}`);
          const whole = linesOf(format, content, 0, false, 100);
          assert.equal(whole.end, content.length);
          const first = linesOf(format, content.subarray(0, cut % (content.length + 1)), 0, false, 100);
          const rest = linesOf(format, content.subarray(first.end), first.end, false, 100);
          assert.deepEqual([...textOf(first.events), ...textOf(rest.events)], textOf(whole.events));
        },
      ),
    );
  });

  test('are handed out in portions', () => {
    const content = Buffer.from('1\n2\n3\n');
    const first = linesOf('ndjson', content, 10, false, 2);
    assert.deepEqual([first.events.length, first.end], [2, 14]);
  });

  test('a long one keeps its beginning', () => {
    const { bytes, fault } = longLine(Buffer.alloc(300_000, 'x'), 5_000_000, 5_000_001);
    assert.deepEqual([bytes.length, fault?.code], [65_536, 'EVENT_TOO_LARGE']);
    assert.match(fault?.message ?? '', /has 5000000 bytes/);
  });
});
