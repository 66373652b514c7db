import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { until } from '../../test/crash/process.ts';
import { createSealedLedger, type SealedLedger, testKey } from '../../test/doubles/sealed-ledger.ts';
import type { Clock } from '../contracts/ports.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { JOBS } from '../pipeline/pipeline.ts';
import { openPorts } from '../runtime/ports.ts';
import { openTree } from '../tree/follower.ts';
import { VERIFY_JOBS } from './job-module.ts';
import { openLedgerCopy } from './ledger-copy.ts';
import type { Verification } from './verification.ts';
import { verifyCopy } from './verify-copy.ts';

const ports = await openPorts({ logLevel: 'error', jobs: VERIFY_JOBS });
const treePorts = await openPorts({ logLevel: 'error', jobs: JOBS });
after(async () => {
  await ports.close();
  await treePorts.close();
});

const key = testKey(1);
const IMPATIENT: Clock = { ...ports.clock, sleep: () => Promise.resolve() };

async function verify(path: string): Promise<Verification> {
  const opened = await openLedgerCopy(path, { files: ports.files, clock: IMPATIENT });
  assert.ok(opened.ok);
  const options = { keys: [key.key], keyFrom: null, cosigners: [], policy: null, heads: [], identities: true, onProgress: () => {} };
  try {
    return await verifyCopy(opened.copy, options, ports.background);
  } finally {
    await opened.copy.close();
  }
}

/** A ledger whose oldest segments are removed as retention does it; `declared` is the entry that says so. */
async function prunedLedger(declared: boolean): Promise<{ readonly ledger: SealedLedger; readonly beginning: number }> {
  const ledger = await createSealedLedger();
  const tree = await openTree(`${ledger.path}/tree`, ledger.ledger, treePorts);
  for (let round = 0; round < 8; round += 1) {
    await ledger.append('app', 700);
    await ledger.append('shop', 68);
  }
  await ledger.seal([key]);
  await until('the tree', () => tree.size() === ledger.ledger.size());
  const { through } = ledger.ledger.prunable(asIndex(3_000)) ?? { through: 0 };
  assert.ok(through > 1_000, String(through));
  await tree.pin(asSize(through + 1));
  if (declared) await ledger.control({ type: 'prune', from: 0, through, bytes: 0, reason: 'age' });
  await ledger.seal([key]);
  await ledger.ledger.prune(asIndex(through + 1));
  await ledger.append('app', 10);
  await ledger.seal([key]);
  await until('the tree', () => tree.size() === ledger.ledger.size());
  await tree.close();
  await ledger.close();
  return { ledger, beginning: through + 1 };
}

test('what retention removed is no finding: its hashes are there, and an entry under a head says that it went', async () => {
  const { ledger, beginning } = await prunedLedger(true);
  try {
    const result = await verify(ledger.path);
    assert.deepEqual(result.findings, []);
    assert.equal(result.beginning, beginning);
    assert.equal(result.size, ledger.entries.length);
    assert.equal(result.head?.size, ledger.entries.length);
    assert.equal(result.counted.entries, ledger.entries.length - beginning);
    rmSync(`${ledger.path}/tree`, { recursive: true });
    const blind = await verify(ledger.path);
    assert.deepEqual([...new Set(blind.findings.map(({ code }) => code))], ['FILE_MISSING']);
    assert.equal(blind.ok, false, 'without the hashes of what went no head can be compared');
  } finally {
    await ledger.remove();
  }
});

test('a beginning that nobody declared is missing', async () => {
  const { ledger } = await prunedLedger(false);
  try {
    const result = await verify(ledger.path);
    assert.deepEqual(
      result.findings.map(({ code }) => code),
      ['ENTRIES_MISSING'],
    );
    assert.equal(result.lowest?.index, 0);
  } finally {
    await ledger.remove();
  }
});
