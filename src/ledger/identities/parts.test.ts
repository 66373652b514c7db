import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StepDisk } from '../../../test/crash/step-disk.ts';
import { createChance } from '../../../test/sim/chance.ts';
import { asSize } from '../../contracts/units.ts';
import { planMerge } from './compaction-plan.ts';
import { EnvelopeReader } from './envelope.ts';
import { filterBlock, mayHold, planFilter, setInBlock } from './filter.ts';
import { Fingerprint } from './fingerprint.ts';
import { readManifest, writeManifest } from './manifest.ts';

const encoder = new TextEncoder();

describe('a fingerprint', () => {
  const seed = (n: number): Uint8Array => createChance(n).bytes(16);

  test('tells many identities apart that hardly differ, and spreads them', () => {
    const fingerprint = new Fingerprint(seed(1));
    const seen = new Set<number>();
    const buckets = new Uint32Array(1024);
    const bytes = new Uint8Array(8);
    const count = 200_000;
    for (let n = 0; n < count; n++) {
      bytes.set(encoder.encode(n.toString().padStart(8, '0')));
      fingerprint.of('app', bytes, 0, 8);
      buckets[fingerprint.high >>> 22] = (buckets[fingerprint.high >>> 22] ?? 0) + 1;
      seen.add((fingerprint.high >>> 0) * 2 ** 21 + (fingerprint.low >>> 11));
    }
    assert.equal(seen.size, count);
    const mean = count / buckets.length;
    const chiSquare = buckets.reduce((sum, found) => sum + (found - mean) ** 2 / mean, 0);
    assert.ok(chiSquare < 1300, `chi-square is ${chiSquare.toFixed(0)} with 1023 degrees of freedom`);
  });

  test('depends on the source, every byte, the length and the seed', () => {
    const of = (n: number, source: string, text: string): string => {
      const fingerprint = new Fingerprint(seed(n));
      const bytes = encoder.encode(`"${text}"`);
      fingerprint.of(source, bytes, 1, bytes.length - 1);
      return `${fingerprint.high} ${fingerprint.low}`;
    };
    const all = [of(1, 'a', 'x'), of(2, 'a', 'x'), of(1, 'b', 'x'), of(1, 'a', ''), of(1, 'a', '\0'), of(1, 'a', '\0\0'), of(1, 'ax', '')];
    const text = 'abcdefghijk';
    for (let at = 0; at < text.length; at++) all.push(of(1, 'a', `${text.slice(0, at)}!${text.slice(at + 1)}`));
    assert.equal(new Set(all).size, all.length);
    assert.equal(of(1, 'a', 'x'), of(1, 'a', 'x'));
  });

  test('has no collisions that do not depend on the seed', () => {
    // Words that differ in their highest bits only, which one multiplication alone would leave where they are.
    const first = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    for (const [a, b] of [
      [0x80, 0x80],
      [0x80, 0x81],
      [0xc0, 0x40],
    ]) {
      const other = first.slice();
      other[3] = (other[3] as number) ^ (a as number);
      other[7] = (other[7] as number) ^ (b as number);
      let same = 0;
      for (let n = 0; n < 2_000; n++) {
        const fingerprint = new Fingerprint(seed(n));
        fingerprint.of('a', first, 0, 8);
        const { high, low } = fingerprint;
        fingerprint.of('a', other, 0, 8);
        if (fingerprint.high === high && fingerprint.low === low) same++;
      }
      assert.ok(same < 3, `${same} of 2,000 seeds`);
    }
  });
});

describe('a filter', () => {
  for (const [bits, most] of [
    [16, 0.002],
    [12, 0.008],
    [9, 0.03],
    [6, 0.08],
    [3, 0.35],
  ] as const) {
    test(`of ${bits} bits an entry knows what is in it, and is wrong about at most ${most * 100} % of the rest`, () => {
      const entries = 20_000;
      const plan = planFilter(entries, (entries * bits) / 8);
      assert.ok(plan.blocks * 512 <= entries * bits);
      const words = new Int32Array(plan.blocks * 16);
      const chance = createChance(bits);
      const draw = (): number => (chance.next() * 2 ** 32) | 0;
      const inside = Array.from({ length: entries }, () => [draw(), draw()] as const);
      for (const [high, low] of inside) setInBlock(words, filterBlock(high, plan.blocks) * 16, plan.probes, high, low);
      assert.ok(inside.every(([high, low]) => mayHold(words, plan.blocks, plan.probes, high, low)));
      let wrong = 0;
      for (let n = 0; n < entries; n++) if (mayHold(words, plan.blocks, plan.probes, draw(), draw())) wrong++;
      assert.ok(wrong / entries <= most, `${wrong} of ${entries}`);
    });
  }

  test('is left out where there is no room for a useful one', () => {
    assert.deepEqual(planFilter(1000, 100), { blocks: 0, probes: 0 });
    assert.deepEqual(planFilter(1000, -5), { blocks: 0, probes: 0 });
    assert.equal(planFilter(1, 1 << 20).blocks, 1);
  });
});

describe('the plan of merges', () => {
  test('leaves each run larger than all smaller ones together', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000 }), { maxLength: 40 }), (sizes) => {
        const runs = [...sizes];
        for (let picked = planMerge(runs); picked.length > 0; picked = planMerge(runs)) {
          assert.ok(picked.length >= 2);
          const merged = picked.reduce((sum, place) => sum + (runs[place] ?? 0), 0);
          for (const place of [...picked].sort((a, b) => b - a)) runs.splice(place, 1);
          runs.push(merged);
        }
        assert.equal(
          runs.reduce((sum, size) => sum + size, 0),
          sizes.reduce((sum, size) => sum + size, 0),
        );
        let smaller = 0;
        for (const size of runs.sort((a, b) => a - b)) {
          assert.ok(size > smaller);
          smaller += size;
        }
      }),
    );
  });

  test('copies an identity about as often as the logarithm says', () => {
    const runs: number[] = [];
    let copied = 0;
    for (let flushes = 0; flushes < 1024; flushes++) {
      runs.push(1);
      const picked = planMerge(runs);
      const merged = picked.reduce((sum, place) => sum + (runs[place] ?? 0), 0);
      for (const place of [...picked].sort((a, b) => b - a)) runs.splice(place, 1);
      if (picked.length > 0) runs.push(merged);
      copied += merged;
      assert.ok(runs.length <= 11);
    }
    assert.ok(copied / 1024 <= 6, `${copied / 1024} copies of each`);
  });
});

describe('an envelope', () => {
  const envelope = fc.record({
    source: fc.stringMatching(/^[a-z][a-z0-9_-]{0,63}$/),
    n: fc.nat(),
    partition: fc.option(fc.string({ unit: 'binary' })),
    position: fc.option(fc.string({ unit: 'binary' })),
    id: fc.string({ unit: 'binary' }),
  });

  function bytesOf({ source, n, partition, position, id }: typeof envelope extends fc.Arbitrary<infer One> ? One : never): Uint8Array {
    const received_at = '2026-11-24T11:08:09.123Z';
    const event = { id: 'other', note: '"id":"no"' };
    return encoder.encode(JSON.stringify({ v: 1, source, n, partition, position, received_at, id, schema: 'json', event }));
  }

  test('gives source and identity as JSON.parse would', () => {
    const reader = new EnvelopeReader();
    fc.assert(
      fc.property(envelope, fc.nat(9), (entry, margin) => {
        const one = bytesOf(entry);
        const bytes = new Uint8Array(one.length + 2 * margin).fill(0x22);
        bytes.set(one, margin);
        assert.equal(reader.read(bytes, margin, margin + one.length), true);
        assert.equal(reader.source, entry.source);
        const id = Buffer.from(bytes.subarray(reader.idStart, reader.idEnd)).toString();
        assert.equal(id, JSON.stringify(entry.id).slice(1, -1));
      }),
      { numRuns: 2_000 },
    );
  });

  test('that is cut short or laid out otherwise is refused', () => {
    const reader = new EnvelopeReader();
    const whole = bytesOf({ source: 'app', n: 7, partition: 'p', position: null, id: 'x' });
    const end = Buffer.from(whole).indexOf('"schema"') - 1;
    for (let length = 0; length < end; length++) assert.equal(reader.read(whole.slice(0, length), 0, length), false, `${length} bytes`);
    assert.equal(reader.read(whole, 0, end), true);
    for (const text of ['', '{}', '{"v":2,"source":"a"', '{"source":"a","v":1}', ' {"v":1,"source":"a"']) {
      const bytes = encoder.encode(text);
      assert.equal(reader.read(bytes, 0, bytes.length), false, text);
    }
  });
});

describe('the manifest', () => {
  const manifest = { seed: createChance(1).bytes(16), watermark: asSize(12), anchor: 77, runs: ['0123456789abcdef.run'] };

  test('is read back as it was written, and missing where there is none', async () => {
    const disk = new StepDisk(createChance(1)).start();
    assert.equal(await readManifest(disk, 'd'), 'missing');
    await writeManifest(disk, 'd', manifest);
    assert.deepEqual(await readManifest(disk, 'd'), manifest);
    await writeManifest(disk, 'd', { ...manifest, anchor: null, runs: [] });
    assert.deepEqual(await readManifest(disk, 'd'), { ...manifest, anchor: null, runs: [] });
  });

  test('is refused with any bit of it changed, and never throws', async () => {
    const steps = new StepDisk(createChance(1));
    const disk = steps.start();
    await writeManifest(disk, 'd', manifest);
    for (let at = 0; at < steps.lengthOf('d/manifest'); at++) {
      steps.flip('d/manifest', at, at % 8);
      assert.equal(await readManifest(disk, 'd'), 'damaged', `byte ${at}`);
      steps.flip('d/manifest', at, at % 8);
    }
    assert.deepEqual(await readManifest(disk, 'd'), manifest);
  });

  test('that names anything but a run is refused', async () => {
    const disk = new StepDisk(createChance(1)).start();
    await writeManifest(disk, 'd', { ...manifest, runs: ['../../etc/passwd'] });
    assert.equal(await readManifest(disk, 'd'), 'damaged');
  });
});
