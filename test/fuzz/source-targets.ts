import assert from 'node:assert/strict';
import { matchesGlob } from 'node:path';
import { type Call, parseQuery } from '../../src/api/call.ts';
import { stream } from '../../src/api/stream.ts';
import { asIndex, asSize } from '../../src/contracts/units.ts';
import { matchesPath, patternFault } from '../../src/sources/file-glob.ts';
import { linesOf } from '../../src/sources/file-lines.ts';
import { placeOf, positionOf } from '../../src/sources/file-place.ts';
import { ManualClock } from '../doubles/manual-ports.ts';
import { type FuzzTarget, refusedWith } from './target.ts';
import { mangled } from './text.ts';

const patterns: FuzzTarget = {
  name: 'patterns of files',
  cost: 6,
  one(dice) {
    const pattern = mangled(dice, ['/var/log/app-*.log', '/var/*/a?c.log', '/a/b', '/var/log/*', '/var/log/*a*b*']);
    const path = mangled(dice, ['/var/log/app-1.log', '/var/x/abc.log', '/a/b', '/var/log/.hidden', '/var/log/aabab']);
    if (patternFault(pattern) !== null) return false;
    const matches = matchesPath(pattern, path);
    // The glob of Node has brackets, groups and escapes; where none of it stands both say the same.
    const plain = (text: string) => /^\/[a-z0-9_.*?/-]*$/i.test(text) && !text.includes('//') && !/\/\.\.?(?:\/|$)|\/$/.test(text);
    if (plain(pattern) && plain(path) && !path.includes('*') && !path.includes('?'))
      assert.equal(matches, matchesGlob(path, pattern), `${pattern} ${path}`);
    return matches;
  },
};

const PRINT = 'abcdefghijklmnop';
const POSITION = `1 2048 2000 64769 131075 0 1024 ${PRINT} ${PRINT} /var/log/app.log`;

const positions: FuzzTarget = {
  name: 'positions of files',
  cost: 2,
  one(dice) {
    const text = mangled(dice, [POSITION, POSITION.replace(' 0 1024', ' 1 0'), `1 0 0 1 2 0 0 ${PRINT} ${PRINT} ~x`]);
    const place = refusedWith(['SOURCE_BROKEN'], () => placeOf(text, 'p'));
    if (place === null) return false;
    assert.equal(positionOf(place), text);
    assert.ok(place.tailAt <= place.offset && place.headBytes <= place.offset);
    return true;
  },
};

const lines: FuzzTarget = {
  name: 'lines of files',
  cost: 4,
  one(dice) {
    const text = mangled(dice, ['{"a":1}\n{"b":2}\n', 'one\r\ntwo\n\n three', '\n\n\n', '{"a":1}', '']);
    const bytes = Buffer.from(text);
    const format = dice.pick(['ndjson', 'lines'] as const);
    const final = dice.once(2);
    const at = dice.pick([0, 100]);
    const { events, end } = linesOf(format, bytes, at, final, dice.pick([1, 2, 1_000]));
    const consumed = end - at;
    assert.ok(consumed >= 0 && consumed <= bytes.length);
    assert.ok(consumed === 0 || final || bytes[consumed - 1] === 0x0a, 'only whole lines are taken before the end');
    // Each position lies behind the one before, and the last one is where the content goes on or before that.
    const places = events.map(({ position }) => Number(position));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.ok((places.at(-1) ?? at) <= end);
    return events.length > 0;
  },
};

const ledger = {
  read: () => Promise.reject(new Error('nothing is read here')),
  size: () => asSize(500),
  beginning: () => asIndex(100),
  waitBeyond: () => Promise.reject(new Error('nothing is waited for here')),
};
const NEVER = new AbortController().signal;

const resumes: FuzzTarget = {
  name: 'Last-Event-ID and from of a stream',
  cost: 3,
  one(dice) {
    const id = dice.once(2) ? mangled(dice, ['120', '499', '500', '99', '007']) : undefined;
    const search = mangled(dice, ['from=120', 'from=now', 'from=beginning&source=app', 'source=waybill', 'from=501', '']);
    const answer = refusedWith(['REQUEST_INVALID', 'LEDGER_PRUNED', 'LEDGER_REWOUND'], () => {
      const call: Call = {
        caller: { name: 'v', role: 'viewer', sources: null },
        params: [],
        query: parseQuery(search),
        header: (name) => (name === 'last-event-id' ? id : undefined),
        body: () => Promise.reject(new Error('nothing is sent here')),
        hold: () => {},
        signal: NEVER,
        whenGone: () => new AbortController().signal,
      };
      return stream(call, { ledger, clock: new ManualClock(), limits: { streams: 1 }, streams: { open: 0 } });
    });
    if (answer === null) return false;
    if (id !== undefined) assert.ok(/^\d+$/.test(id) && Number(id) + 1 >= 100 && Number(id) < 500, id);
    return true;
  },
};

/** What is read of files of others, and how readers say where they were. */
export const SOURCE_TARGETS: readonly FuzzTarget[] = [patterns, positions, lines, resumes];
