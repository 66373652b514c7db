import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { append, contentOf, Script, script, simpleRun } from '../../../test/conformance/ledger-workload.ts';
import { MemoryDisk } from '../../../test/conformance/memory-disk.ts';
import { newLedger, OPTIONS, reopen } from '../../../test/conformance/small-ledger.ts';
import { WaybillError } from '../../contracts/errors.ts';
import type { EmbeddedLedger } from './embedded.ts';

/** Appends until the ledger says that it is full, and returns how many entries that took. */
async function fill(ledger: EmbeddedLedger): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      await append(ledger, simpleRun('app', 1, 400));
    } catch (error) {
      assert.ok(error instanceof WaybillError && error.code === 'LEDGER_FULL', String(error));
      assert.equal(error.remedy, 'retry');
      return count;
    }
  }
}

function used(disk: MemoryDisk): number {
  let bytes = 0;
  for (const name of disk.files()) bytes += disk.bytes(name).length;
  return bytes;
}

describe('the limit', () => {
  test('refuses events, keeps the reserved part for control entries and the journal, and is never passed', async () => {
    const disk = new MemoryDisk();
    const options = { ...OPTIONS, limitBytes: 150_000, reservedBytes: 32_768 };
    const ledger = await newLedger(disk, options);
    const count = await fill(ledger);
    assert.ok(count > 40, `only ${count} entries`);
    assert.equal(ledger.size(), count);
    await ledger.journal.append('dest:a', 'still there');
    await append(ledger, simpleRun('waybill', 1, 40), 'control').catch(() => undefined);
    let records = 0;
    await assert.rejects(
      async () => {
        for (;;) {
          await ledger.journal.append('dest:a', `record ${records}`);
          records++;
        }
      },
      { code: 'LEDGER_FULL' },
    );
    // What is left for events is less than one run may take, about 14 KB; the rest is the reserved part.
    assert.ok(records > 270, `only ${records} records`);
    assert.ok(used(disk) <= options.limitBytes, `${used(disk)} bytes`);
    assert.ok(ledger.space().used <= options.limitBytes);
    await ledger.close();
    const again = await reopen(disk, options);
    assert.equal(again.sequence('app'), count);
    assert.equal(again.journal.load('dest:a').records.length, records + 1);
    await again.close();
  });

  test('that is raised while the ledger is open lets events in at once, and one that is lowered keeps what is there', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk, { ...OPTIONS, limitBytes: 150_000 });
    const count = await fill(ledger);
    ledger.changeLimit(300_000);
    assert.equal(ledger.space().limit, 300_000);
    const more = await fill(ledger);
    assert.ok(more > count / 2, `only ${more} entries`);
    assert.ok(used(disk) <= 300_000 && used(disk) > 150_000, `${used(disk)} bytes`);
    ledger.changeLimit(200_000);
    await assert.rejects(append(ledger, simpleRun('app', 1, 400)), { code: 'LEDGER_FULL', message: /200000 bytes/ });
    ledger.changeLimit(null);
    await append(ledger, simpleRun('app', 1, 400));
    assert.equal(ledger.size(), count + more + 1);
    await ledger.close();
  });

  test('that was raised lets events in again', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk, { ...OPTIONS, limitBytes: 60_000 });
    const count = await fill(ledger);
    await ledger.close();
    const again = await reopen(disk, { ...OPTIONS, limitBytes: 120_000 });
    assert.ok((await fill(again)) > count / 2);
    await again.close();
  });

  test('leaves room that was claimed to whoever has it', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk, { ...OPTIONS, limitBytes: 80_000 });
    const held = await Promise.all([ledger.reserve(1, 400), ledger.reserve(1, 400)]);
    await fill(ledger);
    const { entries } = simpleRun('late', 1, 400);
    const run = {
      source: 'late',
      partition: null,
      position: null,
      bytes: Buffer.from(entries.join('')),
      offsets: Uint32Array.of(0, 400),
      count: 1,
    };
    const [first, second] = held;
    assert.equal(await ledger.append(run, ledger.assigned(), first), ledger.size() - 1);
    second.release();
    second.release();
    await append(ledger, simpleRun('app', 1, 400));
    await ledger.close();
  });
});

describe('a full disk', () => {
  test('is pushback, and the ledger goes on by itself when there is space again', async () => {
    const disk = new MemoryDisk();
    disk.capacity = 90_000;
    const ledger = await newLedger(disk);
    const count = await fill(ledger);
    assert.ok(count > 30, `only ${count} entries`);
    await ledger.journal.append('dest:a', 'the reserved part is there on a full disk');
    await assert.rejects(append(ledger, simpleRun('app', 1, 400)), { code: 'LEDGER_FULL' });
    disk.capacity = 200_000;
    await append(ledger, simpleRun('app', 1, 400));
    assert.equal(ledger.size(), count + 1);
    await ledger.close();
    const again = await reopen(disk);
    assert.equal(again.size(), count + 1);
    await again.close();
  });

  test('at any one write refuses somebody or nobody, and loses nothing', async () => {
    for (let at = 10; at < 140; at++) {
      const disk = new MemoryDisk();
      const ledger = await newLedger(disk);
      // The flush itself is not pushback; everything else is.
      disk.failures.set(at, 'DISK_FULL');
      const played = new Script(script(7, 30));
      let refusals = 0;
      let failed: Error | null = null;
      void ledger.failed.then((error) => {
        failed = error;
      });
      while (played.issued < played.ops.length && failed === null) {
        await played.play(ledger, 8).catch((error: unknown) => {
          if (!(error instanceof WaybillError)) throw error;
          if (error.code === 'LEDGER_FULL') refusals++;
          else assert.equal(error.code, 'LEDGER_FAILED');
        });
      }
      assert.ok(refusals <= 1);
      await ledger.close();
      const again = await reopen(disk.afterCrash('whole', () => 0));
      played.check(await contentOf(again));
      await again.close();
    }
  });
});

describe('an error of the disk', () => {
  test('in a flush ends the ledger, keeps what was answered, and counts nothing that is not on the disk', async () => {
    let ends = 0;
    for (let at = 10; at < 140; at++) {
      const disk = new MemoryDisk();
      const ledger = await newLedger(disk);
      disk.failures.set(at, 'DISK_FAILED');
      const played = new Script(script(7, 30));
      let failure: Error | null = null;
      void ledger.failed.then((error) => {
        failure = error;
      });
      await played.play(ledger, 8).catch((error: unknown) => assert.ok(error instanceof WaybillError, String(error)));
      if (failure !== null) {
        ends++;
        assert.ok((failure as Error) instanceof WaybillError && (failure as Error as WaybillError).code === 'LEDGER_FAILED');
        await assert.rejects(ledger.reserve(1, 1), { code: 'LEDGER_FAILED' });
        await assert.rejects(ledger.journal.append('dest:a', 'x'), { code: 'LEDGER_FAILED' });
        await assert.rejects(ledger.register.set('head', 'x', ledger.register.get('head')), { code: 'LEDGER_FAILED' });
      }
      await ledger.close();
      // A failed flush: what was written is in the page cache and will never reach the disk by itself.
      const killed = disk.afterKill();
      const again = await reopen(killed);
      played.answered = played.check(await contentOf(again));
      played.issued = played.answered;
      const later = await reopen(killed.afterCrash('lost', () => 0));
      played.check(await contentOf(later));
      await later.close();
    }
    assert.ok(ends > 10, `only ${ends} ends`);
  });
});
