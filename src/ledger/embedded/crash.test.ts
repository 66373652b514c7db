import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { append, chance, contentOf, runOf, Script, script, simpleRun } from '../../../test/conformance/ledger-workload.ts';
import { CRASH_STYLES, type CrashStyle, MemoryDisk } from '../../../test/conformance/memory-disk.ts';
import { OPTIONS, portsOf } from '../../../test/conformance/small-ledger.ts';
import { createEmbeddedLedger } from './create.ts';
import { openEmbeddedLedger } from './embedded.ts';

/** A process that creates a ledger, plays a script and closes it, on a disk that dies after an operation. */
async function lifeUntil(crashAfter: number): Promise<{ readonly disk: MemoryDisk; readonly played: Script; readonly finished: boolean }> {
  const disk = new MemoryDisk();
  disk.crashAfter = crashAfter;
  const played = new Script(script(1, 46));
  const life = async (): Promise<boolean> => {
    await createEmbeddedLedger(OPTIONS, portsOf(disk));
    const ledger = await openEmbeddedLedger(OPTIONS, portsOf(disk));
    await played.play(ledger, 2);
    await ledger.close();
    return true;
  };
  const finished = await Promise.race([life(), disk.crashed.then(() => false)]);
  return { disk, played, finished };
}

/** The next process: it must find what was answered, and be able to go on. */
async function checkNextLife(disk: MemoryDisk, played: Script, what: string, powerFails = false): Promise<void> {
  try {
    if ((await disk.length(`${OPTIONS.path}/ledger.json`)) === null) {
      assert.equal(played.answered, 0);
      await createEmbeddedLedger(OPTIONS, portsOf(disk));
    }
    const ledger = await openEmbeddedLedger(OPTIONS, portsOf(disk));
    const calls = played.check(await contentOf(ledger));
    played.answered = played.issued = calls;
    // What the next process counts must not be in the page cache only.
    if (powerFails) played.check(await contentOf(await openEmbeddedLedger(OPTIONS, portsOf(disk.afterCrash('lost', chance(3))))));
    const size = ledger.size();
    assert.equal(await append(ledger, simpleRun('later', 3)), size);
    await ledger.journal.append('later', 'record');
    if (powerFails) {
      const afterPowerLoss = await openEmbeddedLedger(OPTIONS, portsOf(disk.afterCrash('lost', chance(3))));
      assert.deepEqual([Number(afterPowerLoss.size()), afterPowerLoss.journal.load('later').records], [size + 3, ['record']]);
    }
    await ledger.close();
    const again = await openEmbeddedLedger(OPTIONS, portsOf(disk));
    assert.equal(again.size(), size + 3);
    assert.equal(again.sequence('later'), 3);
    assert.deepEqual(again.journal.load('later').records, ['record']);
    const { entries, state } = await contentOf(again);
    played.check({ entries: entries.slice(0, size), state });
    await again.close();
  } catch (error) {
    throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
}

describe('a loss of power', () => {
  test('after every disk operation of a script, with every style of lost writes, loses nothing that was answered', async () => {
    let runs = 0;
    for (let crashAfter = 1; ; crashAfter++) {
      const { disk, played, finished } = await lifeUntil(crashAfter);
      await checkNextLife(disk.afterKill(), played.copy(), `operation ${crashAfter}, the process only`, true);
      for (const style of CRASH_STYLES) {
        await checkNextLife(disk.afterCrash(style, chance(crashAfter)), played.copy(), `operation ${crashAfter}, ${style}`);
        runs++;
      }
      if (finished) break;
    }
    assert.ok(runs > 400, `only ${runs} runs`);
  });

  test('while the next process recovers, at every operation of that, loses nothing either', async () => {
    let runs = 0;
    for (let crashAfter = 8; ; crashAfter += 2) {
      const { disk, played, finished } = await lifeUntil(crashAfter);
      if (finished) break;
      const styles: readonly CrashStyle[] = ['sectors', 'junk'];
      const style = styles[(crashAfter >>> 1) % 2] as CrashStyle;
      const found = disk.afterCrash(style, chance(crashAfter));
      if ((await found.length(`${OPTIONS.path}/ledger.json`)) === null) continue;
      for (let second = 1; ; second++) {
        const next = disk.afterCrash(style, chance(crashAfter));
        next.crashAfter = second;
        const opened = openEmbeddedLedger(OPTIONS, portsOf(next)).then(() => true);
        const recovered = await Promise.race([opened, next.crashed.then(() => false)]);
        const what = `operation ${crashAfter}, ${style}, then operation ${second} of the recovery`;
        await checkNextLife(next.afterCrash('sectors', chance(second)), played.copy(), what);
        runs++;
        if (recovered) break;
      }
    }
    assert.ok(runs > 150, `only ${runs} runs`);
  });

  test('while a long run that was not finished is taken back leaves nothing that looks like damage', async () => {
    const base = new MemoryDisk();
    await createEmbeddedLedger(OPTIONS, portsOf(base));
    const first = await openEmbeddedLedger(OPTIONS, portsOf(base));
    await append(first, simpleRun('app', 1));
    await first.close();
    let several = 0;
    for (let crashAfter = 1; ; crashAfter++) {
      const disk = base.copy();
      const ledger = await openEmbeddedLedger(OPTIONS, portsOf(disk));
      const run = runOf(simpleRun('app', 1_500, 350));
      const room = await ledger.reserve(run.count, run.bytes.length);
      disk.crashAfter = disk.operations + crashAfter;
      const finished = await Promise.race([ledger.append(run, ledger.assigned(), room).then(() => true), disk.crashed.then(() => false)]);
      if (finished) break;
      for (let seed = 0; seed < 4; seed++) {
        for (let second = 1; ; second++) {
          const found = disk.afterCrash('lost', chance(1));
          found.crashAfter = second;
          const opened = openEmbeddedLedger(OPTIONS, portsOf(found)).then(() => true);
          const recovered = await Promise.race([opened, found.crashed.then(() => false)]);
          const last = await openEmbeddedLedger(OPTIONS, portsOf(found.afterCrash('sectors', chance(seed))));
          assert.equal(last.size(), 1);
          several++;
          if (recovered) break;
        }
      }
    }
    assert.ok(several > 100, `only ${several} recoveries`);
  });
});
