import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contentOf, sortedPairs } from '../../test/conformance/ledger-workload.ts';
import { OPTIONS, portsOf } from '../../test/conformance/small-ledger.ts';
import { StepDisk } from '../../test/crash/step-disk.ts';
import { createChance } from '../../test/sim/chance.ts';
import { isWaybillError } from '../contracts/errors.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { openEmbeddedLedger } from '../ledger/embedded/embedded.ts';
import { EMPTY_EDGE, growEdge, rootHash } from '../tlog/edge.ts';
import { sha256 } from '../tree/grow.ts';
import { readHead, readKeys } from '../tree/head-register.ts';
import { type KeptEntry, type KnownHead, type RestoreOptions, restoreLedger } from './restore.ts';

/** The texts of `count` entries of three sources, as a ledger writes them. */
function textsOf(count: number): string[] {
  const counts = new Map<string, number>();
  return Array.from({ length: count }, (_, k) => {
    const source = k % 7 === 0 ? 'waybill' : k % 50 < 20 ? 'db' : 'app';
    const n = counts.get(source) ?? 0;
    counts.set(source, n + 1);
    const [partition, position] = source === 'db' ? [`"t${k % 2}"`, `"p${k}"`] : ['null', 'null'];
    const receivedAt = new Date(Date.UTC(2026, 10, 24) + 7 * k).toISOString();
    const head = `{"v":1,"source":"${source}","n":${n},"partition":${partition},"position":${position},"received_at":"${receivedAt}"`;
    return `${head},"id":"i${k}","schema":"json","event":{"k":${k},"odd":"ü\\u0000","pad":"${'x'.repeat(k % 90)}"}}`;
  });
}

function rootOf(texts: readonly string[]): string {
  const bytes = Buffer.from(texts.join(''));
  const ends = new Uint32Array(texts.length);
  let at = 0;
  for (const [k, text] of texts.entries()) ends[k] = at += Buffer.byteLength(text);
  const starts = Uint32Array.from([0, ...ends.subarray(0, -1)]);
  return Buffer.from(rootHash(sha256, growEdge(sha256, EMPTY_EDGE, bytes, starts, ends)), 'latin1').toString('base64');
}

async function* kept(texts: readonly string[], from = 0): AsyncGenerator<KeptEntry> {
  for (const [k, text] of texts.entries()) yield { index: asIndex(from + k), bytes: Buffer.from(text) };
}

function optionsFor(texts: readonly string[], head: KnownHead | null = null): RestoreOptions {
  const { origin, path, segmentBytes, reservedBytes } = OPTIONS;
  return {
    origin,
    into: path,
    segmentBytes,
    reservedBytes,
    entries: kept(texts),
    heads: head === null ? [] : [head],
    continues: null,
    signed: null,
    destination: 'archive',
    onProgress: () => undefined,
  };
}

describe('a ledger that is restored', () => {
  const texts = textsOf(1_500);

  test('has every entry, number and position, and the root that is known', async () => {
    const disk = new StepDisk(createChance(1, 'restore'));
    const ports = portsOf(disk.start());
    const restored = await restoreLedger(optionsFor(texts, { size: 700, root: rootOf(texts.slice(0, 700)) }), ports);
    const sources = { waybill: 215, db: 515, app: 770 };
    assert.deepEqual(restored, { size: 1_500, root: rootOf(texts), sources });
    const ledger = await openEmbeddedLedger(OPTIONS, ports);
    assert.deepEqual((await contentOf(ledger)).entries, texts);
    for (const [source, count] of Object.entries(sources)) assert.equal(ledger.sequence(source), count);
    assert.deepEqual(sortedPairs(ledger.positions('db')), [
      ['t0', 'p1468'],
      ['t1', 'p1469'],
    ]);
    const { records } = ledger.journal.load('delivery:archive');
    assert.deepEqual(JSON.parse(records[0] ?? '')[1].cursor, 1_500);
    await ledger.close();
    await assert.rejects(restoreLedger(optionsFor(texts), ports), { code: 'LEDGER_EXISTS' });
  });

  test('has the places of a source under the name that it was given', async () => {
    const row = (source: string, n: number, place: string, event: string) =>
      `{"v":1,"source":"${source}","n":${n},${place},"received_at":"2026-11-24T00:00:00.000Z","id":"i","schema":"json","event":${event}}`;
    const at = (partition: string, position: string) => `"partition":"${partition}","position":"${position}"`;
    const nowhere = '"partition":null,"position":null';
    const renamed = [
      row('db', 0, at('a', '1'), '{}'),
      row('db', 1, at('b', '2'), '{}'),
      row('waybill', 0, nowhere, '{"type":"clock"}'),
      row('waybill', 1, nowhere, '{"type":"source.renamed","from":"db","to":"lake"}'),
      row('waybill', 2, nowhere, 'null'),
      row('lake', 0, at('b', '3'), '{}'),
    ];
    const ports = portsOf(new StepDisk(createChance(1, 'restore')).start());
    await restoreLedger(optionsFor(renamed), ports);
    const ledger = await openEmbeddedLedger(OPTIONS, ports);
    assert.deepEqual(sortedPairs(ledger.positions('lake')).join(' '), 'a,1 b,3');
    assert.equal(ledger.positions('db').size, 0);
    await ledger.close();
    const forged = [
      ...renamed.slice(0, 2),
      row('lake', 0, at('c', '9'), '{}'),
      row('waybill', 0, nowhere, '{"type":"source.renamed","from":"db","to":"lake"}'),
    ];
    const beside = portsOf(new StepDisk(createChance(1, 'restore')).start());
    await assert.rejects(restoreLedger(optionsFor(forged), beside), { code: 'RESTORE_INVALID', message: /entry 3 .* lake had places/ });
  });

  const WRONG: readonly (readonly [string, (texts: string[]) => readonly KeptEntry[], string, RegExp])[] = [
    ['begins too late', () => [entry(1, texts[1])], 'RESTORE_INCOMPLETE', /entry 0 is missing/],
    ['has a hole', () => [entry(0, texts[0]), entry(5, texts[5])], 'RESTORE_INCOMPLETE', /entries 1 to 4 are missing/],
    ['goes back', () => [entry(0, texts[0]), entry(0, texts[0])], 'RESTORE_INVALID', /entry 0 .* after entry 0/],
    ['has a number twice', () => [entry(0, texts[0]), entry(1, texts[0])], 'RESTORE_INVALID', /entry 1 .* number 0 .* 1 is next/],
    ['goes back in time', (some) => [entry(0, some[0]?.replace('2026', '2027')), entry(1, some[1])], 'RESTORE_INVALID', /received before/],
    ['is not JSON', (some) => [entry(0, some[0]?.slice(0, -1))], 'RESTORE_INVALID', /not as a ledger writes it/],
    ['was written anew', (some) => [entry(0, some[0]?.replace('"v":1,', '"v": 1,'))], 'RESTORE_INVALID', /not as a ledger writes it/],
    ['has no envelope', () => [entry(0, '{"a":1}')], 'RESTORE_INVALID', /not as a ledger writes it/],
  ];
  for (const [name, make, code, message] of WRONG) {
    test(`is not made from what ${name}`, async () => {
      const disk = new StepDisk(createChance(1, 'restore'));
      const ports = portsOf(disk.start());
      const entries = (async function* () {
        yield* make(texts);
      })();
      const refused = (error: unknown): boolean => isWaybillError(error) && error.code === code && message.test(error.message);
      await assert.rejects(restoreLedger({ ...optionsFor(texts), entries }, ports), refused);
      await assert.rejects(openEmbeddedLedger(OPTIONS, ports), { code: 'LEDGER_MISSING' });
      assert.equal((await restoreLedger(optionsFor(texts), ports)).size, 1_500);
    });
  }

  test('is not made when an entry was changed, or the end is missing, and the head is known', async () => {
    const ports = portsOf(new StepDisk(createChance(1, 'restore')).start());
    const changed = texts.with(3, texts[3]?.replace('"k":3', '"k":4') ?? '');
    const head = { size: 1_500, root: rootOf(texts) };
    await assert.rejects(restoreLedger(optionsFor(changed, head), ports), { code: 'RESTORE_MISMATCH' });
    await assert.rejects(restoreLedger(optionsFor(texts.slice(0, 1_400), head), ports), { code: 'RESTORE_INCOMPLETE' });
    assert.equal((await restoreLedger(optionsFor(texts, head), ports)).size, 1_500);
  });

  test('goes on from the head and the keys that are known', async () => {
    const ports = portsOf(new StepDisk(createChance(1, 'restore')).start());
    const head = { size: 700, root: rootOf(texts.slice(0, 700)), checkpoint: 'a note', complete: true, published: null };
    const ranges = [
      { verifierKey: 'old', from: asSize(0), through: asSize(500) },
      { verifierKey: 'new', from: asSize(500), through: null },
    ];
    const signed = { head, keys: { log: ranges, freshness: [{ verifierKey: 'fresh', from: asSize(0), through: null }] } };
    await restoreLedger({ ...optionsFor(texts), signed }, ports);
    const ledger = await openEmbeddedLedger(OPTIONS, ports);
    assert.deepEqual(readHead(ledger.register), head);
    assert.deepEqual(readKeys(ledger.register), signed.keys);
    await ledger.close();
  });

  test('goes on under another name when its end is lost, and says what was', async () => {
    const ports = portsOf(new StepDisk(createChance(1, 'restore')).start());
    const few = texts.slice(0, 1_400);
    const known = { size: 1_401, root: rootOf(texts.slice(0, 1_401)) };
    const origin = `${OPTIONS.origin}/2`;
    const heads = [known, { size: 700, root: rootOf(texts.slice(0, 700)) }];
    const options = (): RestoreOptions => ({ ...optionsFor(few), origin, heads, continues: OPTIONS.origin, destination: null });
    await assert.rejects(restoreLedger({ ...options(), heads: [{ size: 700, root: known.root }] }, ports), { code: 'RESTORE_MISMATCH' });
    const { size } = await restoreLedger(options(), ports);
    assert.equal(size, 1_401);
    await assert.rejects(openEmbeddedLedger(OPTIONS, ports), { code: 'LEDGER_ORIGIN' });
    const ledger = await openEmbeddedLedger({ ...OPTIONS, origin }, ports);
    const { entries } = await contentOf(ledger);
    assert.deepEqual(entries.slice(0, -1), few);
    const { source, n, received_at: receivedAt, id, event } = JSON.parse(entries.at(-1) ?? '');
    assert.deepEqual([source, n, id], ['waybill', 200, `log.continued:${OPTIONS.origin}`]);
    assert.ok(receivedAt >= JSON.parse(few.at(-1) ?? '').received_at);
    const lost = { from: 1_400, through: 1_400 };
    assert.deepEqual(event, { type: 'log.continued', origin: OPTIONS.origin, size: 1_400, root: rootOf(few), lost, known_head: known });
    await ledger.close();
  });

  test('is there wholly or not at all, wherever the process or the machine ends, and is made by the next call', async () => {
    const few = texts.slice(0, 400);
    let ends = 0;
    let whole = 0;
    for (let seed = 1; seed <= 120; seed++) {
      const disk = new StepDisk(createChance(seed, 'restore'));
      const ended = new Promise<'ended'>((resolve) => {
        disk.onEnd = () => resolve('ended');
      });
      disk.endAt = 1 + seed;
      if ((await Promise.race([restoreLedger(optionsFor(few), portsOf(disk.start())), ended])) === 'ended') ends++;
      disk.end(seed % 3 === 0 ? 'kill' : 'power');
      const ports = portsOf(disk.start());
      try {
        await restoreLedger(optionsFor(few), ports);
      } catch (error) {
        // The rename was done before the end came.
        assert.ok(isWaybillError(error) && error.code === 'LEDGER_EXISTS', String(error));
        whole++;
      }
      const ledger = await openEmbeddedLedger(OPTIONS, ports);
      assert.deepEqual((await contentOf(ledger)).entries, few);
      await ledger.close();
    }
    assert.ok(ends > 40, `${ends} ends, ${whole} whole`);
  });
});

function entry(index: number, text = ''): KeptEntry {
  return { index: asIndex(index), bytes: Buffer.from(text) };
}
