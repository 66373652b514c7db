import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'waybill-ports-'));
after(() => rmSync(directory, { recursive: true }));

const url = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);

/** Runs a script in a process of its own until it ends, or until it has said `ready` and got the signals. */
async function run(script: string, signals: readonly NodeJS.Signals[] = []) {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const waiting = [...signals];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    const signal = waiting.shift();
    if (signal !== undefined) child.kill(signal);
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, stdout, stderr };
}

describe('the ports together', () => {
  test('they are opened, used and closed, and the process ends by itself', async () => {
    const result = await run(`import { openPorts } from ${url('./ports.ts')};
      const jobs = new URL('data:text/javascript,export const jobs = { twice: (n) => 2 * n }');
      const ports = await openPorts({ logLevel: 'warn', jobs });
      const own = ports.withOwnDisk();
      const one = await ports.disk.open(${JSON.stringify(join(directory, 'one'))}, 'create');
      const two = await own.disk.open(${JSON.stringify(join(directory, 'two'))}, 'create');
      await Promise.all([one.commit(Buffer.from('1'), 0), two.commit(Buffer.from('2'), 0)]);
      await Promise.all([one.close(), two.close()]);
      console.log(await ports.background.run('twice', 21));
      ports.log.info('not shown');
      ports.log.warn('slow', { destination: 'lake', lag: 7 });
      await ports.close();`);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stdout, '42\n');
    assert.equal(readFileSync(join(directory, 'one'), 'utf8') + readFileSync(join(directory, 'two'), 'utf8'), '12');
    const lines = result.stderr.trim().split('\n');
    assert.equal(lines.length, 1);
    const { time, ...line } = JSON.parse(lines[0] ?? '');
    assert.deepEqual(line, { level: 'warn', destination: 'lake', lag: 7, msg: 'slow' });
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test('a job without a jobs module is a mistake in the program', async () => {
    const result = await run(`import { openPorts } from ${url('./ports.ts')};
      const ports = await openPorts({ logLevel: 'silent' });
      await ports.background.run('twice', 21).catch((error) => console.log(error.name));
      await ports.close();`);
    assert.equal(result.stdout, 'BrokenInvariant\n');
  });

  test('signals become calls until they are given back, then they end the process', async () => {
    const result = await run(
      `import { listenToSignals } from ${url('./signals.ts')};
      setInterval(() => {}, 1000);
      const signals = listenToSignals({
        stop(signal) { if (signal === 'SIGTERM') signals.close(); console.log(signal); },
        reload() { console.log('reload'); },
      });
      console.log('ready');`,
      ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGTERM'],
    );
    assert.equal(result.stdout, 'ready\nreload\nSIGINT\nSIGTERM\n');
    assert.equal(result.signal, 'SIGTERM');
  });

  test('the environment is read as it is', async () => {
    const result = await run(`import { readEnvironment } from ${url('./environment.ts')};
      process.env.WAYBILL_TEST = 'set';
      console.log(readEnvironment().WAYBILL_TEST, readEnvironment().WAYBILL_NOT_SET);`);
    assert.equal(result.stdout, 'set undefined\n');
  });
});
