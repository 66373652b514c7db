import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until } from '../crash/process.ts';
import { examplePeers } from './example-peers.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples');

const examples = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'));

/** What the examples take from the environment, and an event that each of them accepts. */
const TOKENS = ['BILLING_TOKEN', 'ACCOUNTS_TOKEN', 'AUDITOR_TOKEN', 'OPS_TOKEN', 'SEARCH_TOKEN', 'APP_TOKEN'];
const EVENT = {
  id: 'evt_1',
  event_id: 'evt_1',
  occurred_at: '2026-11-24T11:08:09Z',
  action: 'a.b',
  outcome: 'success',
  actor: { type: 'user', id: 'u' },
};

test('each example says what it is, when it fits and how it is run, and names what it takes from the environment', () => {
  assert.ok(examples.length >= 10, examples.join(' '));
  for (const name of examples) {
    const text = readFileSync(join(EXAMPLES, name), 'utf8');
    const [what, when, run, first] = text.split('\n');
    assert.match(what ?? '', /^# What: \S.*\.$/, name);
    assert.match(when ?? '', /^# When: \S.*\.$/, name);
    assert.match(run ?? '', /^# Run: in an empty directory.*`waybill init -c (\S+)`, `waybill run -c \1`\.$/, name);
    assert.ok(run?.includes(`-c ${name}\``) === true && first === 'ledger:', name);
    const needed = [...text.matchAll(/\$\{([A-Z0-9_]+)\}/g)].map(([, variable]) => variable ?? '');
    for (const variable of needed) assert.ok(run.includes(variable), `${name} needs ${variable}`);
  }
});

for (const name of examples) {
  test(`examples/${name} runs, takes an event and ends`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'waybill-example-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const peer = await examplePeers[name]?.(t);
    const tokens = Object.fromEntries(TOKENS.map((token) => [token, `${token.toLowerCase()}-of-this-test`]));
    for (const [variable, value] of Object.entries({ ...tokens, ...peer?.environment })) {
      process.env[variable] = value;
      t.after(() => delete process.env[variable]);
    }
    const port = await freePort();
    const text = readFileSync(join(EXAMPLES, name), 'utf8');
    // Two tests at a time must not want the same port.
    const moved = text.includes('listen:')
      ? text.replace('127.0.0.1:8400', `127.0.0.1:${port}`)
      : `${text}api: { listen: 127.0.0.1:${port} }\n`;
    // Nobody waits a minute for an object here.
    for (const [path, content] of Object.entries(peer?.files ?? {})) writeFileSync(join(directory, path), content);
    const other = async (all: string, address: string) => all.replace(address, address.replace(/\d+$/, String(await freePort())));
    const free = await ['127.0.0.1:9464', '0.0.0.0:8443'].reduce(async (all, address) => other(await all, address), Promise.resolve(moved));
    const file = initWaybill(directory, free.replace('wait: 1m', 'wait: 100ms'));
    const process_ = await startWaybill(file, port);
    t.after(() => process_.end('SIGKILL'));

    if (name === 'file-source.yaml') {
      mkdirSync(join(directory, 'logs'));
      writeFileSync(join(directory, 'logs', 'audit.ndjson'), `${JSON.stringify(EVENT)}\n`);
      writeFileSync(join(directory, 'logs', 'messages'), 'a plain line\n');
      await until(
        'both files to be read',
        () => outOf(directory).includes('"evt_1"') && outOf(directory).includes('{"line":"a plain line"}'),
      );
      assert.equal(await process_.end('SIGTERM'), 0, process_.log());
      return;
    }
    const source = /^sources:\n {2}(\w+):/m.exec(text)?.[1] ?? '';
    const post = async (id: string): Promise<void> => {
      const answer = await fetch(`${process_.url}/v1/events?source=${source}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer ops_token-of-this-test' },
        body: JSON.stringify({ ...EVENT, id, event_id: id }),
      });
      assert.equal(answer.status, 200, await answer.text());
    };
    await post(EVENT.id);
    await until('the file to have the event', () => outOf(directory).includes('"evt_1"'));
    if (peer !== undefined) await until('the other end to have it too', () => peer.arrived().includes('"evt_1"'));
    const waybill = (...args: readonly string[]): string =>
      execFileSync(process.execPath, [MAIN, ...args, '-c', file], { encoding: 'utf8' });
    await peer?.check?.({ directory, post, waybill });
    assert.equal(await process_.end('SIGTERM'), 0, process_.log());
  });
}

/** What the file destination of an example has written. */
function outOf(directory: string): string {
  try {
    return readdirSync(join(directory, 'out'))
      .map((name) => readFileSync(join(directory, 'out', name), 'utf8'))
      .join('');
  } catch {
    return '';
  }
}
