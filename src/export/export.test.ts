import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type Ending, StepDisk } from '../../test/crash/step-disk.ts';
import { MadeLog, TestKey } from '../../test/doubles/made-log.ts';
import { createChance } from '../../test/sim/chance.ts';
import type { Disk } from '../contracts/ports.ts';
import { asSize } from '../contracts/units.ts';
import { openDisk } from '../runtime/disk.ts';
import { tilePath, tilesOf } from '../tlog/tile.ts';
import { type Exported, writeExport } from './export.ts';
import { openExport } from './read.ts';

const disk = openDisk();
const root = mkdtempSync(join(tmpdir(), 'waybill-export-'));
after(async () => {
  await disk.close();
  rmSync(root, { recursive: true });
});

let places = 0;

function newPlace(): string {
  places += 1;
  return `${root}/${places}`;
}

function run(directory: string, source: MadeLog, on: Disk = disk): Promise<Exported> {
  return writeExport({ directory, source, onProgress: () => {} }, { disk: on });
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1))
    .toSorted();
}

const BESIDE = ['VERIFY.txt', 'checkpoint', 'export.json', 'keys.json', 'lock', 'log.vkey', 'policy'];

/** The whole directory is what the log has, and nothing else. */
async function assertWhole(directory: string, log: MadeLog, history: readonly number[]): Promise<void> {
  const tiles = [...tilesOf(log.published)];
  const expected = [...BESIDE, ...history.map((size) => `checkpoints/${size}`), ...tiles.map(tilePath)].toSorted();
  assert.deepEqual(filesOf(directory), expected);
  for (const tile of tiles)
    assert.deepEqual(readFileSync(`${directory}/${tilePath(tile)}`), Buffer.from(await log.tile(tile)), tilePath(tile));
  assert.deepEqual(readFileSync(`${directory}/checkpoint`), Buffer.from(await log.checkpoint()));
}

describe('an export', () => {
  it('is the whole tree, for every kind of size', async () => {
    for (const size of [0, 1, 255, 256, 257, 700, 65_536, 66_000]) {
      const log = new MadeLog();
      log.grow(size);
      const place = newPlace();
      const exported = await run(place, log);
      assert.equal(exported.size, size);
      assert.equal(exported.added, size);
      await assertWhole(place, log, [size]);
    }
  });

  it('goes on with what is new, and removes the partial tiles of older sizes', async () => {
    const log = new MadeLog();
    const place = newPlace();
    const sizes = [3, 3, 250, 256, 300, 513, 65_530, 65_537, 65_800];
    for (const size of sizes) {
      log.grow(size - log.entries.length);
      log.asked.length = 0;
      await run(place, log);
      assert.ok(
        log.asked.every(({ level }) => level === 'entries'),
        'hashes are made here',
      );
      await assertWhole(
        place,
        log,
        [...new Set(sizes)].filter((old) => old <= size),
      );
    }
    log.asked.length = 0;
    assert.equal((await run(place, log)).added, 0);
    assert.deepEqual(log.asked, []);
  });

  it('keeps the older heads of the log that were given, each checked', async () => {
    const log = new MadeLog();
    log.grow(600);
    log.checkpoints = [await log.note(10), await log.note(300)];
    const place = newPlace();
    await run(place, log);
    await assertWhole(place, log, [10, 300, 600]);
    log.grow(1);
    log.checkpoints = [await log.note(10, new TestKey(log.origin, 'x'))];
    await assert.rejects(run(place, log), { code: 'EXPORT_MISMATCH' });
  });

  it('begins where a pruned log begins, with all of its hashes', async () => {
    const log = new MadeLog();
    log.grow(1_000);
    log.beginning = 512;
    const place = newPlace();
    assert.equal((await run(place, log)).begin, 512);
    assert.deepEqual(readdirSync(`${place}/tile/entries`), ['002', '003.p']);
    assert.deepEqual(readdirSync(`${place}/tile/0`), ['000', '001', '002', '003.p']);
    assert.match(readFileSync(`${place}/VERIFY.txt`, 'utf8'), /removed the entries below 512/);
    const read = await openExport(disk, place, log.keys);
    assert.equal(read.begin, 512);
    // What was exported once stays, whatever the log removes.
    log.grow(500);
    log.beginning = 768;
    await run(place, log);
    assert.deepEqual(readdirSync(`${place}/tile/entries`).slice(0, 2), ['002', '003']);
    log.grow(2_000);
    log.beginning = 2_048;
    await assert.rejects(run(place, log), { code: 'EXPORT_GAP', message: /entries 1280 to 2047/ });
  });

  it('refuses another log, another key, an older copy and changed entries, and changes nothing', async () => {
    const log = new MadeLog();
    log.grow(700);
    const place = newPlace();
    await run(place, log);
    const before = filesOf(place);

    await assert.rejects(run(place, new MadeLog('example.test/other')), { code: 'EXPORT_FOREIGN' });

    const stolen = new MadeLog(log.origin, 'x');
    stolen.grow(800);
    await assert.rejects(run(place, stolen), { code: 'EXPORT_MISMATCH', message: /knows the key/ });

    const older = new MadeLog();
    older.grow(699);
    await assert.rejects(run(place, older), { code: 'LEDGER_REWOUND', message: /holds 700 entries, and the log has published 699/ });

    const other = new MadeLog();
    other.grow(700, (index) => (index === 650 ? 'changed' : `event ${index}`));
    await assert.rejects(run(place, other), { code: 'EXPORT_MISMATCH', message: /different roots for 700/ });
    assert.deepEqual(filesOf(place), before);

    other.grow(5);
    await assert.rejects(run(place, other), { code: 'EXPORT_MISMATCH', message: /entry 650 of the log/ });

    const deep = new MadeLog();
    deep.grow(710, (index) => (index === 3 ? 'changed' : `event ${index}`));
    await assert.rejects(run(place, deep), { code: 'EXPORT_MISMATCH', message: /do not add up/ });
    assert.deepEqual(readFileSync(`${place}/checkpoint`), Buffer.from(await log.checkpoint()));
    log.grow(20);
    await run(place, log);
    await assertWhole(place, log, [700, 720]);
  });

  it('refuses a directory of something else, and one that was changed', async () => {
    const log = new MadeLog();
    log.grow(300);
    const place = newPlace();
    await disk.makeDirectory(place);
    writeFileSync(`${place}/thesis.txt`, 'mine');
    await assert.rejects(run(place, log), { code: 'EXPORT_FOREIGN' });
    assert.deepEqual(filesOf(place), ['thesis.txt']);

    const changed = newPlace();
    await run(changed, log);
    writeFileSync(`${changed}/tile/0/001.p/44`, Buffer.alloc(44 * 32));
    log.grow(1);
    await assert.rejects(run(changed, log), { code: 'EXPORT_DAMAGED', message: /do not add up/ });
    rmSync(`${changed}/tile/0/001.p/44`);
    await assert.rejects(run(changed, log), { code: 'EXPORT_DAMAGED', message: /001.p\/44 is missing/ });
  });

  it('takes a key that was rotated, and no size that its key did not sign for', async () => {
    const log = new MadeLog();
    log.grow(300);
    const place = newPlace();
    await run(place, log);
    const next = new TestKey(log.origin, 'n');
    const [first] = log.keys;
    assert.ok(first);
    log.grow(100);
    log.keys = [
      { ...first, through: asSize(350) },
      { verifierKey: next.verifierKey, from: asSize(350), through: null },
    ];
    await assert.rejects(run(place, log), { code: 'EXPORT_MISMATCH', message: /its key did not sign/ });
    log.key = next;
    await run(place, log);
    assert.equal(readFileSync(`${place}/log.vkey`, 'utf8'), `${next.verifierKey}\n`);
    assert.match(readFileSync(`${place}/keys.json`, 'utf8'), /"through": 350/);
  });

  it('lets one process write at a time', async () => {
    const log = new MadeLog();
    log.grow(10);
    const place = newPlace();
    await disk.makeDirectory(place);
    const held = await disk.lock(`${place}/lock`);
    await assert.rejects(run(place, log), { code: 'EXPORT_LOCKED' });
    await held.release();
    await run(place, log);
  });

  for (const ending of ['kill', 'power'] satisfies Ending[])
    it(`is whole at every moment and goes on, when the process ends by ${ending} at any operation`, async () => {
      for (const at of Array.from({ length: 400 }, (_, k) => k + 1)) {
        const steps = new StepDisk(createChance(at));
        const log = new MadeLog();
        log.grow(200);
        const before = log.published;
        await run('/export', log, steps.start());
        log.grow(400);
        const [from, after] = [steps.steps, log.published];
        const ended = new Promise<void>((resolve) => {
          steps.onEnd = resolve;
        });
        steps.endAt = from + at;
        const done = await Promise.race([run('/export', log, steps.start()), ended.then(() => null)]);
        if (done !== null) return assert.ok(at > 50, 'the run has that many operations');
        steps.end(ending);
        const read = await openExport(steps.start(), '/export', null);
        assert.ok(read.size === before || read.size === after);
        let next = 0;
        for await (const entry of read.entries()) {
          assert.equal(entry.index, next);
          assert.deepEqual(Buffer.from(entry.bytes), log.entries[next]);
          next += 1;
        }
        assert.equal(next, read.size);
        log.grow(at % 3 === 0 ? 0 : 300);
        const again = steps.start();
        await run('/export', log, again);
        assert.equal(await again.length('/export/unfinished'), null);
        for (const tile of tilesOf(log.published))
          assert.equal(await again.length(`/export/${tilePath(tile)}`), (await log.tile(tile)).length, tilePath(tile));
        for (const stale of ['tile/0/000.p/200', 'tile/entries/000.p/200', ...(at % 3 === 0 ? [] : ['tile/0/002.p/88'])])
          assert.equal(await again.length(`/export/${stale}`), null, `${stale} after step ${at}`);
      }
      assert.fail('the run never came to its end');
    });

  it('waits for space: a full disk leaves the older export', async () => {
    const steps = new StepDisk(createChance(1));
    const log = new MadeLog();
    log.grow(300);
    await run('/export', log, steps.start());
    log.grow(300);
    steps.full = true;
    await assert.rejects(run('/export', log, steps.start()), { code: 'DISK_FULL' });
    assert.equal((await openExport(steps.start(), '/export', log.keys)).size, 300);
    steps.full = false;
    assert.equal((await run('/export', log, steps.start())).size, 600);
  });
});

describe('reading an export back', () => {
  it('refuses what is missing, cut, unsigned or no export', async () => {
    const log = new MadeLog();
    log.grow(600);
    const place = newPlace();
    await run(place, log);
    const other = new TestKey(log.origin, 'x');
    await assert.rejects(openExport(disk, place, [{ verifierKey: other.verifierKey, from: asSize(0), through: null }]), {
      code: 'EXPORT_DAMAGED',
      message: /none of the known keys signed/,
    });
    const read = async (): Promise<void> => {
      for await (const entry of (await openExport(disk, place, log.keys)).entries()) assert.ok(entry.bytes.length > 0);
    };
    await read();
    const bundle = `${place}/tile/entries/001`;
    const bytes = readFileSync(bundle);
    writeFileSync(bundle, bytes.subarray(0, -1));
    await assert.rejects(read(), { code: 'EXPORT_DAMAGED', message: /entries\/001: the bundle ends within entry 255/ });
    rmSync(bundle);
    await assert.rejects(read(), { code: 'EXPORT_DAMAGED', message: /entries\/001 is missing/ });
    rmSync(`${place}/checkpoint`);
    await assert.rejects(read(), { code: 'EXPORT_DAMAGED', message: /never finished/ });
    assert.equal(existsSync(`${place}/nothing`), false);
    await assert.rejects(openExport(disk, `${place}/nothing`, null), { code: 'EXPORT_FOREIGN' });
  });
});
