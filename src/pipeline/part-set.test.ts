import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PartKind, PartSet } from './part-set.ts';
import { openWatchdog } from './watchdog.ts';

interface Config {
  readonly name: string;
  readonly opens: boolean;
}

interface Part {
  readonly number: number;
  readonly failed: PromiseWithResolvers<unknown>;
}

function kindOf(story: string[]): PartKind<Config, Part> {
  let opened = 0;
  return {
    async open({ name, opens }) {
      story.push(`open ${name}`);
      if (!opens) throw new Error(`${name} cannot be opened`);
      opened += 1;
      return { number: opened, failed: Promise.withResolvers() };
    },
    async close({ number }, drainMs) {
      story.push(`close ${number} ${drainMs}`);
    },
    failed: ({ failed }) => failed.promise,
  };
}

test('parts are started and stopped one by one, and whoever keeps the map sees it', async () => {
  const story: string[] = [];
  const set = new PartSet(kindOf(story), openWatchdog());
  const { parts } = set;
  await set.start({ name: 'a', opens: true });
  await set.start({ name: 'b', opens: true });
  assert.deepEqual([...parts.keys()], ['a', 'b']);
  await assert.rejects(set.start({ name: 'c', opens: false }), /c cannot be opened/);
  await set.stop('a', 500);
  assert.deepEqual([...parts.keys()], ['b']);
  await set.start({ name: 'a', opens: true });
  assert.equal(parts.get('a')?.number, 3);
  await set.stopAll(0);
  assert.equal(parts.size, 0);
  assert.deepEqual(story, ['open a', 'open b', 'open c', 'close 1 500', 'open a', 'close 2 0', 'close 3 0']);
});

test('a part that breaks a promise is noticed, whenever it was started', async () => {
  const watchdog = openWatchdog();
  const set = new PartSet(kindOf([]), watchdog);
  await set.start({ name: 'a', opens: true });
  await set.start({ name: 'b', opens: true });
  set.parts.get('b')?.failed.resolve('a broken promise');
  assert.match((await watchdog.failed).message, /^a broken promise$/);
  set.parts.get('a')?.failed.reject(new Error('too late'));
  assert.match((await watchdog.failed).message, /^a broken promise$/);
});
