import type { TestContext } from 'node:test';
import { startObjectStore } from '../../src/cli/demo/object-store.ts';
import { startHttpReceiver } from '../conformance/http-receiver.ts';
import { heldInStore } from '../conformance/s3-peer.ts';
import { readWebhook } from '../conformance/webhook-receiver.ts';

/** The other end of an example: what the example takes from the environment, and what arrived. */
export interface ExamplePeer {
  readonly environment: Readonly<Record<string, string>>;
  arrived(): string;
}

const SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
const OLD_SECRET = `whsec_${Buffer.alloc(24, 2).toString('base64')}`;
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-access-key' };

/** What has to run on this machine for an example that sends something away. */
export const examplePeers: Readonly<Record<string, (t: TestContext) => Promise<ExamplePeer>>> = {
  async 'webhook.yaml'(t) {
    const receiver = await startHttpReceiver({ drops: true, read: readWebhook(OLD_SECRET) });
    t.after(() => receiver.stop());
    return {
      environment: { HOOK_URL: `${receiver.url}/hooks/waybill`, HOOK_SECRET: SECRET, HOOK_SECRET_OLD: OLD_SECRET },
      arrived: () =>
        receiver
          .held()
          .map(({ entry }) => entry)
          .join('\n'),
    };
  },
  async 's3.yaml'(t) {
    const store = await startObjectStore({ ...KEYS, bucket: 'acme-audit', region: 'eu-central-1', conditions: 'honoured' });
    t.after(() => store.stop());
    return {
      environment: { S3_ENDPOINT: store.url, AWS_ACCESS_KEY_ID: KEYS.accessKeyId, AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey },
      arrived: () =>
        heldInStore(store)
          .map(({ entry }) => entry)
          .join('\n'),
    };
  },
};
