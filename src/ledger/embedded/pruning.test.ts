import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { append, chance, simpleRun } from '../../../test/conformance/ledger-workload.ts';
import { CRASH_STYLES, MemoryDisk } from '../../../test/conformance/memory-disk.ts';
import { fillSegments, newLedger, OPTIONS, portsOf, reopen } from '../../../test/conformance/small-ledger.ts';
import { StepDisk } from '../../../test/crash/step-disk.ts';
import { createChance } from '../../../test/sim/chance.ts';
import { isWaybillError } from '../../contracts/errors.ts';
import type { Disk } from '../../contracts/ports.ts';
import type { Index } from '../../contracts/units.ts';
import { asIndex } from '../../contracts/units.ts';
import { createEmbeddedLedger } from './create.ts';
import { type EmbeddedLedger, openEmbeddedLedger } from './embedded.ts';

const ONE = { entries: 1, bytes: 1 };

/** A ledger of so many segments on a disk in memory, with a record, a position and a number that lie in the oldest one. */
async function ledgerOf(segments: number): Promise<{ readonly disk: MemoryDisk; readonly ledger: EmbeddedLedger }> {
  const disk = new MemoryDisk();
  const ledger = await newLedger(disk);
  await ledger.journal.append('old', 'record');
  await append(ledger, simpleRun('db', 2, 40, 'place'));
  await fillSegments(ledger, disk, segments);
  return { disk, ledger };
}

function segmentsOf(disk: MemoryDisk): readonly string[] {
  return disk.files().filter((name) => name.endsWith('.seg'));
}

/** Everything that is retained can be read, and nothing below. */
async function checkContent(ledger: EmbeddedLedger, size: number): Promise<void> {
  assert.equal(ledger.size(), size);
  const beginning = ledger.beginning();
  if (beginning > 0) await assert.rejects(ledger.read(asIndex(beginning - 1), ONE), { code: 'LEDGER_PRUNED' });
  for (let from: number = beginning; from < size; ) {
    const { first, count } = await ledger.read(asIndex(from), { entries: 500, bytes: 50_000 });
    assert.equal(first, from);
    from += count;
  }
  assert.deepEqual(ledger.journal.load('old').records, ['record']);
  assert.deepEqual([...ledger.positions('db')], [['', 'place']]);
  assert.equal(ledger.sequence('db') + ledger.sequence('app'), size);
}

describe('pruning', () => {
  test('removes whole segments that end at or below an index, keeps what they added up to, and gives the space back', async () => {
    const { disk, ledger } = await ledgerOf(6);
    const size = Number(ledger.size());
    const full = ledger.full();
    assert.equal(full.length, 5);
    assert.deepEqual(
      full.map(({ bytes }) => bytes),
      segmentsOf(disk)
        .slice(0, -1)
        .map((path) => disk.bytes(path).length),
    );
    const { used } = ledger.space();
    const third = full[2]?.first as Index;
    assert.equal(ledger.prunable(asIndex((full[1]?.first as number) - 1)), null);
    const wanted = { from: 0, through: third - 1, bytes: (full[0]?.bytes ?? 0) + (full[1]?.bytes ?? 0) };
    assert.deepEqual(ledger.prunable(asIndex(third + 100)), wanted);
    await ledger.prune(asIndex(third + 100));
    assert.equal(ledger.beginning(), third);
    // Space that is written ahead comes and goes meanwhile.
    assert.ok(ledger.space().used < used - wanted.bytes / 2, `${ledger.space().used} of ${used}`);
    assert.equal(segmentsOf(disk).length, 4);
    assert.equal(ledger.prunable(asIndex(third + 100)), null);
    await checkContent(ledger, size);
    await ledger.close();
    const again = await reopen(disk);
    assert.equal(again.beginning(), third);
    const files = disk.files().filter((name) => name.endsWith('.seg') || name.endsWith('.snap'));
    assert.equal(
      again.space().used,
      files.reduce((bytes, path) => bytes + disk.bytes(path).length, 0),
    );
    await checkContent(again, size);
    await again.close();
  });

  test('never removes what a recovery from the second snapshot needs', async () => {
    const { disk, ledger } = await ledgerOf(6);
    const size = Number(ledger.size());
    await ledger.prune(asIndex(size));
    const left = segmentsOf(disk).length;
    assert.ok(left >= 2 && left < 6, `${left} segments`);
    const copy = disk.afterKill();
    const newest = copy.files().findLast((name) => name.endsWith('.snap')) as string;
    copy.replace(newest, copy.bytes(newest).fill(7, 40, 60));
    const again = await reopen(copy);
    assert.equal(again.beginning(), ledger.beginning());
    await checkContent(again, size);
    await again.close();
    await ledger.close();
  });

  test('keeps what a fold would read again', async () => {
    const { disk, ledger } = await ledgerOf(2);
    const held = Number(ledger.size());
    ledger.journal.compact(
      'reader',
      () => 'state',
      () => asIndex(held),
    );
    await fillSegments(ledger, disk, 6);
    await ledger.prune(ledger.assigned() as number as Index);
    assert.ok(ledger.beginning() > 0 && ledger.beginning() <= held);
    ledger.journal.compact(
      'reader',
      () => 'later',
      () => ledger.size() as number as Index,
    );
    await fillSegments(ledger, disk, 9);
    await ledger.prune(ledger.assigned() as number as Index);
    assert.ok(ledger.beginning() > held);
    assert.deepEqual(ledger.journal.load('reader'), { state: 'later', records: [] });
    await ledger.close();
  });

  test('lets readers end, and tells those that come late', async () => {
    const { disk, ledger } = await ledgerOf(6);
    const batch = await ledger.read(asIndex(0), { entries: 50, bytes: 10_000 });
    const text = Buffer.from(batch.bytes).toString();
    const reads = [0, 1, 300, 301, 600].map((from) =>
      ledger.read(asIndex(from), ONE).then(
        ({ count }) => count,
        (error: unknown) => (isWaybillError(error) ? error.code : String(error)),
      ),
    );
    const scrubbed = ledger.scrub(new AbortController().signal);
    await ledger.prune(ledger.full()[3]?.first as Index);
    for (const outcome of await Promise.all(reads)) assert.ok(outcome === 1 || outcome === 'LEDGER_PRUNED', String(outcome));
    assert.ok((await scrubbed).segments >= 2);
    assert.equal(Buffer.from(batch.bytes).toString(), text);
    await assert.rejects(
      async () => {
        for await (const _ of ledger.journal.history('old', asIndex(0), new AbortController().signal)) assert.fail('was read');
      },
      { code: 'LEDGER_PRUNED' },
    );
    assert.ok(segmentsOf(disk).length < 6);
    await ledger.close();
  });

  test('works on a full ledger, and whoever waits for room gets it', async () => {
    const disk = new MemoryDisk();
    const limited = { ...OPTIONS, limitBytes: 150_000 };
    await (await newLedger(disk, limited)).close();
    const ledger = await openEmbeddedLedger(limited, portsOf(disk));
    const fill = async (): Promise<string> => {
      for (;;) {
        try {
          await append(ledger, simpleRun('app', 64, 120));
        } catch (error) {
          return isWaybillError(error) ? error.code : String(error);
        }
      }
    };
    assert.equal(await fill(), 'LEDGER_FULL');
    const size = Number(ledger.size());
    await ledger.prune(asIndex(size));
    assert.ok(ledger.beginning() > 0);
    await append(ledger, simpleRun('app', 64, 120));
    await ledger.close();
  });

  test('works on a full disk', async () => {
    const { disk, ledger } = await ledgerOf(6);
    disk.capacity = 0;
    const to = ledger.full()[3]?.first as Index;
    await ledger.prune(to);
    assert.equal(ledger.beginning(), to);
    const again = await reopen(disk.afterKill());
    assert.equal(again.beginning(), to);
    await again.close();
    disk.capacity = Number.MAX_SAFE_INTEGER;
    await ledger.close();
  });

  test('is done by the next call when the disk refuses to remove a file', async () => {
    const memory = new MemoryDisk();
    await (await newLedger(memory)).close();
    let refuses = true;
    const disk: Disk = new Proxy(memory, {
      get(target, name) {
        if (name === 'remove' && refuses)
          return (path: string) => (path.endsWith('.seg') ? Promise.reject(new Error('no')) : target.remove(path));
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const ledger = await reopen(disk);
    await fillSegments(ledger, memory, 5);
    const to = ledger.full()[2]?.first as Index;
    await assert.rejects(ledger.prune(to), /no/);
    assert.equal(ledger.beginning(), to);
    assert.equal(ledger.prunable(to)?.from, 0);
    refuses = false;
    await ledger.prune(to);
    assert.equal(ledger.prunable(to), null);
    await ledger.close();
    assert.equal((await reopen(memory)).beginning(), to);
  });
});

describe('a crash while segments are removed', () => {
  test('at any disk operation and with any style of lost writes, leaves a ledger that goes on', async () => {
    const { disk, ledger } = await ledgerOf(6);
    const size = Number(ledger.size());
    await ledger.close();
    let runs = 0;
    for (let crashAfter = 1; ; crashAfter++) {
      const dying = disk.copy();
      const opened = await reopen(dying);
      dying.crashAfter = dying.operations + crashAfter;
      const to = opened.full()[3]?.first as Index;
      const finished = await Promise.race([opened.prune(to).then(() => true), dying.crashed.then(() => false)]);
      for (const found of [dying.afterKill(), ...CRASH_STYLES.map((style) => dying.afterCrash(style, chance(crashAfter)))]) {
        const again = await reopen(found);
        assert.ok(again.beginning() === 0 || again.beginning() === to, `${again.beginning()}`);
        assert.equal(segmentsOf(found).length, again.full().length + 1);
        await checkContent(again, size);
        await append(again, simpleRun('app', 3));
        await again.prune(to);
        assert.equal(again.beginning(), to);
        await checkContent(again, size + 3);
        await again.close();
        runs++;
      }
      if (finished) break;
    }
    assert.ok(runs > 60, `only ${runs} runs`);
  });

  test('with any of the removals lost, and again while the next process removes the rest', async () => {
    let ends = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new StepDisk(createChance(seed, 'prune'));
      await createEmbeddedLedger(OPTIONS, portsOf(disk.start()));
      let ledger = await openEmbeddedLedger(OPTIONS, portsOf(disk.start()));
      await ledger.journal.append('old', 'record');
      await append(ledger, simpleRun('db', 2, 40, 'place'));
      while (ledger.full().length < 5) await append(ledger, simpleRun('app', 64, 120));
      const size = Number(ledger.size());
      const to = asIndex((ledger.prunable(asIndex(size))?.through as number) + 1);
      assert.ok(to > 256);
      for (let life = 0; life < 3; life++) {
        const ended = new Promise<'ended'>((resolve) => {
          disk.onEnd = () => resolve('ended');
        });
        disk.endAt = disk.steps + 1 + ((seed * 7 + life * 3) % 11);
        const work = life === 0 ? ledger.prune(to) : openEmbeddedLedger(OPTIONS, portsOf(disk.start()));
        if ((await Promise.race([work, ended])) === 'ended') ends++;
        disk.end(seed % 3 === 0 ? 'kill' : 'power');
      }
      ledger = await openEmbeddedLedger(OPTIONS, portsOf(disk.start()));
      assert.ok(ledger.beginning() === 0 || ledger.beginning() === to);
      await checkContent(ledger, size);
      await ledger.close();
    }
    assert.ok(ends > 40, `only ${ends} ends`);
  });
});

describe('a segment that somebody else removed', () => {
  test('is named when it is read, by the scrub, and at the next start', async () => {
    const { disk, ledger } = await ledgerOf(5);
    await ledger.close();
    const path = segmentsOf(disk)[1] as string;
    const open = await reopen(disk);
    disk.erase(path);
    const names = (error: unknown): boolean =>
      isWaybillError(error) && error.code === 'LEDGER_CORRUPT' && error.message.includes(path) && error.message.includes('missing');
    await assert.rejects(open.read(open.full()[1]?.first as Index, ONE), names);
    await assert.rejects(open.scrub(new AbortController().signal), names);
    await open.close();
    await assert.rejects(reopen(disk), { code: 'LEDGER_CORRUPT' });
  });
});
