import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { StepDisk } from '../../../test/crash/step-disk.ts';
import { createChance } from '../../../test/sim/chance.ts';
import { Fingerprint } from './fingerprint.ts';
import { FLUSH_JOB, identityJobs } from './jobs.ts';
import { Memtable } from './memtable.ts';

/** The expected values were computed from docs/formats/identities-v1.md by another program in another language. */
describe('version 1 of the format', () => {
  const seed = Uint8Array.from({ length: 16 }, (_, at) => at);
  const encoder = new TextEncoder();

  test('has these fingerprints', () => {
    const fingerprint = new Fingerprint(seed);
    for (const [id, high, low] of [
      ['', 0x1b2dcea9, 0x15042b7f],
      ['a', 0x25341b03, 0xd06d99dc],
      ['evt_1', 0x56d6330a, 0xfe70b7bc],
      ['evt_12', 0x8a5e99e7, 0xc2d54011],
      ['0190f5fe-7c1e-7000-8000-000000000001', 0x2e3ad05f, 0xa8780609],
      ['café', 0x2a493009, 0x0d6510b8],
    ] as const) {
      const bytes = encoder.encode(id);
      fingerprint.of('app', bytes, 0, bytes.length);
      assert.deepEqual([fingerprint.high >>> 0, fingerprint.low >>> 0], [high, low], id);
    }
  });

  test('has this run', async () => {
    const fingerprint = new Fingerprint(seed);
    const places = Array.from({ length: 300 }, (_, n) => [n, n % 2 === 0 ? n : 5_000_000_000 + n] as const);
    const table = new Memtable(300);
    for (const [n, index] of places.toSorted((a, b) => a[1] - b[1])) {
      const bytes = encoder.encode(`evt_${n}`);
      fingerprint.of('app', bytes, 0, bytes.length);
      table.add(fingerprint.high, fingerprint.low, index);
    }
    const disk = new StepDisk(createChance(1)).start();
    const input = { path: 'run', words: table.words, count: table.count, filter: { blocks: 9, probes: 2 } };
    await identityJobs(disk)[FLUSH_JOB]?.(input);
    const file = await disk.open('run', 'read');
    const bytes = await file.read(0, await file.length());
    assert.equal(bytes.length, 8_896);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), '8a46d6c3062a8d27aa9c89dc5a06c714f70a3ce826d2f60d48b2df438a5338ad');
  });
});
