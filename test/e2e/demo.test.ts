import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { MAIN } from '../crash/process.ts';

interface Verdict {
  readonly agree: boolean;
  readonly findings: readonly { readonly what: string; readonly found: string; readonly good: boolean }[];
}

test('the demo survives its own kill -9, and everything agrees', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'demo', '--headless', '--for', '4s', '--json'], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  assert.equal(status, 0, stderr);
  assert.match(stderr, /kill -9 in mid-load/);
  assert.match(stderr, /started again/);
  const { agree, findings } = JSON.parse(stdout) as Verdict;
  assert.ok(agree);
  assert.ok(findings.length >= 6);
  for (const { what, found, good } of findings) assert.ok(good, `${what}: ${found}`);
});
