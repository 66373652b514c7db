import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const OUTPUT = fileURLToPath(new URL('./output.ts', import.meta.url));

/** A process that writes five times 256 KiB, far more than a pipe holds, and says on standard error what became of it. */
const SCRIPT = `
  const { openOutput } = await import(${JSON.stringify(OUTPUT)});
  const output = openOutput();
  const writes = ['a', 'b', 'c', 'd', 'e'].map((letter) => output.write(Buffer.alloc(262_144, letter)));
  let waiting = true;
  setTimeout(() => process.stderr.write(waiting ? 'waits,' : 'went on,'), 0);
  const outcomes = await Promise.allSettled(writes);
  waiting = false;
  process.stderr.write(outcomes.map(({ status, reason }) => reason?.code ?? status).join());
`;

function start() {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { child, said: () => said };
}

test('a slow reader holds up nobody but the writer, and gets everything in order', async () => {
  const { child, said } = start();
  // Nothing is read before the process has said that it goes on without.
  await once(child.stderr, 'data');
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  assert.equal(said(), 'waits,fulfilled,fulfilled,fulfilled,fulfilled,fulfilled');
  assert.match(text, /^a{262144}b{262144}c{262144}d{262144}e{262144}$/);
});

test('a reader that has gone away is told to every write, and the process lives on', async () => {
  const { child, said } = start();
  child.stdout.destroy();
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0);
  assert.match(said(), /(?:OUTPUT_CLOSED,?){5}/);
});
