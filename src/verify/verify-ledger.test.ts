import assert from 'node:assert/strict';
import { readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import type { NoteSigner } from '../../test/doubles/note-signer.ts';
import { createSealedLedger, type SealedLedger, signedNote, testKey } from '../../test/doubles/sealed-ledger.ts';
import type { Clock } from '../contracts/ports.ts';
import { openPorts } from '../runtime/ports.ts';
import type { HeadPiece } from './copy.ts';
import { claimedSize } from './head-check.ts';
import { VERIFY_JOBS } from './job-module.ts';
import { openLedgerCopy } from './ledger-copy.ts';
import type { Verification } from './verification.ts';
import { unreadable, type VerifyOptions, verifyCopy } from './verify-copy.ts';

const ports = await openPorts({ logLevel: 'error', jobs: VERIFY_JOBS });
after(() => ports.close());

/** Nobody writes to these ledgers while they are read, so there is nothing to wait for. */
const IMPATIENT: Clock = { ...ports.clock, sleep: () => Promise.resolve() };

const key = testKey(1);
const fresh = testKey(9, 'freshness');

async function verifyLedger(path: string, keys: readonly NoteSigner[], more: Partial<VerifyOptions> = {}): Promise<Verification> {
  const opened = await openLedgerCopy(path, { files: ports.files, clock: IMPATIENT });
  if (!opened.ok) return unreadable('ledger', opened.finding, null);
  const options: VerifyOptions = {
    keys: keys.map((one) => one.key),
    keyFrom: null,
    cosigners: [fresh.key],
    policy: null,
    heads: [],
    identities: true,
    onProgress: () => {},
    ...more,
  };
  try {
    return await verifyCopy(opened.copy, options, ports.background);
  } finally {
    await opened.copy.close();
  }
}

function head(note: string, file = 'kept'): HeadPiece {
  const bytes = Buffer.from(note);
  return { kind: 'head', note: bytes, size: claimedSize(bytes), file, sampled: false };
}

function codes({ findings }: Verification): string[] {
  return [...new Set(findings.map(({ code }) => code))].toSorted();
}

async function withLedger(work: (ledger: SealedLedger) => Promise<void>, segmentBytes?: number): Promise<void> {
  const ledger = await createSealedLedger(segmentBytes);
  try {
    await work(ledger);
  } finally {
    await ledger.remove();
  }
}

describe('a ledger as it was written', () => {
  test('is verified to its last entry, over many segments and heads', async () => {
    await withLedger(async (ledger) => {
      for (let round = 0; round < 12; round += 1) {
        await ledger.append('app', 130);
        await ledger.append('shop', 37, 10);
        await ledger.seal([key, fresh]);
      }
      await ledger.close();
      const result = await verifyLedger(ledger.path, [key]);
      assert.deepEqual(result.findings, []);
      assert.equal(result.ok, true);
      assert.equal(result.size, 12 * 167);
      assert.equal(result.head?.size, 12 * 167);
      assert.equal(result.counted.entries, 12 * 167);
      assert.equal(result.counted.heads, 14, 'those of the two snapshots are looked at too');
      assert.equal(result.counted.sources, 2);
      assert.ok(result.counted.files > 3);
      assert.equal(result.head?.cosignedBy.length, 1);
    });
  });

  test('is verified while it is open, to the newest head', async () => {
    await withLedger(async (ledger) => {
      await ledger.append('app', 1_000);
      await ledger.seal([key]);
      const result = await verifyLedger(ledger.path, [key]);
      assert.deepEqual(result.findings, []);
      assert.equal(result.size, 1_000);
    });
  });

  test('an empty one has its head of nothing', async () => {
    await withLedger(async (ledger) => {
      await ledger.seal([key]);
      await ledger.close();
      const result = await verifyLedger(ledger.path, [key]);
      assert.deepEqual(result.findings, []);
      assert.equal(result.head?.size, 0);
    });
  });
});

describe('heads and keys', () => {
  test('no head, a key that is not known, a changed head', async () => {
    await withLedger(async (ledger) => {
      await ledger.append('app', 10);
      assert.deepEqual(codes(await verifyLedger(ledger.path, [key])), ['HEAD_MISSING']);
      await ledger.seal([key]);
      await ledger.close();
      assert.deepEqual(codes(await verifyLedger(ledger.path, [testKey(2)])), ['KEY_UNKNOWN']);
      assert.deepEqual(codes(await verifyLedger(ledger.path, [])), ['KEY_UNKNOWN']);
      const result = await verifyLedger(ledger.path, [key], {
        heads: [head(signedNote(10, '\0'.repeat(32), [key]).replace('\n10\n', '\n9\n'))],
      });
      assert.deepEqual(codes(result), ['HEAD_INVALID']);
    });
  });

  test('a rotation is followed from the first key and from the last one', async () => {
    const [first, second, third] = [testKey(1), testKey(2), testKey(3)];
    await withLedger(async (ledger) => {
      await ledger.append('app', 300);
      await ledger.seal([first]);
      await ledger.control({ type: 'key.rotated', use: 'log', old: first.verifierKey, new: second.verifierKey });
      await ledger.append('app', 5);
      await ledger.seal([first, second]);
      await ledger.append('app', 5_000);
      await ledger.seal([second]);
      await ledger.control({ type: 'key.rotated', use: 'log', old: second.verifierKey, new: third.verifierKey });
      await ledger.seal([second, third]);
      await ledger.append('app', 5);
      await ledger.seal([third]);
      await ledger.close();
      for (const known of [first, second, third]) {
        const result = await verifyLedger(ledger.path, [known]);
        assert.deepEqual(result.findings, [], known.verifierKey);
        assert.deepEqual(result.head?.signedBy, [third.verifierKey]);
      }
    });
  });

  test('a rotation that the old key did not sign leads nowhere, unless the new key was given', async () => {
    const [old, next] = [testKey(1), testKey(2)];
    await withLedger(async (ledger) => {
      await ledger.append('app', 300);
      await ledger.seal([old]);
      await ledger.control({ type: 'key.rotated', use: 'log', old: old.verifierKey, new: next.verifierKey, lost: true });
      await ledger.seal([next]);
      await ledger.close();
      const result = await verifyLedger(ledger.path, [old]);
      assert.deepEqual(codes(result), ['KEY_UNKNOWN', 'KEY_UNPROVED']);
      assert.equal(result.head, null);
      assert.deepEqual((await verifyLedger(ledger.path, [next])).findings, []);
    });
  });

  test('a key that was replaced signs nothing more', async () => {
    const [old, next] = [testKey(1), testKey(2)];
    await withLedger(async (ledger) => {
      await ledger.append('app', 300);
      await ledger.control({ type: 'key.rotated', use: 'log', old: old.verifierKey, new: next.verifierKey });
      await ledger.seal([old, next]);
      await ledger.append('app', 300);
      await ledger.seal([old]);
      await ledger.close();
      assert.deepEqual(codes(await verifyLedger(ledger.path, [old])), ['KEY_REPLACED']);
    });
  });
});

describe('what no ledger writes', () => {
  test('a number of a source twice, a time that goes back, an identity twice, a line that is no entry', async () => {
    await withLedger(async (ledger) => {
      await ledger.append('app', 3, 1);
      const [, line = ''] = ledger.entries;
      await ledger.appendLines({ source: 'app', entries: [line, '{"v":2}', line.replace('"n":1', '"n":2')] });
      await ledger.seal([key]);
      await ledger.close();
      const result = await verifyLedger(ledger.path, [key]);
      assert.deepEqual(codes(result), ['ENTRY_MALFORMED', 'IDENTITY_TWICE', 'SEQUENCE_BROKEN', 'TIME_BACKWARDS']);
      assert.deepEqual(result.lowest, { index: 3, file: 'segments/00000000000000000000.seg' });
    });
  });
});

describe('heads that were kept elsewhere', () => {
  test('a head over more than there is shows that the end was cut off', async () => {
    await withLedger(async (longer) => {
      await withLedger(async (ledger) => {
        await ledger.append('app', 500);
        await ledger.seal([key]);
        await ledger.close();
        await longer.append('app', 500);
        await longer.append('app', 100);
        const kept = await longer.seal([key]);
        const result = await verifyLedger(ledger.path, [key], { heads: [head(kept)] });
        assert.deepEqual(codes(result), ['CUT_OFF']);
        assert.equal(result.lowest?.index, 500);
      });
    });
  });

  test('a head of another history shows that it was written anew and signed again', async () => {
    await withLedger(async (other) => {
      await withLedger(async (ledger) => {
        await ledger.append('app', 500);
        await ledger.seal([key]);
        await ledger.close();
        await other.append('shop', 100);
        const kept = await other.seal([key]);
        const result = await verifyLedger(ledger.path, [key], { heads: [head(kept)] });
        assert.deepEqual(codes(result), ['HISTORY_REWRITTEN']);
        assert.equal(result.ok, false);
      });
    });
  });
});

describe('bytes that were changed', () => {
  test('every byte of a small ledger is missed by somebody', async () => {
    await withLedger(async (ledger) => {
      await ledger.append('app', 6, 3);
      await ledger.seal([key]);
      await ledger.close();
      const file = `${ledger.path}/segments/00000000000000000000.seg`;
      const whole = readFileSync(file);
      const used = whole.findLastIndex((byte) => byte !== 0);
      assert.ok(used > 1_500, String(used));
      for (let at = 0; at <= used + 8; at += 13) {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] ?? 0) ^ 0x40;
        writeFileSync(file, changed);
        const result = await verifyLedger(ledger.path, [key]);
        assert.equal(result.ok, false, `byte ${at}`);
      }
      writeFileSync(file, whole);
      assert.equal((await verifyLedger(ledger.path, [key])).ok, true);
    });
  });

  test('a segment that is gone is named with its first entry', async () => {
    await withLedger(async (ledger) => {
      await ledger.append('app', 3_000);
      await ledger.seal([key]);
      await ledger.close();
      const names = readdirSync(`${ledger.path}/segments`).filter((name) => name.endsWith('.seg'));
      assert.ok(names.length >= 4, names.join());
      unlinkSync(`${ledger.path}/segments/${names[1]}`);
      const result = await verifyLedger(ledger.path, [key]);
      assert.ok(codes(result).includes('FILE_MISSING'), codes(result).join());
      assert.equal(result.lowest?.index, Number(names[1]?.slice(0, 20)));
    });
  });
});
