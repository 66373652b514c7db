import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { append, contentOf, runOf, simpleRun } from '../../../test/conformance/ledger-workload.ts';
import { MemoryDisk } from '../../../test/conformance/memory-disk.ts';
import { fillSegments, newLedger, OPTIONS, reopen } from '../../../test/conformance/small-ledger.ts';
import { asIndex } from '../../contracts/units.ts';
import { identityOf, segmentFirst } from './layout.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';

const SEGMENTS = `${OPTIONS.path}/segments`;

describe('reading', () => {
  test('gives the same from memory, from a full segment by its seal, and from one whose end was not cut', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    await fillSegments(ledger, disk, 5);
    const { entries } = await contentOf(ledger);
    await ledger.close();
    for (const grown of [false, true]) {
      const copy = disk.copy();
      if (grown) {
        for (const path of copy.files().filter((name) => name.endsWith('.seg'))) {
          copy.replace(path, Buffer.concat([copy.bytes(path), Buffer.alloc(4_096)]));
        }
      }
      const again = await reopen(copy);
      for (let k = entries.length - 1; k >= 0; k -= 37) {
        const batch = await again.read(asIndex(k), { entries: 1, bytes: 1 });
        assert.equal(Buffer.from(batch.bytes.subarray(batch.starts[0], batch.ends[0])).toString(), entries[k]);
      }
      assert.deepEqual((await contentOf(again)).entries, entries);
      await again.close();
    }
  });

  test('cuts the zeros behind full segments that a crash left there', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    await fillSegments(ledger, disk, 4);
    await ledger.close();
    const names = disk.files().filter((name) => name.endsWith('.seg'));
    const lengths = names.map((name) => disk.bytes(name).length);
    for (const name of names.slice(0, -1)) disk.replace(name, Buffer.concat([disk.bytes(name), Buffer.alloc(4_096)]));
    // Without a snapshot every segment is looked at.
    for (const name of disk.files().filter((file) => file.endsWith('.snap'))) disk.erase(name);
    const again = await reopen(disk);
    assert.deepEqual(
      names.map((name) => disk.bytes(name).length),
      lengths,
    );
    await again.close();
  });

  test('above the size is a mistake of the caller', async () => {
    const ledger = await newLedger(new MemoryDisk());
    await append(ledger, simpleRun('app', 1));
    await assert.rejects(ledger.read(asIndex(2), { entries: 1, bytes: 1 }), { name: 'BrokenInvariant' });
    await ledger.close();
  });

  test('below the beginning says so, and what was on its way out is removed', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    await fillSegments(ledger, disk, 5);
    await ledger.close();
    const size = Number(ledger.size());
    const segments = disk.files().filter((name) => name.endsWith('.seg'));
    const beginning = segmentFirst((segments[2] as string).slice(SEGMENTS.length + 1)) as number;
    const { salt } = identityOf((JSON.parse(disk.bytes(`${OPTIONS.path}/ledger.json`).toString()) as { readonly id: string }).id);
    for (const path of disk.files().filter((name) => name.endsWith('.snap'))) {
      const snapshot = decodeSnapshot(disk.bytes(path), salt);
      assert.ok(snapshot !== null);
      disk.replace(path, encodeSnapshot({ ...snapshot, beginning }, salt));
    }
    disk.erase(segments[0] as string);
    const again = await reopen(disk);
    assert.deepEqual([Number(again.beginning()), Number(again.size()), again.sequence('app')], [beginning, size, size]);
    await assert.rejects(again.read(asIndex(beginning - 1), { entries: 1, bytes: 1 }), { code: 'LEDGER_PRUNED' });
    assert.equal((await again.read(asIndex(beginning), { entries: 1, bytes: 1 })).first, beginning);
    assert.ok(!disk.files().includes(segments[1] as string));
    await again.close();
    disk.erase(segments[2] as string);
    await assert.rejects(reopen(disk), { code: 'LEDGER_CORRUPT' });
  });
});

describe('a scrub', () => {
  test('reads every full segment, stops on its signal, and names what was changed', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    await fillSegments(ledger, disk, 4);
    const full = disk.files().filter((name) => name.endsWith('.seg')).length - 1;
    const { segments, bytes } = await ledger.scrub(new AbortController().signal);
    assert.equal(segments, full);
    assert.ok(bytes > full * OPTIONS.segmentBytes);
    await assert.rejects(ledger.scrub(AbortSignal.abort(new Error('stop'))), { message: 'stop' });
    const path = disk.files().find((name) => name.endsWith('.seg')) as string;
    const changed = disk.bytes(path);
    changed.writeUInt8(changed.readUInt8(5_000) ^ 1, 5_000);
    disk.replace(path, changed);
    await assert.rejects(ledger.scrub(new AbortController().signal), (error) => {
      const { code, details } = error as { readonly code: string; readonly details: { readonly facts: { readonly file: string } } };
      return code === 'LEDGER_CORRUPT' && details.facts.file === path;
    });
    await ledger.close();
  });
});

describe('what is read after a recovery', () => {
  test('is found where it is, although a run that was taken back lay there', async () => {
    const disk = new MemoryDisk();
    const options = { ...OPTIONS, segmentBytes: 1 << 20 };
    const ledger = await newLedger(disk, options);
    await append(ledger, simpleRun('app', 1));
    const run = runOf(simpleRun('app', 1_500, 350));
    const room = await ledger.reserve(run.count, run.bytes.length);
    disk.crashAfter = disk.operations + 7;
    void ledger.append(run, ledger.assigned(), room);
    await disk.crashed;
    const next = await reopen(
      disk.afterCrash('whole', () => 0),
      options,
    );
    assert.equal(next.size(), 1);
    const entries = [...simpleRun('app', 1).entries];
    for (let k = 0; k < 240; k++) {
      const later = simpleRun(`app${k}`, 7, 130 + (k % 50));
      entries.push(...later.entries);
      await append(next, later);
    }
    // From the middle outwards, so that nothing is found because it was just read.
    for (const k of [500, 700, 300, 900, 1, 1_100, 1_300]) {
      const batch = await next.read(asIndex(k), { entries: 1, bytes: 1 });
      assert.equal(Buffer.from(batch.bytes.subarray(batch.starts[0], batch.ends[0])).toString(), entries[k]);
    }
    assert.deepEqual((await contentOf(next)).entries, entries);
    await next.close();
  });
});
