import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { append, contentOf, runOf, Script, script, simpleRun } from '../../../test/conformance/ledger-workload.ts';
import { MemoryDisk } from '../../../test/conformance/memory-disk.ts';
import { newLedger, OPTIONS, reopen } from '../../../test/conformance/small-ledger.ts';
import { isWaybillError } from '../../contracts/errors.ts';
import { asIndex } from '../../contracts/units.ts';

const SEGMENTS = `${OPTIONS.path}/segments`;

/** A disk with a ledger on which a script was played to its end, closed or as a killed process leaves it. */
async function playedDisk(closed: boolean): Promise<{ readonly disk: MemoryDisk; readonly played: Script }> {
  const disk = new MemoryDisk();
  const ledger = await newLedger(disk);
  const played = new Script(script(5, 50));
  await played.play(ledger, 6);
  if (closed) await ledger.close();
  return { disk: disk.copy(), played };
}

/** Opens and reads everything: what it holds, or the damage that was reported on the way. */
async function contentOrDamage(disk: MemoryDisk): Promise<Awaited<ReturnType<typeof contentOf>> | 'damage'> {
  try {
    const ledger = await reopen(disk);
    const content = await contentOf(ledger);
    await ledger.scrub(new AbortController().signal);
    await ledger.close();
    return content;
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'LEDGER_CORRUPT') throw error;
    assert.equal(typeof error.details.facts?.['offset'], 'number');
    assert.match(String(error.details.facts?.['file']), /^\/ledger\//);
    return 'damage';
  }
}

function flipped(disk: MemoryDisk, path: string, at: number, bit: number): MemoryDisk {
  const copy = disk.copy();
  const bytes = copy.bytes(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
  copy.replace(path, bytes);
  return copy;
}

/** The last byte of a file that is not zero. */
function lastByte(bytes: Uint8Array): number {
  let at = bytes.length - 1;
  while (at > 0 && bytes[at] === 0) at--;
  return at;
}

function segmentsOf(disk: MemoryDisk): readonly string[] {
  return disk.files().filter((name) => name.endsWith('.seg'));
}

describe('a changed byte', () => {
  test('of a closed ledger never makes it hold less than was answered', async () => {
    const { disk, played } = await playedDisk(true);
    let found = 0;
    let flips = 0;
    for (const path of disk.files().filter((name) => !name.endsWith('/lock') && !name.endsWith('/prepared'))) {
      const end = lastByte(disk.bytes(path));
      const step = Math.max(1, Math.floor(end / 60));
      for (let at = 0; at <= end; at += step) {
        const content = await contentOrDamage(flipped(disk, path, at, at % 8)).catch((error: unknown) => (error as { code?: string }).code);
        flips++;
        if (content === 'damage') found++;
        // The origin stands in ledger.json in plain text, and a changed version is another version.
        else if (typeof content === 'string') assert.match(content, /^LEDGER_(?:ORIGIN|FORMAT)$/, `${path} at ${at}`);
        else if (content === undefined) assert.fail(`${path} at ${at}: an error without a code`);
        else assert.equal(played.check(content), played.ops.length, `${path} at ${at}`);
      }
    }
    assert.ok(found > 150 && flips > 300, `${found} of ${flips} found`);
  });

  test('of a ledger that was not closed is only ever taken for a torn tail in its last group', async () => {
    const { disk, played } = await playedDisk(false);
    const last = segmentsOf(disk).at(-1) as string;
    const before = await contentOrDamage(disk.copy());
    assert.ok(before !== 'damage' && played.check(before) === played.ops.length);
    let shorter = 0;
    const end = lastByte(disk.bytes(last));
    for (let at = 64; at <= end; at += Math.ceil(end / 90)) {
      const content = await contentOrDamage(flipped(disk, last, at, at % 8));
      if (content === 'damage') continue;
      const copy = played.copy();
      // The last group was answered, but nothing that came later proves that it was ever on the disk.
      copy.answered = played.ops.length - 12;
      if (copy.check(content) < played.ops.length) shorter++;
    }
    assert.ok(shorter > 0);
    for (const path of segmentsOf(disk).slice(0, -1)) {
      for (let at = 64; at <= lastByte(disk.bytes(path)); at += 1_997) {
        const content = await contentOrDamage(flipped(disk, path, at, 3));
        if (content !== 'damage') assert.equal(played.check(content), played.ops.length, `${path} at ${at}`);
      }
    }
  });

  test('is reported with its file and byte, and nothing on the disk is changed', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    for (let k = 0; k < 4; k++) await append(ledger, simpleRun('app', 5));
    await ledger.close();
    const path = segmentsOf(disk)[0] as string;
    const damaged = flipped(disk, path, 64 + 64 + 40, 0);
    const before = damaged.files().map((name) => [name, damaged.bytes(name).toString('hex')]);
    await assert.rejects(reopen(damaged), (error) => {
      assert.ok(isWaybillError(error) && error.code === 'LEDGER_CORRUPT');
      assert.deepEqual(error.details.facts, { file: path, offset: 64 });
      return true;
    });
    assert.deepEqual(
      damaged.files().map((name) => [name, damaged.bytes(name).toString('hex')]),
      before,
    );
  });
});

describe('without a snapshot', () => {
  /** Frames of one group each, or two of one group, that nothing but later groups proves to have been durable. */
  async function unclosed(): Promise<{ readonly disk: MemoryDisk; readonly path: string; readonly frames: readonly number[] }> {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    for (let k = 0; k < 3; k++) await append(ledger, simpleRun('app', 1));
    const rooms = [await ledger.reserve(1, 100), await ledger.reserve(1, 100)] as const;
    const run = runOf(simpleRun('app', 1));
    await Promise.all(rooms.map((room) => ledger.append(run, ledger.assigned(), room)));
    await append(ledger, simpleRun('app', 1));
    const left = disk.afterKill();
    const path = segmentsOf(left)[0] as string;
    const frames: number[] = [];
    for (let at = 64; frames.length < 6; at += 64 + ((left.bytes(path).readUInt32LE(at + 40) + 7) & ~7)) frames.push(at);
    return { disk: left, path, frames };
  }

  test('a changed frame is damage when a later group was written, wherever in its group it stands', async () => {
    const { disk, path, frames } = await unclosed();
    for (const [k, at] of frames.entries()) {
      for (const byte of [at + 10, at + 62, at + 70]) {
        const outcome = await contentOrDamage(flipped(disk, path, byte, 1));
        if (k < 5) assert.equal(outcome, 'damage', `frame ${k}, byte ${byte}`);
        else assert.ok(outcome !== 'damage' && outcome.entries.length === 5, 'the last one may be a torn tail');
      }
    }
  });
});

describe('what is missing', () => {
  test('a segment in the middle, at the end or at the beginning is damage', async () => {
    const { disk } = await playedDisk(true);
    const segments = segmentsOf(disk);
    assert.ok(segments.length >= 3);
    for (const path of segments) {
      const copy = disk.copy();
      copy.erase(path);
      await assert.rejects(reopen(copy), { code: 'LEDGER_CORRUPT' });
    }
  });

  test('the end of a closed segment is damage', async () => {
    const { disk } = await playedDisk(true);
    const last = segmentsOf(disk).at(-1) as string;
    const bytes = disk.bytes(last);
    for (const length of [0, 64, 100, lastByte(bytes) - 100]) {
      const copy = disk.copy();
      copy.replace(last, bytes.subarray(0, length));
      await assert.rejects(reopen(copy), { code: 'LEDGER_CORRUPT' });
    }
  });

  test('snapshots are rebuilt from the frames', async () => {
    const { disk, played } = await playedDisk(true);
    const snapshots = disk.files().filter((name) => name.endsWith('.snap'));
    assert.equal(snapshots.length, 2);
    for (const path of snapshots) disk.erase(path);
    const content = await contentOrDamage(disk);
    assert.ok(content !== 'damage');
    assert.equal(played.check(content), played.ops.length);
  });

  test('the seal of a full segment is missed in its own file', async () => {
    const { disk } = await playedDisk(true);
    for (const path of disk.files().filter((name) => name.endsWith('.snap'))) disk.erase(path);
    const path = segmentsOf(disk)[0] as string;
    const damaged = flipped(disk, path, disk.bytes(path).length - 12, 2);
    await assert.rejects(reopen(damaged), (error) => isWaybillError(error) && error.details.facts?.['file'] === path);
  });

  test('a frame of another ledger is none of ours', async () => {
    const { disk } = await playedDisk(true);
    const path = segmentsOf(disk)[0] as string;
    const copy = disk.copy();
    const description = copy
      .bytes(`${OPTIONS.path}/ledger.json`)
      .toString()
      .replace(/"id":"../, '"id":"ee');
    copy.replace(`${OPTIONS.path}/ledger.json`, Buffer.from(description));
    await assert.rejects(reopen(copy), (error) => isWaybillError(error) && error.details.facts?.['file'] === path);
  });
});

describe('a torn tail', () => {
  test('is gone for good: what stood behind a lost frame does not come back when the frame is written again', async () => {
    const disk = new MemoryDisk();
    const ledger = await newLedger(disk);
    await append(ledger, simpleRun('app', 1));
    // Two runs in one group, of which the first one is lost.
    const runs = [runOf(simpleRun('app', 2)), runOf(simpleRun('app', 3))] as const;
    const rooms = [await ledger.reserve(2, 1_000), await ledger.reserve(3, 1_000)] as const;
    const held = disk.holdFlushes(SEGMENTS);
    const answers = [ledger.append(runs[0], ledger.assigned(), rooms[0]), ledger.append(runs[1], ledger.assigned(), rooms[1])];
    for (let k = 0; k < 20; k++) await Promise.resolve();
    const torn = disk.afterCrash('whole', () => 0);
    held();
    await Promise.all(answers);
    const path = segmentsOf(torn)[0] as string;
    const firstEnd = torn.bytes(path).readUInt32LE(64 + 40);
    const second = 64 + 64 + ((firstEnd + 7) & ~7);
    const bytes = torn.bytes(path);
    bytes.fill(0, second, second + 64);
    torn.replace(path, bytes);

    const after = await reopen(torn);
    assert.equal(after.size(), 1);
    await append(after, simpleRun('app', 2));
    const again = await reopen(torn.afterCrash('whole', () => 0));
    assert.equal(again.size(), 3);
    assert.equal(again.sequence('app'), 3);
    const { entries } = await contentOf(again);
    assert.deepEqual(entries, [...simpleRun('app', 1).entries, ...simpleRun('app', 2).entries]);
    assert.equal((await again.read(asIndex(2), { entries: 9, bytes: 9 })).count, 1);
  });
});
