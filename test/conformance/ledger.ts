import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isWaybillError } from '../../src/contracts/errors.ts';
import type { Ledger } from '../../src/contracts/ledger.ts';
import { asIndex, asSize, ENTRY_BYTES_MAX } from '../../src/contracts/units.ts';
import { facts } from './ledger-facts.ts';
import { past } from './ledger-past.ts';
import { append, contentOf, runOf, Script, script, simpleRun } from './ledger-workload.ts';

/** A place that holds one ledger, over several lives of the process. */
export interface LedgerPlace {
  open(): Promise<Ledger>;
  /** What is there after everything that no flush covered is lost: the process that has the ledger open is gone. */
  crash?(): Promise<void>;
  /** Stops all flushes until the answer is called. */
  hold?(): () => void;
  /** Changes a byte that was promised, somewhere in the middle. The ledger is not open. */
  damage?(): Promise<void>;
  stop(): Promise<void>;
}

/** How the suite gets at one implementation. */
export interface LedgerHarness {
  /** Makes a place with an empty ledger. */
  start(): Promise<LedgerPlace>;
  /** Tests that cannot be run here, and why. One that could be run is a mistake here. */
  readonly skip: readonly { readonly needs: 'crash' | 'hold' | 'damage'; readonly reason: string }[];
}

/** What a test needs that not every place can do. */
export type Needs = 'crash' | 'hold' | 'damage';

/** Adds a test to the suite. */
export type Check = (title: string, needs: readonly Needs[], run: (place: LedgerPlace) => Promise<void>) => void;

/** What every ledger must do, whatever stands behind it. */
export function ledgerConformance(name: string, harness: LedgerHarness): void {
  const check = (title: string, needs: readonly Needs[], run: (place: LedgerPlace) => Promise<void>): void => {
    const skipped = harness.skip.find((skip) => needs.includes(skip.needs));
    test(title, skipped === undefined ? {} : { skip: skipped.reason }, async () => {
      const place = await harness.start();
      try {
        await run(place);
      } finally {
        await place.stop();
      }
    });
  };
  describe(`${name} is a ledger`, () => {
    test('skips nothing that could be run', async () => {
      const place = await harness.start();
      for (const { needs } of harness.skip) assert.equal(place[needs], undefined, `${needs} is there and skipped`);
      for (const needs of ['crash', 'hold', 'damage'] as const) {
        assert.ok(place[needs] !== undefined || harness.skip.some((skip) => skip.needs === needs), `${needs} is missing without a reason`);
      }
      await place.stop();
    });
    entries(check);
    durability(check);
    order(check);
    facts(check);
    past(check);
  });
}

function entries(check: Check): void {
  check('gives back the bytes that were appended, also after it was opened again', [], async (place) => {
    const ledger = await place.open();
    const odd = ['x', '{"\u0000":"\u001f"}', '"🦣 ü"', 'y'.repeat(ENTRY_BYTES_MAX), '{}'];
    const run = { ...simpleRun('app', 0), entries: odd };
    const bytes = runOf(run);
    const room = await ledger.reserve(bytes.count, bytes.bytes.length);
    const answer = ledger.append(bytes, ledger.assigned(), room);
    // The caller may use its memory again at once.
    bytes.bytes.fill(0);
    bytes.offsets.fill(0);
    assert.equal(await answer, 0);
    assert.deepEqual((await contentOf(ledger)).entries, odd);
    await ledger.close();
    const again = await place.open();
    assert.deepEqual((await contentOf(again)).entries, odd);
    await again.close();
  });

  check('reads from every index, within the limits, and at least one entry', [], async (place) => {
    const ledger = await place.open();
    const texts: string[] = [];
    for (const count of [1, 5, 300, 2]) {
      const run = simpleRun('app', count, 30 + count);
      texts.push(...run.entries);
      await append(ledger, run);
    }
    for (const open of [ledger, null]) {
      if (open === null) await ledger.close();
      const reader = open ?? (await place.open());
      for (let from = 0; from < texts.length; from++) {
        const one = await reader.read(asIndex(from), { entries: 1, bytes: 1 });
        assert.equal(Buffer.from(one.bytes.subarray(one.starts[0], one.ends[0])).toString(), texts[from]);
        assert.deepEqual([one.first, one.count, one.starts.length, one.ends.length], [from, 1, 1, 1]);
      }
      const some = await reader.read(asIndex(7), { entries: 4, bytes: 1_000_000 });
      assert.equal(some.count, 4);
      const few = await reader.read(asIndex(7), { entries: 1_000, bytes: 2 * 330 });
      assert.equal(few.count, 2);
      const none = await reader.read(asIndex(texts.length), { entries: 10, bytes: 1_000 });
      assert.deepEqual([none.first, none.count], [texts.length, 0]);
      if (open === null) await reader.close();
    }
  });

  check('never changes a batch that it handed out', [], async (place) => {
    const ledger = await place.open();
    await append(ledger, simpleRun('first', 3, 100));
    const batch = await ledger.read(asIndex(0), { entries: 3, bytes: 1_000 });
    const text = Buffer.from(batch.bytes).toString();
    for (let k = 0; k < 60; k++) await append(ledger, simpleRun('later', 100, 200));
    assert.equal(Buffer.from(batch.bytes).toString(), text);
    await ledger.close();
    assert.equal(Buffer.from(batch.bytes).toString(), text);
  });

  check('is read while it is appended to, without a hole or a repeat', [], async (place) => {
    const ledger = await place.open();
    const total = 2_000;
    const texts = simpleRun('app', total, 60).entries;
    const writing = (async () => {
      for (let at = 0; at < total; at += 40) await append(ledger, { ...simpleRun('app', 0), entries: texts.slice(at, at + 40) });
    })();
    const read: string[] = [];
    while (read.length < total) {
      const size = await ledger.waitBeyond(asSize(read.length), new AbortController().signal);
      assert.ok(size <= ledger.size());
      const batch = await ledger.read(asIndex(read.length), { entries: 33, bytes: 5_000 });
      for (let k = 0; k < batch.count; k++) read.push(Buffer.from(batch.bytes.subarray(batch.starts[k], batch.ends[k])).toString());
    }
    await writing;
    assert.deepEqual(read, texts);
    await ledger.close();
  });
}

function durability(check: Check): void {
  check('counts and answers an append only once it is durable', ['hold', 'crash'], async (place) => {
    const ledger = await place.open();
    await append(ledger, simpleRun('app', 2));
    const release = place.hold?.();
    let answered = false;
    const run = runOf(simpleRun('app', 3));
    const room = await ledger.reserve(run.count, run.bytes.length);
    const answer = ledger.append(run, ledger.assigned(), room).then((index) => {
      answered = true;
      return index;
    });
    for (let k = 0; k < 200; k++) await Promise.resolve();
    assert.deepEqual([answered, Number(ledger.size()), Number(ledger.assigned())], [false, 2, 5]);
    assert.equal((await ledger.read(asIndex(2), { entries: 9, bytes: 999 })).count, 0);
    release?.();
    assert.equal(await answer, 2);
    assert.equal(ledger.size(), 5);
    await place.crash?.();
    const again = await place.open();
    assert.equal(again.size(), 5);
    await again.close();
  });

  check('keeps a run wholly or not at all when power fails in the middle of it', ['hold', 'crash'], async (place) => {
    const ledger = await place.open();
    await append(ledger, simpleRun('app', 2));
    place.hold?.();
    const lost = append(ledger, simpleRun('app', 900, 700));
    lost.catch(() => undefined);
    for (let k = 0; k < 200; k++) await Promise.resolve();
    await place.crash?.();
    const again = await place.open();
    assert.ok([2, 902].includes(again.size()), `${again.size()} entries`);
    assert.equal(again.sequence('app'), Number(again.size()));
    await again.close();
  });

  check('never shrinks, over many lives', [], async (place) => {
    let size = 0;
    for (let life = 0; life < 5; life++) {
      const ledger = await place.open();
      assert.equal(ledger.size(), size);
      assert.equal(ledger.assigned(), size);
      await append(ledger, simpleRun('app', 100 * life + 1));
      size += 100 * life + 1;
      await ledger.close();
    }
  });

  check('refuses to open when a byte in the middle was changed, or refuses to read it', ['damage'], async (place) => {
    const ledger = await place.open();
    for (let k = 0; k < 50; k++) await append(ledger, simpleRun('app', 20, 100));
    await ledger.close();
    await place.damage?.();
    const outcome = await place
      .open()
      .then(contentOf)
      .then(
        () => 'read',
        (error: unknown) => (isWaybillError(error) ? error.code : String(error)),
      );
    assert.equal(outcome, 'LEDGER_CORRUPT');
  });

  check('holds what any script of calls adds up to, after it was closed and after a crash', [], async (place) => {
    const played = new Script(script(11, 120));
    const ledger = await place.open();
    await played.play(ledger, 3);
    assert.equal(played.check(await contentOf(ledger)), played.ops.length);
    await ledger.close();
    const again = await place.open();
    assert.equal(played.check(await contentOf(again)), played.ops.length);
    if (place.crash === undefined) {
      await again.close();
      return;
    }
    const longer = new Script([...played.ops, ...script(12, 60).filter(({ kind }) => kind !== 'run')]);
    longer.issued = longer.answered = played.ops.length;
    await longer.play(again, 4);
    await place.crash();
    const last = await place.open();
    assert.equal(longer.check(await contentOf(last)), longer.ops.length);
    await last.close();
  });
}

function order(check: Check): void {
  check('numbers from 0 without gaps, at once, and answers in that order', [], async (place) => {
    const ledger = await place.open();
    const answered: number[] = [];
    const pending: Promise<unknown>[] = [];
    let next = 0;
    for (const count of [3, 0, 1, 500, 0, 2]) {
      const run = runOf(simpleRun('app', count));
      const room = await ledger.reserve(run.count, run.bytes.length);
      const first = next;
      pending.push(ledger.append(run, ledger.assigned(), room).then((index) => answered.push(index)));
      next += count;
      assert.equal(ledger.assigned(), next, `after the run at ${first}`);
    }
    await Promise.all(pending);
    assert.deepEqual(answered, [0, 3, 3, 4, 504, 504]);
    assert.equal(ledger.size(), 506);
    assert.equal(ledger.beginning(), 0);
    await ledger.close();
  });

  check('refuses a writer that does not know the assigned size, and numbers nothing for it', [], async (place) => {
    const ledger = await place.open();
    const run = runOf(simpleRun('app', 2));
    const attempt = async (expected: number): Promise<number> =>
      ledger.append(run, asSize(expected), await ledger.reserve(run.count, run.bytes.length));
    const first = attempt(0);
    const second = attempt(0);
    const outcomes = await Promise.allSettled([first, second]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    await assert.rejects(second, { code: 'LEDGER_FENCED' });
    await assert.rejects(attempt(1), { code: 'LEDGER_FENCED' });
    await assert.rejects(attempt(3), { code: 'LEDGER_FENCED' });
    assert.deepEqual([Number(ledger.size()), Number(ledger.assigned())], [2, 2]);
    assert.equal(await attempt(2), 2);
    assert.equal(ledger.sequence('app'), 4);
    await ledger.close();
  });

  check('is open in one process at a time', [], async (place) => {
    const ledger = await place.open();
    await assert.rejects(place.open(), { code: 'LEDGER_LOCKED' });
    await append(ledger, simpleRun('app', 1));
    await ledger.close();
    const next = await place.open();
    assert.equal(next.size(), 1);
    await next.close();
  });

  check('wakes those who wait for more, and lets go of those who stop', [], async (place) => {
    const ledger = await place.open();
    const stop = new AbortController();
    const first = ledger.waitBeyond(asSize(0), stop.signal);
    const third = ledger.waitBeyond(asSize(2), stop.signal);
    const never = ledger.waitBeyond(asSize(100), stop.signal);
    await append(ledger, simpleRun('app', 1));
    assert.equal(await first, 1);
    assert.equal(await ledger.waitBeyond(asSize(0), stop.signal), 1);
    await append(ledger, simpleRun('app', 4));
    assert.equal(await third, 5);
    stop.abort(new Error('stopped'));
    await assert.rejects(never, { message: 'stopped' });
    await assert.rejects(ledger.waitBeyond(asSize(100), stop.signal), { message: 'stopped' });
    await ledger.close();
  });

  check('takes nothing after it was closed', [], async (place) => {
    const ledger = await place.open();
    const run = runOf(simpleRun('app', 1));
    const room = await ledger.reserve(run.count, run.bytes.length);
    const last = append(ledger, simpleRun('app', 1));
    const record = ledger.journal.append('key', 'record');
    await Promise.all([last, record]);
    await ledger.close();
    await ledger.close();
    await assert.rejects(ledger.append(run, ledger.assigned(), room), { code: 'LEDGER_FAILED' });
    await assert.rejects(ledger.reserve(1, 1), { code: 'LEDGER_FAILED' });
    await assert.rejects(ledger.journal.append('key', 'record'), { code: 'LEDGER_FAILED' });
    const again = await place.open();
    assert.deepEqual([Number(again.size()), again.journal.load('key').records], [1, ['record']]);
    await again.close();
  });
}
