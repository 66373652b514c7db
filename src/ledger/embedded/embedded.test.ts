import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { append, contentOf, runOf, simpleRun } from '../../../test/conformance/ledger-workload.ts';
import { MemoryDisk } from '../../../test/conformance/memory-disk.ts';
import { fillSegments, newLedger, OPTIONS, portsOf, reopen, turns } from '../../../test/conformance/small-ledger.ts';
import { createEmbeddedLedger } from './create.ts';
import { type EmbeddedLedger, openEmbeddedLedger } from './embedded.ts';

const SEGMENTS = `${OPTIONS.path}/segments`;

describe('creating', () => {
  test('refuses a directory that holds a ledger, or entries without one', async () => {
    const disk = new MemoryDisk();
    await assert.rejects(reopen(disk), { code: 'LEDGER_MISSING' });
    const ledger = await newLedger(disk);
    await append(ledger, simpleRun('app', 1));
    await assert.rejects(createEmbeddedLedger(OPTIONS, portsOf(disk)), { code: 'LEDGER_EXISTS' });
    await ledger.close();
    disk.erase(`${OPTIONS.path}/ledger.json`);
    await assert.rejects(createEmbeddedLedger(OPTIONS, portsOf(disk)), { code: 'LEDGER_EXISTS' });
    await assert.rejects(reopen(disk), { code: 'LEDGER_MISSING' });
  });

  test('is told from another ledger by its origin, and from another format by its version', async () => {
    const disk = new MemoryDisk();
    await createEmbeddedLedger(OPTIONS, portsOf(disk));
    await assert.rejects(reopen(disk, { ...OPTIONS, origin: 'other.example/audit' }), { code: 'LEDGER_ORIGIN' });
    const path = `${OPTIONS.path}/ledger.json`;
    const text = disk.bytes(path).toString();
    disk.replace(path, Buffer.from(text.replace('"version":1', '"version":2')));
    await assert.rejects(reopen(disk), { code: 'LEDGER_FORMAT' });
    disk.replace(path, Buffer.from(text.slice(0, 40)));
    await assert.rejects(reopen(disk), { code: 'LEDGER_CORRUPT' });
    disk.replace(path, Buffer.from(text));
    await (await reopen(disk)).close();
  });

  test('lets go of the lock when it cannot open', async () => {
    const disk = new MemoryDisk();
    await (await newLedger(disk)).close();
    const path = `${SEGMENTS}/00000000000000000000.seg`;
    const bytes = disk.bytes(path);
    disk.replace(path, Buffer.alloc(64));
    await assert.rejects(reopen(disk), { code: 'LEDGER_CORRUPT' });
    disk.replace(path, bytes);
    await (await reopen(disk)).close();
  });
});

describe('opening', () => {
  test('fails with the disk, keeps nothing locked or lost, and works once the disk does', async () => {
    const base = new MemoryDisk();
    const ledger = await newLedger(base);
    await fillSegments(ledger, base, 2);
    await append(ledger, simpleRun('app', 3));
    const { entries } = await contentOf(ledger);
    const torn = base.afterKill();
    const last = torn.files().findLast((name) => name.endsWith('.seg')) as string;
    torn.replace(last, Buffer.concat([torn.bytes(last), Buffer.from('junk that a crash left')]));
    let failures = 0;
    for (let at = 1; ; at++) {
      const disk = torn.copy();
      disk.failures.set(at, at % 2 === 0 ? 'DISK_FULL' : 'DISK_FAILED');
      const outcome = await reopen(disk).then(
        async (opened) => {
          await opened.close();
          return 'opened';
        },
        (error: unknown) => (error as { readonly code?: string }).code,
      );
      if (outcome !== 'opened') {
        assert.match(String(outcome), /^DISK_/);
        failures++;
      }
      const reached = disk.operations >= at;
      disk.failures.clear();
      const again = await reopen(disk);
      assert.deepEqual((await contentOf(again)).entries, entries);
      await again.close();
      if (!reached) break;
    }
    assert.ok(failures > 3, `only ${failures} failures`);
  });
});

describe('a run of several groups', () => {
  test('is not counted before its last part is durable', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    await append(ledger, simpleRun('app', 3));
    const sizes = new Set<number>();
    let done = false;
    const answer = append(ledger, simpleRun('app', 1_500, 500)).then(() => {
      done = true;
    });
    const operations = disk.operations;
    while (!done) {
      sizes.add(ledger.size());
      await Promise.resolve();
    }
    await answer;
    assert.ok(disk.operations > operations + 10);
    assert.ok([...sizes].every((size) => size === 3 || size === 1_503) && sizes.has(3), String([...sizes]));
    assert.equal(ledger.size(), 1_503);
    await ledger.close();
  });

  test('that was not finished takes its place with it, in this segment and the one before', async () => {
    const base = new MemoryDisk();
    const options = { ...OPTIONS, aheadBytes: 32_768 };
    const ledger = await newLedger(base, options);
    await append(ledger, simpleRun('app', 240, 120));
    await ledger.close();
    // The next segment is prepared while the first entry is appended, and begins in the middle of the run after it.
    const size = 241;
    const outcomes: number[] = [];
    let turned = 0;
    for (let operation = 1; ; operation++) {
      const disk = base.copy();
      const writer = await reopen(disk, options);
      await append(writer, simpleRun('app', 1));
      await turns(200);
      disk.crashAfter = disk.operations + operation;
      const finished = await Promise.race([append(writer, simpleRun('app', 30, 120)).then(() => true), disk.crashed.then(() => false)]);
      const other = await reopen(
        disk.afterCrash('whole', () => 0),
        options,
      );
      outcomes.push(other.size() - size);
      assert.ok([0, 30].includes(other.size() - size), `${other.size()} entries after ${size}`);
      assert.equal(other.sequence('app'), Number(other.size()));
      if (disk.files().filter((name) => name.endsWith('.seg')).length > 1 && other.size() === size) turned++;
      assert.equal(await append(other, simpleRun('app', 5)), other.size() - 5);
      assert.equal((await contentOf(other)).entries.length, other.size());
      if (finished) break;
    }
    assert.ok(outcomes.includes(0) && outcomes.includes(30), String(outcomes));
    assert.ok(turned > 0, 'the run never crossed the end of a segment unfinished');
  });
});

describe('the end of a segment', () => {
  const options = { ...OPTIONS, aheadBytes: 32_768 };

  /** A ledger whose segment is full and whose next one is prepared: the next frame begins it. */
  async function atTheEnd(disk: MemoryDisk): Promise<EmbeddedLedger> {
    const ledger = await newLedger(disk, options);
    await append(ledger, simpleRun('app', 255, 120));
    await append(ledger, simpleRun('app', 1, 120));
    await turns(200);
    return ledger;
  }

  test('may come with the death of the process and then of the power, at every operation', async () => {
    let begun = 0;
    for (let operation = 1; ; operation++) {
      const disk = new MemoryDisk();
      const ledger = await atTheEnd(disk);
      disk.crashAfter = disk.operations + operation;
      const finished = await Promise.race([append(ledger, simpleRun('app', 2)).then(() => true), disk.crashed.then(() => false)]);
      const killed = disk.afterKill();
      const next = await reopen(killed, options);
      if (killed.files().filter((name) => name.endsWith('.seg')).length === 2) begun++;
      await append(next, simpleRun('later', 3));
      const last = await reopen(
        killed.afterCrash('lost', () => 0),
        options,
      );
      assert.deepEqual([Number(last.size()), last.sequence('later')], [Number(next.size()), 3]);
      if (finished) break;
    }
    assert.ok(begun > 2);
  });

  test('takes a snapshot in which no record is folded twice, although some wait for room', async () => {
    const disk = new MemoryDisk();
    let slow = 0;
    const open = disk.open.bind(disk);
    disk.open = async (path, mode) => {
      const file = await open(path, mode);
      return { ...file, write: async (bytes, at) => file.write(bytes, at).then(() => turns(slow)) };
    };
    const ledger = await atTheEnd(disk);
    slow = 200;
    const records: string[] = [];
    ledger.journal.compact('key', () => JSON.stringify(records));
    const run = runOf(simpleRun('app', 1));
    const room = await ledger.reserve(run.count, run.bytes.length);
    const answers: Promise<unknown>[] = [ledger.append(run, ledger.assigned(), room)];
    for (let k = 0; k < 600; k++) {
      records.push(`record ${k}`);
      answers.push(ledger.journal.append('key', `record ${k}`));
    }
    await Promise.all(answers);
    await turns(2_000);
    assert.equal(disk.files().filter((name) => name.endsWith('.snap')).length, 1);
    const next = await reopen(
      disk.afterCrash('lost', () => 0),
      options,
    );
    const { state, records: since } = next.journal.load('key');
    assert.deepEqual([...(JSON.parse(state ?? '[]') as string[]), ...since], records);
  });
});

describe('a snapshot', () => {
  test('is not published before what it covers is durable', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    let firstFlushAt = Number.MAX_SAFE_INTEGER;
    const rename = disk.rename.bind(disk);
    disk.rename = (from, to) => {
      // A new segment makes a snapshot due with its first flush, three operations later.
      if (to.endsWith('.seg')) firstFlushAt = disk.operations + 4;
      return rename(from, to);
    };
    const pending = new Set<Promise<unknown>>();
    while (disk.operations < firstFlushAt) {
      if (pending.size < 6) {
        const answer: Promise<unknown> = append(ledger, simpleRun('app', 32, 120)).then(() => pending.delete(answer));
        pending.add(answer);
      }
      await turns(1);
    }
    // What came behind it is placed, and does not become durable.
    const release = disk.holdFlushes(SEGMENTS);
    await turns(400);
    assert.ok(ledger.assigned() > ledger.size());
    const crashed = await reopen(disk.afterCrash('lost', () => 0));
    assert.ok(crashed.size() >= ledger.size());
    const published = (): number => disk.files().filter((name) => name.endsWith('.snap')).length;
    assert.equal(published(), 0);
    release();
    await Promise.all(pending);
    await turns(200);
    assert.equal(published(), 1);
    await ledger.close();
  });

  test('that cannot be written is tried again, and costs nobody anything', async () => {
    const disk = new MemoryDisk();
    const warnings: string[] = [];
    await createEmbeddedLedger(OPTIONS, portsOf(disk));
    const log = { info: () => undefined, error: () => undefined, warn: (message: string) => void warnings.push(message) };
    const ledger = await openEmbeddedLedger(OPTIONS, portsOf(disk, log));
    const rename = disk.rename.bind(disk);
    disk.rename = (from, to) => (to.endsWith('.snap') ? Promise.reject(new Error('no')) : rename(from, to));
    await fillSegments(ledger, disk, 3);
    await turns(100);
    assert.ok(warnings.length >= 2);
    assert.equal(disk.files().filter((name) => name.endsWith('.snap')).length, 0);
    disk.rename = rename;
    await fillSegments(ledger, disk, 5);
    await turns(100);
    assert.ok(disk.files().filter((name) => name.endsWith('.snap')).length > 0);
    await ledger.close();
  });
});
