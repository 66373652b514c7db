import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FINDINGS, Findings } from './findings.ts';

test('every finding stands on the page about operating as it is in the table', () => {
  const page = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8');
  const [section = ''] = /^## Verifying$[\s\S]*?(?=^## )/m.exec(page) ?? [];
  const rows = [...section.matchAll(/^\| `([A-Z_]+)` \| (.*) \| (.*) \|$/gm)].map(([, code, means, action]) => ({ code, means, action }));
  assert.deepEqual(
    rows,
    Object.entries(FINDINGS).map(([code, { means, action }]) => ({ code, means, action })),
  );
});

test('of many findings alike some are kept, all are counted, and the lowest is never lost', () => {
  const findings = new Findings();
  for (let index = 5_000; index > 0; index -= 1) findings.add('SEQUENCE_BROKEN', `entry ${index}`, { index, file: 'a' });
  for (let index = 1; index < 100; index += 1) findings.add('TIME_BACKWARDS', `entry ${index}`, { index, file: 'b' });
  findings.add('HEAD_MISSING', 'none');
  assert.deepEqual(findings.counts(), { SEQUENCE_BROKEN: 5_000, TIME_BACKWARDS: 99, HEAD_MISSING: 1 });
  assert.equal(findings.lowest()?.index, 1);
  const list = findings.list();
  assert.ok(list.length < 60, `${list.length} were kept`);
  assert.equal(list.at(-1)?.code, 'HEAD_MISSING');
  assert.equal(findings.none, false);
});
