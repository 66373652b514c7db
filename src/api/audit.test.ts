import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { settle } from '../../test/doubles/manual-ports.ts';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';
import { WaybillError } from '../contracts/errors.ts';
import { CONTROL_BODY_BYTES, reasonOf } from './audit.ts';
import type { ApiOptions } from './server.ts';

const TOKENS = [testToken('ops', 'operator', 'secret-of-ops'), testToken('eve', 'viewer', 'secret-of-eve')];
const headers = { authorization: 'Bearer secret-of-ops', 'content-type': 'application/json' };
const PAUSE = '/v1/destinations/archive/pause';

/** An API whose control entries are collected, and written only when the test says how. */
async function audited(control: (type: string, facts: Readonly<Record<string, unknown>>) => Promise<never>) {
  const entries: Readonly<Record<string, unknown>>[] = [];
  const unused = () => assert.fail('no events are sent here');
  const intake: ApiOptions['intake'] = {
    check: unused,
    submit: unused,
    get refused() {
      return unused();
    },
    get names() {
      return unused();
    },
    control: (type, facts) => {
      entries.push({ type, ...facts });
      return control(type, facts);
    },
  };
  return { entries, ...(await openTestApi({ tokens: TOKENS }, { intake })) };
}

describe('what an operator asks for', () => {
  test('is a durable entry before it is done', async (t) => {
    const { send, verbs, ledger, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    ledger.hold();
    const asked = send(PAUSE, { method: 'POST', headers: { ...headers, 'waybill-reason': 'W%C3%A4rtung' } });
    while (ledger.assigned() === 0) await settle();
    assert.deepEqual(verbs, [], 'nothing is done while the entry is not durable');
    ledger.release();
    assert.equal((await asked).status, 200);
    assert.deepEqual(verbs, ['pause']);
    const { bytes, starts, ends } = await ledger.read(ledger.beginning(), { entries: 1, bytes: 10_000 });
    const entry = JSON.parse(Buffer.from(bytes.subarray(starts[0], ends[0])).toString()) as {
      readonly source: string;
      readonly event: unknown;
    };
    assert.equal(entry.source, 'waybill');
    assert.deepEqual(entry.event, {
      type: 'operator.request',
      by: 'ops',
      address: '127.0.0.1',
      method: 'POST',
      path: PAUSE,
      destination: 'archive',
      reason: 'Wärtung',
    });
  });

  test('is not done, and no entry, when it is not allowed; the log says so', async (t) => {
    const { send, verbs, ledger, ports, close } = await openTestApi({ tokens: TOKENS });
    t.after(close);
    for (const authorization of ['Bearer secret-of-eve', 'Bearer wrong', ''])
      assert.ok([401, 403].includes((await send(PAUSE, { method: 'POST', headers: { ...headers, authorization } })).status));
    assert.deepEqual([verbs, ledger.assigned()], [[], 0]);
    assert.match(JSON.stringify(ports.log), /a control request was refused/);
    assert.doesNotMatch(JSON.stringify(ports.log), /secret-of|wrong/);
  });

  test('is done all the same when the ledger cannot take the entry, and the log says it aloud', async (t) => {
    const full = new WaybillError('LEDGER_FULL', 'no space');
    const { send, verbs, entries, ports, close } = await audited(() => Promise.reject(full));
    t.after(close);
    assert.equal((await send(PAUSE, { method: 'POST', headers })).status, 200);
    assert.deepEqual([verbs, entries.length], [['pause'], 1]);
    assert.match(JSON.stringify(ports.log), /not in the ledger; it is carried out all the same.*LEDGER_FULL/);
  });

  test('does not wait for a ledger that hangs for ever', async (t) => {
    const { send, verbs, entries, ports, close } = await audited(() => new Promise(() => {}));
    t.after(close);
    const asked = send(PAUSE, { method: 'POST', headers });
    while (entries.length === 0) await settle();
    assert.deepEqual(verbs, []);
    await ports.clock.pass(5_000);
    assert.equal((await asked).status, 200);
    assert.match(JSON.stringify(ports.log), /did not take it in time/);
  });

  test('stands in the entry as far as it is small and plain, and as a digest otherwise', async (t) => {
    const { send, entries, close } = await audited(() => Promise.reject(new WaybillError('LEDGER_FULL', 'no space')));
    t.after(close);
    const bodies = ['{"from":1,"through":null}', '{"a":{"b":1}}', '[1]', 'no json', '', `{"a":"${'x'.repeat(5_000)}"}`];
    for (const body of bodies) await send(PAUSE, { method: 'POST', headers, body });
    const sizes = bodies.map((body) => body.length + 1);
    assert.deepEqual(entries[0]?.['body'], { from: 1, through: null });
    for (const place of [1, 2, 3, 5]) {
      const digest = { bytes: sizes[place], sha256: hash('sha256', `${bodies[place]}\n`) };
      assert.deepEqual(entries[place]?.['body'], digest);
    }
    assert.equal('body' in (entries[4] ?? {}), false);
    assert.equal((await send(PAUSE, { method: 'POST', headers, body: 'x'.repeat(CONTROL_BODY_BYTES + 1) })).status, 413);
    assert.equal(entries.length, bodies.length);
  });
});

test('a reason is text of one line', () => {
  assert.equal(reasonOf('100 % sure'), '100 % sure');
  assert.equal(reasonOf('%E2%82%AC'), '€');
  for (const bad of ['%0a', '%1b[31m', 'x'.repeat(513)]) assert.throws(() => reasonOf(bad), { code: 'REQUEST_INVALID' });
});
