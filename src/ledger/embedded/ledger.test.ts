import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { append, contentOf, runOf, simpleRun } from '../../../test/conformance/ledger-workload.ts';
import { MemoryDisk } from '../../../test/conformance/memory-disk.ts';
import { newLedger, OPTIONS, reopen, turns } from '../../../test/conformance/small-ledger.ts';
import { asPosition, asSize, PARTITIONS_MAX } from '../../contracts/units.ts';
import type { EmbeddedLedger } from './embedded.ts';

const SEGMENTS = `${OPTIONS.path}/segments`;

describe('what the sequencer promises', () => {
  const checks: readonly (readonly [string, (ledger: EmbeddedLedger) => Promise<unknown>])[] = [
    ['an entry that is too long', (ledger) => append(ledger, { ...simpleRun('app', 0), entries: ['{}', 'x'.repeat(65_536)] })],
    ['a position that is too long', (ledger) => append(ledger, { ...simpleRun('app', 1), position: asPosition('é'.repeat(513)) })],
    ['a partition whose name is too long', (ledger) => append(ledger, { ...simpleRun('app', 1), partition: 'x'.repeat(1_025) })],
    ['a record that is too long', (ledger) => ledger.journal.append('key', 'x'.repeat(140_000))],
    [
      'room for less',
      async (ledger) => {
        const run = runOf(simpleRun('app', 100, 1_000));
        return ledger.append(run, ledger.assigned(), await ledger.reserve(1, 10));
      },
    ],
    [
      'room that was used',
      async (ledger) => {
        const run = runOf(simpleRun('app', 1));
        const room = await ledger.reserve(run.count, run.bytes.length);
        await ledger.append(run, ledger.assigned(), room);
        return ledger.append(run, ledger.assigned(), room);
      },
    ],
    [
      'offsets that do not ascend',
      async (ledger) => {
        const run = { ...runOf(simpleRun('app', 2)), offsets: Uint32Array.of(10, 5, 12) };
        return ledger.append(run, ledger.assigned(), await ledger.reserve(2, 100));
      },
    ],
  ];
  for (const [name, broken] of checks) {
    test(`is checked before anything is placed: ${name}`, async () => {
      const disk = new MemoryDisk();
      const ledger = await newLedger(disk);
      await append(ledger, simpleRun('app', 2));
      await assert.rejects(async () => broken(ledger), { name: 'BrokenInvariant' });
      const size = ledger.assigned();
      await append(ledger, simpleRun('app', 1));
      await ledger.close();
      const again = await reopen(disk);
      assert.equal(again.size(), size + 1);
      assert.equal((await contentOf(again)).entries.length, size + 1);
      await again.close();
    });
  }

  test('partitions are bounded, and closing one makes room', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk, { ...OPTIONS, aheadBytes: 1 << 20, segmentBytes: 1 << 20 });
    const at = (partition: number, closes = false) => ({ ...simpleRun('db', 0, 40, 'p'), partition: String(partition), closes });
    for (let k = 0; k < PARTITIONS_MAX; k++) await append(ledger, at(k));
    await append(ledger, at(5));
    await assert.rejects(append(ledger, at(PARTITIONS_MAX)), { name: 'BrokenInvariant' });
    await append(ledger, at(7, true));
    await append(ledger, at(PARTITIONS_MAX));
    assert.equal(ledger.positions('db').size, PARTITIONS_MAX);
    await ledger.close();
  });
});

describe('memory', () => {
  test('is bounded while flushes hang: events wait, control entries and the journal do not', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    await append(ledger, simpleRun('app', 1));
    const release = disk.holdFlushes(SEGMENTS);
    const answers: Promise<unknown>[] = [];
    for (let k = 0; k < 100; k++) answers.push(append(ledger, simpleRun('app', 10, 500)));
    await turns(1_000);
    const crowded = ledger.assigned();
    assert.ok(crowded < 400, `${crowded} entries are not durable`);
    const record = ledger.journal.append('key', 'record');
    assert.deepEqual(ledger.journal.load('key').records, ['record']);
    const control = append(ledger, simpleRun('waybill', 1), 'control');
    await turns(10);
    assert.equal(ledger.assigned(), crowded + 1);
    release();
    await Promise.all([...answers, record, control]);
    assert.equal(ledger.size(), 1_002);
    await ledger.close();
  });

  test('of the register shows what is durable, and compares with what is newest', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    await ledger.register.set('head', 'one', null);
    const release = disk.holdFlushes(SEGMENTS);
    const second = ledger.register.set('head', 'two', 'one');
    const conflict = assert.rejects(ledger.register.set('head', 'three', 'one'), { code: 'REGISTER_CONFLICT' });
    await turns(50);
    assert.equal(ledger.register.get('head'), 'one');
    release();
    await Promise.all([second, conflict]);
    assert.equal(ledger.register.get('head'), 'two');
    assert.ok((await ledger.waitBeyond(asSize(-1), new AbortController().signal)) === 0);
    await ledger.close();
  });
});
