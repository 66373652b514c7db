import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { CountingRandom } from '../../test/doubles/manual-ports.ts';
import type { Position } from '../contracts/units.ts';
import { createEnvelopeWriter, entryBytesMax, faultsTail } from './envelope.ts';
import { createIdMaker, DERIVED_ID_BYTES, deriveId } from './envelope-id.ts';
import { readEntry, receivedAtOf } from './envelope-read.ts';

const T = '2026-11-24T11:08:09.123Z';
const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,10}$/);
const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((value) => value.isWellFormed());
const event = fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }).map((value) => JSON.stringify(value));

function columnsOf(events: readonly { event: string; id: string; kept: boolean }[]) {
  const count = events.length;
  const [starts, ends, idStarts, idEnds] = [new Uint32Array(count), new Uint32Array(count), new Uint32Array(count), new Uint32Array(count)];
  const pieces: Buffer[] = [];
  const idPieces: Buffer[] = [];
  let at = 0;
  let idAt = 0;
  for (const [place, { event, id }] of events.entries()) {
    const bytes = Buffer.from(event);
    const idBytes = Buffer.from(JSON.stringify(id).slice(1, -1));
    [starts[place], ends[place], idStarts[place], idEnds[place]] = [at, at + bytes.length, idAt, idAt + idBytes.length];
    at += bytes.length;
    idAt += idBytes.length;
    pieces.push(bytes);
    idPieces.push(idBytes);
  }
  const keptTails = new Map(
    events.flatMap(({ kept }, place) => (kept ? [[place, faultsTail('[{"path":"/\\"]","code":"C","message":"[{\\\\"}]')] as const] : [])),
  );
  return { bytes: Buffer.concat(pieces), starts, ends, ids: Buffer.concat(idPieces), idStarts, idEnds, keptTails };
}

describe('envelope', () => {
  test('what is written is JSON that says the same, and is read back by its layout', () => {
    const writer = createEnvelopeWriter(createIdMaker({ now: () => 1_700_000_000_000 }, new CountingRandom()), 1_000);
    const events = fc.array(fc.record({ event, id: text, kept: fc.boolean(), position: fc.option(text) }), { minLength: 1, maxLength: 30 });
    const run = fc.record({
      source: name,
      partition: fc.option(text),
      positions: fc.boolean(),
      n: fc.oneof(fc.nat(2_000), fc.maxSafeNat()),
      events,
    });
    fc.assert(
      fc.property(run, ({ source, partition, positions, n, events }) => {
        fc.pre(n + events.length <= Number.MAX_SAFE_INTEGER);
        const places = events.map(({ position }) => position as Position | null);
        const envelope = { source, schema: 'waybill/1', partition, positions: positions ? places : null };
        const columns = columnsOf(events);
        const sizes = entryBytesMax(envelope, columns, events.length);
        const room = sizes.reduce((sum, size) => sum + size, 0);
        const picked = { places: Uint32Array.from(events.keys()), count: events.length, n };
        const written = writer.write(envelope, columns, picked, T, room);
        for (const [k, { event, id, kept, position }] of events.entries()) {
          const [start, end] = [written.offsets[k] as number, written.offsets[k + 1] as number];
          assert.ok(end - start <= (sizes[k] as number));
          const entry = JSON.parse(written.bytes.toString('utf8', start, end)) as Record<string, unknown>;
          const { id: entryId, event: entryEvent, faults, ...rest } = entry;
          const schema = kept ? 'json' : 'waybill/1';
          assert.deepEqual(rest, { v: 1, source, n: n + k, partition, position: positions ? position : null, received_at: T, schema });
          if (id !== '') assert.equal(entryId, id);
          assert.deepEqual(entryEvent, JSON.parse(event));
          assert.equal(Array.isArray(faults), kept);
          const parts = readEntry(written.bytes, start, end);
          assert.deepEqual([parts.source, parts.schema], [source, schema]);
          assert.equal(written.bytes.toString('utf8', parts.eventStart, parts.eventEnd), event);
          assert.deepEqual([parts.idStart, parts.idEnd], [written.idStarts[k], written.idEnds[k]]);
          assert.equal(receivedAtOf(written.bytes, parts), Date.parse(T));
        }
      }),
    );
  });

  test('an entry with another layout is a broken invariant', () => {
    for (const text of [
      '{}',
      '{"v":1,"source":"a"}',
      '{"v":2,"source":"a","n":0,"partition":null',
      '{"v":1,"source":"a","n":0,"partition":"',
    ]) {
      assert.throws(() => readEntry(Buffer.from(text), 0, text.length), { name: 'BrokenInvariant' });
    }
  });
});

describe('assigned identities', () => {
  test('are UUIDs of version 7 with the time in front, and all different', () => {
    const ids = createIdMaker({ now: () => 0x0123_4567_89ab }, new CountingRandom());
    const made = Array.from({ length: 1_000 }, () => ids.text());
    for (const id of made) assert.match(id, /^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(new Set(made).size, 1_000);
  });

  test('derived ones depend on source, key and place alone', () => {
    const made = [deriveId('a', 'k', 0), deriveId('b', 'k', 0), deriveId('a', 'l', 0), deriveId('a', 'k', 1)];
    assert.equal(new Set(made).size, 4);
    assert.equal(made[0], deriveId('a', 'k', 0));
    for (const id of made) assert.equal(id.length, DERIVED_ID_BYTES);
  });
});
