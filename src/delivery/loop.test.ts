import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { DeliveryWorld, until } from '../../test/doubles/delivery-world.ts';

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, k) => k);
}

describe('delivery', () => {
  for (const dedupe of ['position', 'key', 'none'] as const) {
    test(`delivers everything in order to a destination of kind ${dedupe}`, async () => {
      const world = new DeliveryWorld();
      const model = new ModelDestination({ dedupe });
      await world.fill(35);
      const destination = world.open(model);
      await until(world, () => destination.status().lag === 0, 'the destination has caught up');
      assert.deepEqual(model.indexes(), upTo(35));
      await world.fill(3);
      await until(world, () => destination.status().lag === 0, 'the destination follows');
      assert.deepEqual(model.indexes(), upTo(38));
      assert.equal(destination.status().state, 'running');
      await destination.close();
      assert.equal(model.closed, 1);
    });
  }
});
