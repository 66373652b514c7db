import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { append, contentOf, simpleRun } from '../../../test/conformance/ledger-workload.ts';
import { MemoryDisk } from '../../../test/conformance/memory-disk.ts';
import { newLedger, OPTIONS, reopen, turns } from '../../../test/conformance/small-ledger.ts';
import { asIndex } from '../../contracts/units.ts';
import { Ring } from './ring.ts';

const KIB = 1024;

/** Places a frame of one entry, whose bytes do not matter here, and answers with the memory that it got. */
function place(ring: Ring, index: number, bytes: number): ArrayBufferLike {
  const { block, at } = ring.place(bytes);
  block.add(index, 1, at);
  ring.take(bytes);
  return block.window.bytes.buffer;
}

describe('the ring', () => {
  test('keeps the newest entries and fills the memory of old ones again once they are durable', () => {
    const ring = new Ring(64 * KIB);
    const memories = new Set<ArrayBufferLike>();
    for (let index = 0; index < 1_000; index++) {
      memories.add(place(ring, index, 4 * KIB));
      ring.trim(index + 1);
      assert.ok(ring.find(index) !== null);
      if (index > 20) assert.equal(ring.find(index - 20), null);
    }
    assert.ok(memories.size < 12, `${memories.size} blocks for 4 MiB`);
  });

  test('never fills memory again that waits for its flush', () => {
    const ring = new Ring(64 * KIB);
    const memories = new Set<ArrayBufferLike>();
    for (let index = 0; index < 100; index++) {
      memories.add(place(ring, index, 16 * KIB));
      ring.trim(0);
    }
    assert.equal(memories.size, 100);
  });

  test('gives a larger frame a block of its own, which is not kept for others', () => {
    const ring = new Ring(64 * KIB);
    const large = place(ring, 0, 100 * KIB);
    for (let index = 1; index < 50; index++) {
      assert.notEqual(place(ring, index, 8 * KIB), large);
      ring.trim(index + 1);
    }
  });
});

describe('a ledger whose flushes are slow', () => {
  test('writes what was appended, although the ring is smaller than what waits', async () => {
    const disk = new MemoryDisk();
    const options = { ...OPTIONS, ringBytes: 16 * KIB, segmentBytes: 1 << 20 };
    const ledger = await newLedger(disk, options);
    const expected: string[] = [];
    const answers: Promise<unknown>[] = [];
    for (let round = 0; round < 12; round++) {
      const release = disk.holdFlushes(`${OPTIONS.path}/segments`);
      for (let k = 0; k < 5; k++) {
        const run = simpleRun(`app${round}-${k}`, 10, 900);
        expected.push(...run.entries);
        answers.push(append(ledger, run, 'control'));
        await turns(12);
      }
      release();
      await turns(round);
    }
    await Promise.all(answers);
    assert.deepEqual((await contentOf(ledger)).entries, expected);
    await ledger.close();
    const again = await reopen(disk, options);
    assert.deepEqual((await contentOf(again)).entries, expected);
    await again.close();
  });

  test('hands out bytes that stay, whatever the ring does with its memory', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk, { ...OPTIONS, ringBytes: 64 * KIB });
    const held: { readonly bytes: Uint8Array; readonly text: string }[] = [];
    for (let k = 0; k < 60; k++) {
      await append(ledger, simpleRun(`app${k}`, 10, 500));
      const { bytes } = await ledger.read(asIndex(10 * k), { entries: 10, bytes: 10_000 });
      held.push({ bytes, text: Buffer.from(bytes).toString() });
    }
    for (const { bytes, text } of held) assert.equal(Buffer.from(bytes).toString(), text);
    await ledger.close();
  });
});
