import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { batchOf, entriesOf, heldOf } from '../../test/conformance/batches.ts';
import { type Received, startHttpReceiver } from '../../test/conformance/http-receiver.ts';
import { heldInMessage } from '../../test/conformance/webhook-receiver.ts';
import type { Ports } from '../contracts/ports.ts';
import type { SinkBatch } from '../contracts/sink.ts';
import { asIndex } from '../contracts/units.ts';
import { openPorts } from '../runtime/ports.ts';
import { type WebhookConfig, webhook } from './webhook.ts';

const GOLDEN = join(import.meta.dirname, '../../test/golden/webhook');
const OLD = `whsec_${Buffer.from('the old secret, 24 bytes').toString('base64')}`;
const NEW = `whsec_${Buffer.from('the new secret, 24 bytes').toString('base64')}`;

const ports = await openPorts({ logLevel: 'silent' });
const receiver = await startHttpReceiver({ drops: false, read: () => ({ id: '', held: [], checkpoint: null }) });
after(async () => {
  await receiver.stop();
  await ports.close();
});

const never = (): AbortSignal => new AbortController().signal;

function configOf(settings: object): WebhookConfig {
  const result = webhook.config.safeParse({ url: `${receiver.url}/in`, allow_private: true, ...settings });
  assert.ok(result.success, 'the settings are right');
  return result.data;
}

async function sent(settings: object, batch: SinkBatch = batchOf({ from: 5, entries: entriesOf(5, 3), through: 9 }), with_: Ports = ports) {
  const context = { name: 'hook', origin: 'acme.example/audit', ports: with_, cursor: asIndex(5), receipt: null };
  const sink = await webhook.open(configOf(settings), context);
  await sink.write(batch, never());
  await sink.close();
  const request = receiver.requests.at(-1);
  assert.ok(request !== undefined);
  return request;
}

/** A private key in the form of Standard Webhooks, and what its public half says about a request. */
function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const verifies = ({ headers, body }: Received): boolean =>
    String(headers['webhook-signature'])
      .split(' ')
      .filter((one) => one.startsWith('v1a,'))
      .some((one) => {
        const signed = Buffer.concat([Buffer.from(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.`), body]);
        return verify(
          null,
          signed,
          createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })),
          Buffer.from(one.slice(4), 'base64'),
        );
      });
  return { seed, point, verifies };
}

const verifiedBy = (secret: string, { headers, body }: Received): unknown =>
  new Webhook(secret).verify(body.toString(), headers as Record<string, string>);

describe('a message', () => {
  test('is these bytes with these headers', async () => {
    const fixed: Ports = { ...ports, clock: { ...ports.clock, now: () => Date.UTC(2026, 10, 24, 12, 0, 0, 999) } };
    const batch = {
      ...batchOf({ from: 5, entries: ['{"id":"é"}', '{"a":[1,{"b":"},{"}]}'], through: 9 }),
      id: 'hook-5-9-0123456789abcdef01234567',
    };
    const { method, path, headers, body } = await sent({ secrets: [NEW, OLD] }, batch, fixed);
    const own = ['content-type', 'webhook-id', 'webhook-signature', 'webhook-timestamp'].map(
      (name) => `${name}: ${String(headers[name])}\n`,
    );
    assert.equal(`${method} ${path}\n${own.join('')}\n${body.toString()}\n`, readFileSync(join(GOLDEN, 'message.http'), 'utf8'));
  });

  test('has the very bytes of its entries, and accounts for its range', async () => {
    const parts = { from: 1_000, entries: entriesOf(1_000, 90) };
    const { body } = await sent({ secret: NEW }, batchOf({ ...parts, through: 1_099 }));
    assert.deepEqual(heldInMessage(body.toString()), heldOf(parts));
    const { entries: _, ...facts } = JSON.parse(body.toString()) as Record<string, unknown>;
    assert.deepEqual(facts, {
      ledger: 'acme.example/audit',
      destination: 'hook',
      from: 1_000,
      through: 1_099,
      count: 90,
      omitted: { filtered: 10, quarantined: [], control: 0 },
    });
  });

  test('may be without an entry', async () => {
    const { body } = await sent({ secret: NEW }, batchOf({ from: 0, entries: [], through: 99 }));
    assert.deepEqual((JSON.parse(body.toString()) as { readonly entries: unknown }).entries, []);
  });

  test('of a replay says so, in the body and in a header', async () => {
    const { headers, body } = await sent({ secret: NEW }, batchOf({ from: 0, entries: entriesOf(0, 1), replay: 'replay-1' }));
    assert.equal(headers['waybill-replay'], 'replay-1');
    assert.equal((JSON.parse(body.toString()) as { readonly replay: unknown }).replay, 'replay-1');
  });

  test('keeps its identity and its body when it is sent again, and is signed anew', async () => {
    const batch = batchOf({ from: 5, entries: entriesOf(5, 3) });
    const at = (now: number): Ports => ({ ...ports, clock: { ...ports.clock, now: () => now } });
    const first = await sent({ secret: NEW }, batch, at(1_000_000));
    const again = await sent({ secret: NEW }, batch, at(2_000_000));
    assert.equal(first.headers['webhook-id'], again.headers['webhook-id']);
    assert.deepEqual(first.body, again.body);
    assert.equal(again.headers['webhook-timestamp'], '2000');
    assert.notEqual(first.headers['webhook-signature'], again.headers['webhook-signature']);
  });

  test('in another format than JSON is refused', async () => {
    const batch = { ...batchOf({ from: 0, entries: entriesOf(0, 1) }), contentType: 'text/plain' };
    await assert.rejects(sent({ secret: NEW }, batch), { code: 'SINK_REFUSED', message: /choose another format/ });
  });
});

describe('a signature', () => {
  test('by a shared secret is what the reference library expects', async () => {
    const request = await sent({ secret: NEW });
    assert.equal((verifiedBy(NEW, request) as { readonly count: number }).count, 3);
    assert.throws(() => verifiedBy(OLD, request), /No matching signature/);
  });

  test('is there for each secret while one takes the place of another', async () => {
    const request = await sent({ secrets: [NEW, OLD] });
    for (const secret of [NEW, OLD]) verifiedBy(secret, request);
    assert.match(String(request.headers['webhook-signature']), /^v1,\S+ v1,\S+$/);
  });

  test('by a private key is verified by its public key, whichever form the key has', async () => {
    const { seed, point, verifies } = keyPair();
    for (const key of [seed, Buffer.concat([seed, point])]) {
      const request = await sent({ secrets: [`whsk_${key.toString('base64')}`, NEW] });
      assert.ok(verifies(request));
      assert.ok(!keyPair().verifies(request));
      verifiedBy(NEW, request);
    }
  });
});

describe('a receiver inside', () => {
  test('gets nothing unless that is allowed', async () => {
    const before = receiver.requests.length;
    await assert.rejects(sent({ secret: NEW, allow_private: false }), { code: 'SINK_ADDRESS_PRIVATE', remedy: 'halt' });
    assert.equal(receiver.requests.length, before);
  });
});

describe('the settings', () => {
  const { seed, point } = keyPair();
  const wrong: readonly (readonly [string, object])[] = [
    ['no secret', {}],
    ['a secret and a list of them', { secret: NEW, secrets: [OLD] }],
    ['an empty list of secrets', { secrets: [] }],
    ['a secret without its prefix', { secret: NEW.slice(6) }],
    ['a public key', { secret: `whpk_${point.toString('base64')}` }],
    ['a secret of 23 bytes', { secret: `whsec_${Buffer.alloc(23, 1).toString('base64')}` }],
    ['a secret of 65 bytes', { secret: `whsec_${Buffer.alloc(65, 1).toString('base64')}` }],
    ['a secret that is not base64', { secret: 'whsec_not-base64-but-long-enough-for-it' }],
    ['half a private key', { secret: `whsk_${seed.subarray(16).toString('base64')}` }],
    ['a private key with another public half', { secret: `whsk_${Buffer.concat([seed, seed]).toString('base64')}` }],
    ['a header that is part of the protocol', { secret: NEW, headers: { 'Webhook-Id': '1' } }],
    ['another protocol', { secret: NEW, url: 'ftp://a.example/' }],
  ];
  for (const [what, settings] of wrong) {
    test(`refuse ${what}, and never quote it`, () => {
      const result = webhook.config.safeParse({ url: 'https://a.example/', ...settings });
      assert.equal(result.success, false);
      const said = JSON.stringify(result.error?.issues);
      for (const text of Object.values(settings).flat()) {
        if (typeof text === 'string' && /^wh(?:sec|sk|pk)_/.test(text)) assert.ok(!said.includes(text.slice(8)), said);
      }
    });
  }

  test('promise that repeats are dropped only when they are told so', () => {
    assert.equal(webhook.traits(configOf({ secret: NEW })).dedupe, 'none');
    assert.equal(webhook.traits(configOf({ secret: NEW, idempotent: true })).dedupe, 'key');
  });
});
