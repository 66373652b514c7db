import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from '../crash/process.ts';
import { startReceiver } from '../crash/receiver.ts';

const OPERATOR = 'operator-token-of-this-test';
const ROTATED = 'rotated-token-of-this-test';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What a test changes in the file. */
interface Changes {
  readonly port?: number;
  readonly tokens?: readonly (readonly [name: string, token: string])[];
  readonly destinations?: readonly string[];
  readonly more?: string;
  readonly ledger?: string;
}

function yaml(port: number, { tokens = [['ops', OPERATOR]], destinations = [], more = '', ledger = 'path: ./data' }: Changes): string {
  return `ledger: { origin: reload.example/audit, ${ledger} }
api:
  listen: 127.0.0.1:${port}
  tokens:
${tokens.map(([name, token]) => `    - { name: ${name}, role: operator, token: ${token} }`).join('\n')}
sources:
  app: { type: http, schema: json, id_field: id }
destinations:
  archive: { type: file, path: ./out.ndjson, start: beginning }
${destinations.map((line) => `  ${line}`).join('\n')}
drain: 300ms
${more}`;
}

/** One process with a file that a test saves again and again. */
async function start(t: TestContext, changes: Changes = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-reload-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const file = initWaybill(directory, yaml(port, changes));
  const running = await startWaybill(file, port);
  t.after(() => running.end('SIGKILL'));
  return {
    directory,
    file,
    port,
    running,
    save: (next: Changes) => writeFileSync(file, yaml(next.port ?? port, next)),
    waybill: (...args: readonly string[]): Promise<Ran> =>
      new Promise((done) => {
        execFile(process.execPath, [MAIN, ...args, '-c', file], { encoding: 'utf8', timeout: 60_000 }, (error, out, err) => {
          done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
        });
      }),
  };
}

interface Status {
  readonly ledger: { readonly durable: number };
  readonly destinations: Readonly<Record<string, { readonly state: string; readonly cursor: number; readonly lag: number }>>;
  readonly reload: {
    readonly at: string;
    readonly ok: boolean;
    readonly error: { readonly code: string; readonly message: string } | null;
  } | null;
}

async function statusOf(url: string, token = OPERATOR): Promise<Status> {
  const answer = await fetch(`${url}/v1/status`, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()) as Status;
}

/** SIGHUP, and how it ended. */
async function hangUp(running: WaybillProcess): Promise<Status['reload']> {
  const before = (await statusOf(running.url)).reload?.at;
  running.child.kill('SIGHUP');
  let after: Status['reload'] = null;
  await until('the reload to end', async () => {
    after = (await statusOf(running.url)).reload;
    return after !== null && after.at !== before;
  });
  return after;
}

/** Sends events until it is asked to stop. Answers how many were accepted; anything but 200 is thrown. */
function load(url: () => string, token: () => string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  let stopping = false;
  let sent = 0;
  const post = (body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-ndjson', authorization: `Bearer ${token()}` };
      const sending = request(`${url()}/v1/events`, { agent, method: 'POST', headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      sending.on('socket', (socket) => sockets.add(socket));
      sending.on('error', reject);
      sending.end(body);
    });
  const work = async (): Promise<number> => {
    while (!stopping) {
      const lines = Array.from({ length: 20 }, (_, k) => JSON.stringify({ id: `e${sent + k}`, pad: 'x'.repeat(200) }));
      assert.equal(await post(`${lines.join('\n')}\n`), 200);
      sent += lines.length;
    }
    agent.destroy();
    return sent;
  };
  const done = work();
  return {
    sockets,
    sent: () => sent,
    stop: () => {
      stopping = true;
      return done;
    },
  };
}

/** Every entry of the ledger as the destinations get it. */
async function entriesOf(url: string): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const answer = await fetch(`${url}/v1/entries?from=${lines.length}&limit=1000`, { headers: { authorization: `Bearer ${OPERATOR}` } });
    const more = (await answer.text()).split('\n').filter((line) => line !== '');
    lines.push(...more);
    if (more.length === 0) return lines;
  }
}

test('while events flow and answers are lost, a destination changes again and again, and another one is added', async (t) => {
  let losing = true;
  let taken = 0;
  const receiver = await startReceiver(() => losing && taken++ % 3 === 0);
  t.after(() => receiver.close());
  const lake = (more: string) => `lake: { type: http, url: "${receiver.url}", start: beginning, retry: { min: 10ms, max: 50ms }, ${more} }`;
  const { directory, running, save } = await start(t, { destinations: [lake('timeout: 2s')] });
  const flow = load(
    () => running.url,
    () => OPERATOR,
  );
  const versions = [
    'batch: { entries: 7 }',
    'control: none',
    'timeout: 3s',
    'batch: { entries: 300 }, control: own',
    'control: all',
    'timeout: 1s',
  ];
  for (const [at, version] of versions.entries()) {
    const before = flow.sent();
    await until('more to be sent', () => flow.sent() > before + 200);
    const late = at < 2 ? [] : ['late: { type: file, path: ./late.ndjson, start: beginning }'];
    save({ destinations: [lake(version), ...late] });
    const reload = await hangUp(running);
    assert.deepEqual(reload?.error, null, JSON.stringify(reload));
  }
  await flow.stop();
  losing = false;
  await until('everybody to have everything', async () => {
    const { ledger, destinations } = await statusOf(running.url);
    return Object.values(destinations).every(({ cursor }) => cursor === ledger.durable);
  });
  assert.deepEqual(receiver.faults, []);
  assert.ok(receiver.repeats > 0, 'answers were lost');
  const entries = await entriesOf(running.url);
  for (const name of ['out.ndjson', 'late.ndjson'])
    assert.deepEqual(readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1), entries, name);
  const all = new Set(entries);
  assert.ok(receiver.lines.every((line) => all.has(line)));
  const events = (lines: readonly string[]) => lines.filter((line) => line.includes('"source":"app"'));
  assert.deepEqual(events(receiver.lines), events(entries));
  // Six files were taken over, and each is in the ledger itself.
  const notes = entries.filter((line) => line.includes('"type":"config"'));
  assert.equal(notes.length, versions.length);
  assert.match(notes[2] ?? '', /"by":"signal".*"destinations\.late\.path"/);
  assert.equal(await running.end('SIGTERM'), 0);
});

test('a file that cannot be taken over changes nothing, and everything that is wrong with it is said', async (t) => {
  const { running, save, waybill, port } = await start(t);
  save({ more: 'drainn: 1s\nlog_level: loud\n' });
  const listed = await waybill('reload');
  assert.equal(listed.code, 78);
  assert.match(listed.err, /drainn/);
  assert.match(listed.err, /log_level/);
  const broken = await hangUp(running);
  assert.equal(broken?.ok, false);
  assert.equal(broken?.error?.code, 'CONFIG_INVALID');
  assert.match(broken?.error?.message ?? '', /drainn[^]*log_level/);
  assert.match(running.log(), /the configuration was not taken over; everything is as before/);

  save({ ledger: 'path: ./elsewhere, segment: 32MiB' });
  const refused = await waybill('reload', '--json');
  assert.equal(refused.code, 1);
  const { error } = JSON.parse(refused.out) as { readonly error: { readonly code: string; readonly message: string } };
  assert.equal(error.code, 'RELOAD_REFUSED');
  assert.match(error.message, /ledger\.path cannot change: .*\nledger\.segment cannot change: restart/);

  const busy = createServer().listen(0, '127.0.0.1');
  t.after(() => busy.close());
  await new Promise((resolve) => busy.once('listening', resolve));
  const address = busy.address();
  assert.ok(typeof address === 'object' && address !== null);
  save({ port: address.port, destinations: ['more: { type: file, path: ./more.ndjson, start: beginning }'] });
  const unopened = await hangUp(running);
  assert.equal(unopened?.error?.code, 'LISTEN_FAILED');

  const { destinations } = await statusOf(`http://127.0.0.1:${port}`);
  assert.deepEqual(Object.keys(destinations), ['archive']);
  assert.equal(destinations['archive']?.state, 'running');
  save({});
  assert.match((await waybill('reload')).out, /^nothing has changed\n$/);
  assert.equal((await statusOf(running.url)).reload?.ok, true);
});

test('what a reload would do is said first, and the same file twice is nothing', async (t) => {
  const { running, save, waybill } = await start(t);
  save({ destinations: ['more: { type: file, path: ./more.ndjson, start: beginning }'], more: 'log_level: warn\n' });
  const trial = await waybill('reload', '--dry-run');
  assert.match(
    trial.out,
    /^nothing was done; a reload would take over\n(?: {2}destinations\.more\.\w+\n){3} {2}log_level\n\ndestination more: started\n$/,
  );
  assert.deepEqual(Object.keys((await statusOf(running.url)).destinations), ['archive']);
  const done = await waybill('reload', '--reason', 'a second copy');
  assert.match(done.out, /^the configuration is at work; taken over:\n/);
  assert.deepEqual(Object.keys((await statusOf(running.url)).destinations).sort(), ['archive', 'more']);
  assert.match((await waybill('reload')).out, /^nothing has changed\n$/);
  const entries = await entriesOf(running.url);
  const notes = entries.filter((line) => line.includes('"type":"config"'));
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? '', /"by":"request","token":"ops"/);
});

test('tokens rotate while events flow: no request is refused, and no connection is closed', async (t) => {
  const { running, save } = await start(t);
  let token = OPERATOR;
  const flow = load(
    () => running.url,
    () => token,
  );
  const more = async () => {
    const before = flow.sent();
    await until('more to be sent', () => flow.sent() > before + 100);
  };
  await more();
  save({
    tokens: [
      ['ops', OPERATOR],
      ['ops-next', ROTATED],
    ],
  });
  assert.equal((await hangUp(running))?.ok, true);
  await more();
  token = ROTATED;
  await more();
  save({ tokens: [['ops-next', ROTATED]] });
  running.child.kill('SIGHUP');
  await until('the old token to be refused', async () => {
    const answer = await fetch(`${running.url}/v1/status`, { headers: { authorization: `Bearer ${OPERATOR}` } });
    return answer.status === 401;
  });
  await more();
  const sent = await flow.stop();
  assert.equal(flow.sockets.size, 1);
  await until('the archive to have all', async () => (await statusOf(running.url, ROTATED)).destinations['archive']?.lag === 0);
  assert.ok((await statusOf(running.url, ROTATED)).ledger.durable >= sent);
  assert.doesNotMatch(running.log(), /token-of-this-test/);
});

test('another port: requests under way at the old one are answered, and the new one is open before it closes', async (t) => {
  const { running, save, port } = await start(t);
  const other = await freePort();
  const slow = request(`${running.url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${OPERATOR}`, 'transfer-encoding': 'chunked' },
  });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    slow.on('response', (response) => resolve(response.resume().statusCode));
    slow.on('error', reject);
  });
  slow.write('{"id":"slow",');
  await new Promise((resolve) => slow.once('socket', (socket) => (socket.connecting ? socket.once('connect', resolve) : resolve(null))));
  save({ port: other });
  running.child.kill('SIGHUP');
  const at = `http://127.0.0.1:${other}`;
  await until('the new port to answer', () =>
    fetch(`${at}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  slow.end('"n":1}');
  assert.equal(await answered, 200);
  await until('the old port to refuse', () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      () => false,
      () => true,
    ),
  );
  const { ledger, reload } = await statusOf(at);
  assert.equal(reload?.ok, true);
  assert.ok(ledger.durable >= 1);
  assert.equal(await running.end('SIGTERM'), 0);
});
