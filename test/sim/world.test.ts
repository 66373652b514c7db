import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createChance } from './chance.ts';
import { VirtualDisk } from './disk.ts';
import { pass, portsOf } from './process.ts';
import { CALM_DISK } from './scenario.ts';
import { World } from './world.ts';

describe('virtual time', () => {
  test('what is planned happens in the order of its instants, and of its planning within one', async () => {
    const world = new World(1);
    const seen: string[] = [];
    world.plan(20, () => seen.push('third'));
    world.plan(10, () => seen.push('first'));
    world.plan(10, () => seen.push('second'));
    world.plan(15, () => seen.push('never'))();
    await world.run(100);
    assert.deepEqual(seen, ['first', 'second', 'third']);
    assert.equal(world.time, 100);
  });

  test('a promise runs to its end before the next instant', async () => {
    const world = new World(1);
    const seen: string[] = [];
    const actor = async (): Promise<void> => {
      await world.sleep(10);
      for (let hop = 0; hop < 50; hop++) await Promise.resolve();
      seen.push('many hops later');
    };
    world.watch('actor', actor());
    world.plan(10.1, () => seen.push('next instant'));
    await world.run(20);
    assert.deepEqual(seen, ['many hops later', 'next instant']);
  });

  test('a dead process never wakes, a paused one wakes late and in order', async () => {
    const world = new World(1);
    const [dead, paused] = [world.begin(), world.begin()];
    const seen: string[] = [];
    world.plan(10, () => seen.push('dead'), dead);
    world.plan(10, () => seen.push('first'), paused);
    world.plan(11, () => seen.push('second'), paused);
    world.plan(5, () => {
      dead.end();
      world.pause(paused);
    });
    await world.run(50);
    assert.deepEqual(seen, []);
    world.resume(paused);
    await world.run(60);
    assert.deepEqual(seen, ['first', 'second']);
  });

  test('a sleep ends with its signal and leaves nothing behind', async () => {
    const world = new World(1);
    const { clock } = portsOf(world, world.begin(), new VirtualDisk(world, CALM_DISK));
    const stop = new AbortController();
    let reason: unknown = null;
    clock.sleep(1_000, stop.signal).catch((error: unknown) => {
      reason = error;
    });
    world.plan(10, () => stop.abort('enough'));
    await world.run(20);
    assert.equal(reason, 'enough');
  });

  test('an actor that fails ends the seed', async () => {
    const world = new World(1);
    world.watch(
      'actor',
      pass(world, world.begin(), 5).then(() => Promise.reject(new Error('broken'))),
    );
    await world.run(10);
    assert.match(String(world.violation), /broken/);
  });

  test('a seed and a label decide a stream; another label gives another one', () => {
    assert.deepEqual(draw(7, 'disk'), draw(7, 'disk'));
    assert.notDeepEqual(draw(7, 'disk'), draw(7, 'sink'));
    assert.notDeepEqual(draw(7, 'disk'), draw(8, 'disk'));
    const stream = createChance(3).fork('x');
    const mean = Array.from({ length: 10_000 }, () => stream.next()).reduce((sum, value) => sum + value, 0) / 10_000;
    assert.ok(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`);
  });
});

function draw(seed: number, label: string): number[] {
  const chance = createChance(seed).fork(label);
  return Array.from({ length: 20 }, () => chance.next());
}
