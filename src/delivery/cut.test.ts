import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { lines } from '../../test/doubles/delivery-world.ts';
import type { Batch } from '../contracts/entry.ts';
import type { ReadLimits } from '../contracts/ledger.ts';
import type { Index, Size } from '../contracts/units.ts';
import { batchId, type Cut, type CutRange, type CutRules, cutAgain, cutNext, recordIndex } from './cut.ts';

const NONE = { entries: 1_000, bytes: 1 << 20 };
const RULES: CutRules = { codec: lines, control: 'all', destination: 'lake', hashed: true };

/** A ledger of these entries that reads at most `most` at a time; `size` may be smaller. */
class ListLedger {
  reads = 0;
  readonly entries: readonly string[];
  readonly most: number;
  durable: number;

  constructor(entries: readonly string[], most = 1_000) {
    this.entries = entries;
    this.most = most;
    this.durable = entries.length;
  }

  size(): Size {
    return this.durable as Size;
  }

  async read(from: Index, limits: ReadLimits): Promise<Batch> {
    this.reads += 1;
    const picked: Buffer[] = [];
    let bytes = 0;
    for (let index = from as number; index < this.durable && picked.length < Math.min(limits.entries, this.most); index++) {
      const entry = Buffer.from(this.entries[index] as string);
      if (picked.length > 0 && bytes + entry.length > limits.bytes) break;
      picked.push(entry);
      bytes += entry.length;
    }
    const ends = Uint32Array.from(picked.map((_, k) => picked.slice(0, k + 1).reduce((sum, entry) => sum + entry.length, 0)));
    const starts = Uint32Array.from([0, ...ends].slice(0, picked.length));
    return { first: from, count: picked.length, bytes: Buffer.concat(picked), starts, ends };
  }
}

function entry(n: number, padding = 0): string {
  return `{"v":1,"source":"app","n":${n},"event":{"pad":"${'x'.repeat(padding)}"}}`;
}

function controlEntry(type: string, destination?: string): string {
  return `{"v":1,"source":"waybill","n":0,"event":${JSON.stringify({ type, destination })}}`;
}

function range(
  from: number,
  more: {
    readonly limit?: number;
    readonly fences?: number[];
    readonly omit?: number[];
    readonly only?: [number, number][];
    readonly gone?: number;
  } = {},
): CutRange {
  return {
    from: from as Index,
    limit: (more.limit ?? null) as Index | null,
    fences: (more.fences ?? []) as Index[],
    omit: (more.omit ?? []) as Index[],
    only: more.only?.map(([from, through]) => ({ from: from as Index, through: through as Index })) ?? null,
    gone: (more.gone ?? null) as Index | null,
  };
}

function indexes(cut: Cut): number[] {
  const text = Buffer.from(cut.body).toString();
  const sent = text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { index: number }).index);
  assert.equal(sent.length, cut.count);
  assert.equal(cut.offsets.length, cut.count + 1);
  assert.equal(cut.offsets[cut.count], cut.body.length);
  assert.deepEqual(
    sent,
    Array.from({ length: cut.count }, (_, place) => recordIndex(cut, place)),
  );
  for (const [place, index] of sent.entries()) {
    const record = Buffer.from(cut.body.subarray(cut.offsets[place], cut.offsets[place + 1])).toString();
    assert.equal((JSON.parse(record) as { index: number }).index, index);
  }
  return sent;
}

const ten = Array.from({ length: 10 }, (_, n) => entry(n));

describe('a cut', () => {
  test('takes everything that is there, in one piece or in many', async () => {
    for (const most of [1, 3, 100]) {
      const cut = await cutNext(new ListLedger(ten, most), range(2), RULES, NONE);
      assert.deepEqual([cut.from, cut.through], [2, 9]);
      assert.deepEqual(indexes(cut), [2, 3, 4, 5, 6, 7, 8, 9]);
      assert.equal(cut.sha256, createHash('sha256').update(cut.body).digest('hex'));
    }
  });

  test('ends at the limit of entries', async () => {
    const cut = await cutNext(new ListLedger(ten), range(0), RULES, { entries: 4, bytes: 1 << 20 });
    assert.deepEqual(indexes(cut), [0, 1, 2, 3]);
    assert.equal(cut.through, 3);
  });

  test('ends at the limit of bytes of its body, not of the entries', async () => {
    const record = `{"index":0,"entry":${entry(0)}}\n`.length;
    const cut = await cutNext(new ListLedger(ten), range(0), RULES, { entries: 100, bytes: 3 * record + 1 });
    assert.deepEqual(indexes(cut), [0, 1, 2]);
    const exact = await cutNext(new ListLedger(ten), range(0), RULES, { entries: 100, bytes: 3 * record });
    assert.deepEqual(indexes(exact), [0, 1, 2]);
  });

  test('has one record however large it is', async () => {
    const ledger = new ListLedger([entry(0, 5_000), entry(1)]);
    const cut = await cutNext(ledger, range(0), RULES, { entries: 100, bytes: 100 });
    assert.deepEqual(indexes(cut), [0]);
  });

  test('never passes its range', async () => {
    const cut = await cutNext(new ListLedger(ten), range(2, { limit: 5 }), RULES, NONE);
    assert.deepEqual(indexes(cut), [2, 3, 4, 5]);
  });

  test('never passes what is durable', async () => {
    const ledger = new ListLedger(ten);
    ledger.durable = 4;
    const cut = await cutNext(ledger, range(2, { limit: 8 }), RULES, NONE);
    assert.deepEqual(indexes(cut), [2, 3]);
    assert.equal(cut.through, 3);
  });

  test('ends at the first fence that gives it a record', async () => {
    assert.equal((await cutNext(new ListLedger(ten), range(0, { fences: [3, 7] }), RULES, NONE)).through, 3);
    assert.equal((await cutNext(new ListLedger(ten), range(4, { fences: [3, 7] }), RULES, NONE)).through, 7);
    const beyond = await cutNext(new ListLedger(ten), range(0, { fences: [1, 4], omit: [0, 1] }), RULES, NONE);
    assert.deepEqual(indexes(beyond), [2, 3, 4]);
    assert.deepEqual([beyond.from, beyond.through], [0, 4]);
  });

  test('leaves out what is set aside and accounts for it', async () => {
    const cut = await cutNext(new ListLedger(ten), range(0, { omit: [1, 4, 20] }), RULES, { entries: 5, bytes: 1 << 20 });
    assert.deepEqual(indexes(cut), [0, 2, 3, 5, 6]);
    assert.deepEqual(cut.omitted, { filtered: 0, quarantined: [1, 4], control: 0, detached: 0 });
  });

  test('of what was set aside has that and nothing else', async () => {
    const cut = await cutNext(
      new ListLedger(ten),
      range(1, {
        limit: 8,
        only: [
          [2, 3],
          [7, 7],
        ],
      }),
      RULES,
      NONE,
    );
    assert.deepEqual(indexes(cut), [2, 3, 7]);
    assert.equal(cut.through, 8);
    assert.equal(cut.omitted.filtered, 5);
  });

  test('in a range that ends takes along what follows and is not sent', async () => {
    const cut = await cutNext(new ListLedger(ten), range(0, { limit: 8, omit: [2, 3, 8] }), RULES, { entries: 2, bytes: 1 << 20 });
    assert.deepEqual(indexes(cut), [0, 1]);
    assert.equal(cut.through, 3);
    assert.deepEqual(cut.omitted.quarantined, [2, 3]);
  });
});

describe('control entries', () => {
  const mixed = [
    entry(0),
    controlEntry('clock'),
    controlEntry('destination.gap', 'lake'),
    controlEntry('destination.gap', 'hook'),
    entry(4),
  ];

  test('go all, own or not at all', async () => {
    const cut = (control: CutRules['control']) => cutNext(new ListLedger(mixed), range(0), { ...RULES, control }, NONE);
    assert.deepEqual(indexes(await cut('all')), [0, 1, 2, 3, 4]);
    assert.deepEqual(indexes(await cut('own')), [0, 2, 4]);
    assert.deepEqual((await cut('own')).omitted, { filtered: 0, quarantined: [], control: 2, detached: 0 });
    assert.deepEqual(indexes(await cut('none')), [0, 4]);
    assert.equal((await cut('none')).omitted.control, 3);
  });

  test('are known by their source and not by what an event says', async () => {
    const liar = `{"v":1,"source":"waybilly","n":0,"event":{"source":"waybill"}}`;
    const cut = await cutNext(new ListLedger([liar]), range(0), { ...RULES, control: 'none' }, NONE);
    assert.deepEqual(indexes(cut), [0]);
  });

  test('a batch of one tells whether it is one', async () => {
    const ledger = new ListLedger(mixed);
    assert.equal((await cutNext(ledger, range(1, { limit: 1 }), RULES, NONE)).loneControl, true);
    assert.equal((await cutNext(ledger, range(0, { limit: 0 }), RULES, NONE)).loneControl, false);
    assert.equal((await cutNext(ledger, range(1, { limit: 2 }), RULES, NONE)).loneControl, false);
    assert.equal((await cutNext(ledger, range(0, { limit: 2, omit: [0, 1] }), RULES, NONE)).loneControl, true);
  });

  test('that lie behind the last record that fits are not accounted for', async () => {
    const entries = [...ten, controlEntry('clock')];
    const raw = entries.reduce((sum, text) => sum + text.length, 0);
    const cut = await cutNext(new ListLedger(entries), range(0), { ...RULES, control: 'none' }, { entries: 100, bytes: raw });
    assert.ok(cut.count < 10);
    assert.equal(cut.through, cut.count - 1);
    assert.equal(cut.omitted.control, 0);
  });

  test('a range with nothing to send is not read again once more is there', async () => {
    const ledger = new ListLedger([...mixed.slice(1, 4), ...ten]);
    ledger.durable = 3;
    const rules: CutRules = { ...RULES, control: 'none' };
    const nothing = await cutNext(ledger, range(0), rules, NONE);
    assert.deepEqual([nothing.count, nothing.through, nothing.omitted.control], [0, 2, 3]);
    ledger.durable = 5;
    ledger.reads = 0;
    const cut = await cutNext(ledger, range(0), rules, NONE, nothing);
    assert.deepEqual([cut.from, cut.through], [0, 4]);
    assert.deepEqual(indexes(cut), [3, 4]);
    assert.equal(cut.omitted.control, 3);
    assert.equal(ledger.reads, 1);
  });
});

describe('a batch', () => {
  test('is cut again byte for byte, however the ledger hands out its entries', async () => {
    const arbitrary = fc.record({
      kinds: fc.array(fc.constantFrom('app', 'own', 'other'), { minLength: 1, maxLength: 30 }),
      entries: fc.integer({ min: 1, max: 12 }),
      bytes: fc.integer({ min: 60, max: 900 }),
      control: fc.constantFrom('all' as const, 'own' as const, 'none' as const),
      omit: fc.uniqueArray(fc.nat({ max: 29 }), { maxLength: 4 }),
      reads: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ kinds, entries, bytes, control, omit, reads }) => {
        const all = kinds.map((kind, n) => (kind === 'app' ? entry(n, n * 7) : controlEntry('x', kind === 'own' ? 'lake' : 'hook')));
        const rules: CutRules = { ...RULES, control };
        let from = 0;
        while (from < all.length) {
          const wanted = range(from, { omit: omit.toSorted((a, b) => a - b) });
          const first = await cutNext(new ListLedger(all, reads[0]), wanted, rules, { entries, bytes });
          const again = await cutAgain(
            new ListLedger(all, reads[1]),
            { ...wanted, limit: first.through, omit: first.omitted.quarantined },
            rules,
          );
          assert.deepEqual(Buffer.from(again.body), Buffer.from(first.body));
          assert.deepEqual(
            { ...again, body: null, offsets: [...again.offsets], indexes: null },
            { ...first, body: null, offsets: [...first.offsets], indexes: null },
          );
          assert.ok(first.count <= entries && (first.body.length <= bytes || first.count === 1));
          const { filtered, quarantined, control: left } = first.omitted;
          assert.equal(first.count + filtered + quarantined.length + left, first.through - first.from + 1);
          indexes(first);
          from = first.through + 1;
        }
      }),
      { numRuns: 150 },
    );
  });

  test('has an identity of its own in every respect that makes it another batch', () => {
    const batch = { from: 3 as Index, through: 9 as Index, sha256: 'ab' };
    const ids = [
      batchId('a/log', 'lake', batch, null),
      batchId('b/log', 'lake', batch, null),
      batchId('a/log', 'hook', batch, null),
      batchId('a/log', 'lake', { ...batch, from: 4 as Index }, null),
      batchId('a/log', 'lake', { ...batch, through: 8 as Index }, null),
      batchId('a/log', 'lake', { ...batch, sha256: 'cd' }, null),
      batchId('a/log', 'lake', batch, 'replay-1'),
      batchId('a/log', 'lake', batch, 'replay-2'),
    ];
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(batchId('a/log', 'lake', batch, null), ids[0]);
    // A signature over `id.time.body` must not be movable to another split of the same text.
    for (const id of ids) assert.match(id, /^[a-z0-9_-]+$/);
  });
});
