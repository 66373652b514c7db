import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readStatus } from './status-view.ts';
import { watchLines } from './watch-view.ts';

const NOW = Date.UTC(2026, 10, 24, 12);
const RUNNING = { state: 'running', cursor: 1_234_567, lag: 0, error: null, head: null, next_retry_at: null, side: null };

const status = (at: number) =>
  readStatus({
    ledger: {
      origin: 'acme.example/audit',
      durable: 1_234_567 + at * 1_200,
      bytes: { used: 1_288_490_189 },
      days_left: 41.7,
      damage: null,
    },
    sources: {
      app: { entries: 1_234_000 + at * 1_200, accepted: 5, duplicates: 3, rejected: 0, conflicts: 0 },
      logins: { entries: 567, accepted: 1, duplicates: 0, rejected: 12, conflicts: 0 },
    },
    destinations: {
      archive: { ...RUNNING, cursor: 1_234_567 + at * 1_200 },
      lake: {
        ...RUNNING,
        state: 'waiting',
        cursor: 1_200_100,
        lag: 34_467 + at * 1_200,
        head: { from: 1_200_100, through: 1_200_199, count: 100, in_flight: false, in_doubt: true, attempts: 4 },
        next_retry_at: NOW + 2_940,
        error: {
          code: 'SINK_UNREACHABLE',
          message: 'cannot reach https://lake.acme.example/in: connect ECONNREFUSED 10.1.2.3:443',
          action: 'Check the address and that the destination runs. Delivery goes on by itself.',
        },
      },
      hook: {
        ...RUNNING,
        state: 'halted',
        cursor: 7,
        lag: 1_234_560,
        error: {
          code: 'SINK_UNAUTHORIZED',
          message: 'answered 401 \u001b[31mno\u0007',
          action: 'Correct the credentials, then `waybill retry hook`.',
        },
      },
      store: { ...RUNNING, side: { kind: 'replay', name: 'replay-3', from: 1_000, through: 1_999, cursor: 1_250 } },
    },
  });

const frame = (columns: number, colour = false) => ({
  status: status(1),
  before: { status: status(0), ms: 1_000 },
  now: NOW,
  columns,
  colour,
});

describe('the picture of status --watch', () => {
  for (const columns of [40, 80, 200]) {
    test(`is as it is kept, at ${columns} columns, and no wider`, () => {
      const lines = watchLines(frame(columns));
      const kept = readFileSync(join(import.meta.dirname, `../../test/golden/watch-${columns}.txt`), 'utf8');
      assert.equal(`${lines.join('\n')}\n`, kept);
      for (const line of lines) assert.ok(line.length <= columns, `${line.length} columns: ${line}`);
    });
  }

  test('is never wider than any terminal from 40 to 200 columns', () => {
    for (let columns = 40; columns <= 200; columns++)
      for (const line of watchLines(frame(columns))) assert.ok(line.length <= columns, `${columns}: ${line}`);
  });

  test('colours the words of states and nothing else; without colours no escape is there, whatever a destination says', () => {
    const escape = '\u001b';
    assert.ok(!watchLines(frame(120)).join('').includes(escape));
    const coloured = watchLines(frame(120, true));
    const painted = coloured.join('\n').split(escape).slice(1);
    assert.deepEqual(
      painted.map((part) => /^\[(\d+)m(\w*)/.exec(part)?.slice(1)),
      [
        ['32', 'running'],
        ['0', ''],
        ['33', 'waiting'],
        ['0', ''],
        ['31', 'halted'],
        ['0', ''],
        ['32', 'running'],
        ['0', ''],
      ],
    );
    const plain = coloured.map((line) => line.replaceAll(new RegExp(`${escape}\\[\\d+m`, 'g'), ''));
    assert.deepEqual(plain, watchLines(frame(120)));
  });

  test('has no rates before there are two pictures, and says so where there is nothing', () => {
    const empty = readStatus({ ledger: { origin: 'acme.example/audit', durable: 0 }, sources: {}, destinations: {} });
    assert.deepEqual(watchLines({ status: empty, before: null, now: NOW, columns: 80, colour: true }), [
      'LEDGER acme.example/audit',
      '  0 entries',
      '',
      'SOURCES',
      '  none',
      '',
      'DESTINATIONS',
      '  none',
    ]);
    assert.doesNotMatch(watchLines({ ...frame(200), before: null }).join('\n'), /\/s/);
  });
});
