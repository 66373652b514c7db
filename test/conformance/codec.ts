/** The conformance suite for codecs: golden files say what the bytes are, and every codec is pure, whole and counts its records. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Codec, Encoded } from '../../src/contracts/codec.ts';
import type { Batch } from '../../src/contracts/entry.ts';
import { asIndex } from '../../src/contracts/units.ts';

const GOLDEN = new URL('../golden/', import.meta.url);

/** The index of the first golden entry: the next ones take one digit more. */
const FIRST = 998;

/** Runs the suite. The golden file of a codec has the name of its type and this ending; nothing but a person ever writes it. */
export function codecConformance(codec: Codec, ending: string): void {
  describe(`codec ${codec.type}`, () => {
    const golden = readFileSync(new URL(`${codec.type}.${ending}`, GOLDEN));

    test('gives the golden bytes', () => {
      assert.equal(text(codec.encode(goldenBatch('own'))), golden.toString('utf8'));
    });

    test('reads shared memory as well', () => {
      assert.equal(text(codec.encode(goldenBatch('shared'))), golden.toString('utf8'));
    });

    test('is pure: the batch stays as it is, and the same batch gives the same bytes', () => {
      const batch = goldenBatch('own');
      const before = batch.bytes.slice();
      assert.equal(text(codec.encode(batch)), text(codec.encode(batch)));
      assert.deepEqual(batch.bytes, before);
    });

    test('tells its records apart, and gives those that are picked as if they had been all', () => {
      const batch = goldenBatch('own');
      const all = records(codec.encode(batch));
      assert.equal(all.length, batch.count);
      for (const pick of [[], [0], [batch.count - 1], [1, 3], Array.from({ length: batch.count }, (_, k) => k)]) {
        assert.deepEqual(
          records(codec.encode(batch, pick)),
          pick.map((k) => all[k]),
        );
      }
    });

    test('gives nothing for nothing', () => {
      const empty = { ...goldenBatch('own'), count: 0, starts: new Uint32Array(0), ends: new Uint32Array(0) };
      assert.deepEqual(records(codec.encode(empty)), []);
    });
  });
}

/** The golden entries with other bytes between them, which must not show. */
function goldenBatch(memory: 'own' | 'shared'): Batch {
  const entries = readFileSync(new URL('entries.ndjson', GOLDEN), 'utf8').trimEnd().split('\n');
  const starts = new Uint32Array(entries.length);
  const ends = new Uint32Array(entries.length);
  let at = 0;
  for (const [k, entry] of entries.entries()) {
    starts[k] = at + 3;
    ends[k] = at + 3 + Buffer.byteLength(entry);
    at = (ends[k] ?? 0) + 3;
  }
  const bytes = new Uint8Array(memory === 'own' ? new ArrayBuffer(at) : new SharedArrayBuffer(at)).fill(0x3f);
  for (const [k, entry] of entries.entries()) bytes.set(Buffer.from(entry), starts[k]);
  return { first: asIndex(FIRST), count: entries.length, bytes, starts, ends };
}

function text(encoded: Encoded): string {
  return Buffer.from(encoded.bytes).toString('utf8');
}

function records({ bytes, offsets, count }: Encoded): string[] {
  assert.equal(offsets.length, count + 1);
  assert.equal(offsets[0], 0);
  assert.equal(offsets[count], bytes.length);
  return Array.from({ length: count }, (_, k) => {
    assert.ok((offsets[k + 1] ?? 0) > (offsets[k] ?? 0), `record ${k} has bytes of its own`);
    return Buffer.from(bytes.subarray(offsets[k], offsets[k + 1])).toString('utf8');
  });
}
