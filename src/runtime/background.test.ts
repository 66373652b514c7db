import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { openBackground } from './background.ts';

const ERRORS = new URL('../contracts/errors.ts', import.meta.url).href;
const jobs = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { threadId } from 'node:worker_threads';
    import { WaybillError } from ${JSON.stringify(ERRORS)};
    let count = 0;
    let inside = 0;
    export const jobs = {
      'sum.add': (numbers) => numbers.reduce((a, b) => a + b, 0),
      'sum.count': () => ++count,
      'slow.job': async () => {
        inside += 1;
        for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
        return inside--;
      },
      'sum.thread': () => threadId,
      'other.thread': () => threadId,
      'other.block': (cell) => { Atomics.wait(cell, 0, 0); return 'woken'; },
      'fail.full': () => { throw new WaybillError('DISK_FULL', 'no room', { facts: { path: '/x' } }); },
      'fail.plain': () => { throw new TypeError('plain'); },
      'fail.function': () => () => {},
      'end.thread': () => { process.exit(3); },
      'fill.memory': (bytes) => { bytes.fill(7); },
    };`)}`,
);
const background = openBackground(jobs);
after(() => background.close());

describe('background jobs', () => {
  test('they answer with data, and keep their order and their state in a thread', async () => {
    assert.equal(await background.run('sum.add', [1, 2, 3]), 6);
    assert.deepEqual(await Promise.all([1, 2, 3].map(() => background.run('sum.count', null))), [1, 2, 3]);
  });

  test('a job that waits is not overtaken by the next one of its thread', async () => {
    assert.deepEqual(await Promise.all([1, 2, 3, 4].map(() => background.run('slow.job', null))), [1, 1, 1, 1]);
  });

  test('shared memory crosses without a copy', async () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(4));
    await background.run('fill.memory', bytes);
    assert.deepEqual([...bytes], [7, 7, 7, 7]);
  });

  test('jobs of different words do not wait for each other', async () => {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    const blocked = background.run('other.block', cell);
    const thread = await background.run('sum.thread', null);
    Atomics.store(cell, 0, 1);
    Atomics.notify(cell, 0);
    assert.equal(await blocked, 'woken');
    assert.notEqual(await background.run('other.thread', null), thread);
  });

  test('an operating error keeps its code and facts, and the thread goes on', async () => {
    await assert.rejects(background.run('fail.full', null), {
      name: 'WaybillError',
      code: 'DISK_FULL',
      details: { facts: { path: '/x' } },
    });
    await assert.rejects(background.run('fail.plain', null), { message: 'plain' });
    await assert.rejects(background.run('fail.function', null), /could not be cloned/);
    await assert.rejects(background.run('fail.missing', null), { message: 'there is no job fail.missing' });
    await assert.rejects(
      background.run('fail.plain', () => {}),
      /could not be cloned/,
    );
    await assert.rejects(background.run('fail.full', null), { code: 'DISK_FULL' });
  });

  test('when a thread ends, those who wait are told', async () => {
    await assert.rejects(background.run('end.thread', null), /the background thread end has ended/);
    await assert.rejects(background.run('end.thread', null), /has ended/);
  });

  test('an idle thread does not hold the process open, one at work does', async () => {
    const script = `import { openBackground } from ${JSON.stringify(new URL('./background.ts', import.meta.url).href)};
      console.log(await openBackground(new URL(${JSON.stringify(jobs.href)})).run('sum.add', [20, 22]));`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    assert.equal(output, '42\n');
  });
});
