import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { entriesOf } from '../../test/conformance/batches.ts';
import { SignedHeads } from '../../test/doubles/signed-heads.ts';
import { type ObjectStore, startObjectStore } from '../cli/demo/object-store.ts';
import type { Sink, SinkCheckpoint } from '../contracts/sink.ts';
import { asIndex } from '../contracts/units.ts';
import { openPorts } from '../runtime/ports.ts';
import { s3 } from './s3.ts';

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-access-key' };

const ports = await openPorts({ logLevel: 'silent' });
let store: ObjectStore;
beforeEach(async () => {
  store = await startObjectStore({ ...KEYS, bucket: 'audit', region: 'eu-central-1', conditions: 'honoured' });
});
afterEach(() => store.stop());
after(() => ports.close());

const never = (): AbortSignal => new AbortController().signal;

async function open(settings: object = {}): Promise<Sink> {
  const keys = { access_key_id: KEYS.accessKeyId, secret_access_key: KEYS.secretAccessKey };
  const given = { endpoint: store.url, bucket: 'audit', prefix: 'acme/', region: 'eu-central-1', ...keys, ...settings };
  const config = s3.config.safeParse(given);
  assert.ok(config.success, 'the settings are right');
  return s3.open(config.data, { name: 'archive', origin: 'acme.example/audit', ports, cursor: asIndex(0), receipt: null });
}

describe('the objects of checkpoints', () => {
  const heads = new SignedHeads('acme.example/audit', { now: () => Date.UTC(2026, 10, 24) });
  const head = async (count: number): Promise<SinkCheckpoint> => {
    const { size, checkpoint: note } = await heads.publish(entriesOf(0, count).map((entry) => Buffer.from(entry)));
    return { size, note };
  };
  const keys = (): readonly string[] => store.versions.map(({ key }) => key).filter((key) => key.includes('checkpoint'));

  test('are one for each size, for good and locked, and the newest under a name of its own', async () => {
    const sink = await open({ lock: { mode: 'governance', for: '30d' }, encryption: 'AES256' });
    for (const count of [3, 3, 7]) await sink.checkpoint?.(await head(count), never());
    const [three, seven] = ['acme/checkpoints/0000000000000003', 'acme/checkpoints/0000000000000007'];
    assert.deepEqual(keys(), [three, 'acme/checkpoint', 'acme/checkpoint', seven, 'acme/checkpoint']);
    const lockOf = (key: string) => store.objects().find((object) => object.key === key)?.headers['x-amz-object-lock-mode'];
    assert.deepEqual([lockOf(seven), lockOf('acme/checkpoint')], ['GOVERNANCE', undefined]);
    for (const { contentType, headers } of store.versions.filter(({ key }) => key.includes('checkpoint'))) {
      assert.deepEqual([contentType, headers['x-amz-server-side-encryption']], ['text/plain; charset=utf-8', 'AES256']);
    }
    await sink.close();
  });

  test('of a size are never replaced, and another root there is told', async () => {
    const sink = await open();
    const key = 'acme/checkpoints/0000000000000003';
    const note = (await head(3)).note.replace(/^(.*\n3\n).{6}/, '$1AAAAAA');
    store.plant({ key, body: Buffer.from(note), contentType: 'text/plain', headers: {} });
    await assert.rejects(sink.checkpoint?.(await head(3), never()) ?? assert.fail(), {
      code: 'CHECKPOINT_CONFLICT',
      message: /another root over 3/,
    });
    assert.equal(
      store
        .objects()
        .find((object) => object.key === key)
        ?.body.toString(),
      note,
    );
    await sink.close();
  });

  test('go on with credentials that may only write; what cannot be compared is said', async () => {
    store.interfere(({ method }) => (method === 'PUT' ? null : { status: 403, code: 'AccessDenied' }));
    const sink = await open();
    for (const count of [3, 3, 7]) await sink.checkpoint?.(await head(count), never());
    await sink.close();
    const again = await open();
    const hidden = { code: 'SINK_UNAUTHORIZED', message: /cannot be seen with these credentials: allow s3:GetObject/ };
    await assert.rejects(again.checkpoint?.(await head(7), never()) ?? assert.fail(), hidden);
    await again.checkpoint?.(await head(8), never());
    await again.close();
  });
});
