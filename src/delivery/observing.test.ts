import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { caughtUp, DeliveryWorld } from '../../test/doubles/delivery-world.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Attempted } from '../contracts/observer.ts';
import type { Index } from '../contracts/units.ts';
import { receivedAtOf } from './control-entry.ts';

describe('when an entry was received', () => {
  const at = (entry: string) => {
    const bytes = Buffer.from(`xx${entry}\n`);
    return receivedAtOf({ first: 0 as Index, count: 1, bytes, starts: Uint32Array.of(2), ends: Uint32Array.of(bytes.length - 1) }, 0);
  };

  test('is read from the envelope, whatever a source put before it', () => {
    const time = '2026-11-24T11:08:09.123Z';
    const position = JSON.stringify('"received_at":"2020-01-01T00:00:00.000Z"');
    const entry = (place: string) =>
      `{"v":1,"source":"app","n":0,"partition":null,"position":${place},"received_at":"${time}","id":"a","event":{}}`;
    assert.equal(at(entry('null')), Date.parse(time));
    assert.equal(at(entry(position)), Date.parse(time));
    assert.equal(at('{"event":{}}'), null);
  });
});

describe('what an observer is told', () => {
  test('every attempt with its range, what became of it, and the age of its oldest entry', async () => {
    const world = new DeliveryWorld();
    await world.fill(12);
    const model = new ModelDestination();
    model.script.push(new WaybillError('SINK_BUSY', 'busy'));
    const told: Attempted[] = [];
    const destination = world.open(model, { observer: { attempted: (fact) => told.push(fact) } });
    await settle();
    await caughtUp(world, destination);
    assert.deepEqual(
      told.map(({ from, through, count, attempt, code, replay }) => [from, through, count, attempt, code, replay]),
      [
        [0, 9, 10, 1, 'SINK_BUSY', false],
        [0, 9, 10, 2, null, false],
        [10, 11, 2, 1, null, false],
      ],
    );
    assert.equal(told[0]?.destination, 'lake');
    await destination.close();
  });

  test('a halt, once', async () => {
    const world = new DeliveryWorld();
    await world.fill(1);
    const model = new ModelDestination();
    model.script.push(new WaybillError('SINK_UNAUTHORIZED', 'no'));
    const halts: unknown[] = [];
    const destination = world.open(model, { observer: { halted: (fact) => halts.push(fact) } });
    await settle();
    assert.deepEqual(halts, [{ destination: 'lake', code: 'SINK_UNAUTHORIZED' }]);
    await destination.close();
  });
});
