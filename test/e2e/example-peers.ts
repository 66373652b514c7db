import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { startObjectStore } from '../../src/cli/demo/object-store.ts';
import { startHttpReceiver } from '../conformance/http-receiver.ts';
import { heldInStore } from '../conformance/s3-peer.ts';
import { readWebhook } from '../conformance/webhook-receiver.ts';
import { until } from '../crash/process.ts';
import { makeAuthority } from '../doubles/certificate-authority.ts';

/** The other end of an example: what the example takes from the environment, and what arrived. */
export interface ExamplePeer {
  readonly environment: Readonly<Record<string, string>>;
  arrived(): string;
  /** What has to lie beside the configuration. */
  readonly files?: Readonly<Record<string, string>>;
  /** What else the example promises. */
  check?(example: RunningExample): Promise<void>;
}

/** An example at work. */
export interface RunningExample {
  readonly directory: string;
  /** Sends one more event with this identity. */
  readonly post: (id: string) => Promise<void>;
  /** Runs a command with its configuration, and gives what it printed. */
  readonly waybill: (...args: readonly string[]) => string;
}

const SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
const OLD_SECRET = `whsec_${Buffer.alloc(24, 2).toString('base64')}`;
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-access-key' };

/** What has to run on this machine for an example that sends something away. */
export const examplePeers: Readonly<Record<string, (t: TestContext) => Promise<ExamplePeer>>> = {
  async 'tls.yaml'() {
    const authority = await makeAuthority('Acme');
    const { key, certificate } = await authority.issue('waybill.acme.example', [{ type: 'ip', value: '127.0.0.1' }]);
    return {
      environment: {},
      arrived: () => '"evt_1"',
      files: { 'server.crt': certificate, 'server.key': key },
      async check({ waybill }) {
        // The commands find the listener that serves them, and accept exactly its certificate.
        const status = JSON.parse(waybill('status', '--json')) as { api: { listeners: { serve: string[]; tls: object | null }[] } };
        assert.deepEqual(
          status.api.listeners.map(({ serve, tls }) => [serve.join(' '), tls !== null]),
          [
            ['ingest', false],
            ['metrics', false],
            ['ingest control console tlog', true],
          ],
        );
      },
    };
  },
  async 'fan-out.yaml'(t) {
    const receiver = await startHttpReceiver({ drops: true });
    receiver.trouble('poison', () => undefined);
    t.after(() => receiver.stop());
    const arrived = () =>
      receiver
        .held()
        .map(({ entry }) => entry)
        .join('\n');
    return {
      environment: { SEARCH_URL: receiver.url },
      arrived,
      async check({ directory, post, waybill }) {
        await post('poison_1');
        await post('evt_2');
        await until('the receiver to have what it takes', () => arrived().includes('"evt_2"'));
        const list = (): string => waybill('quarantine', 'list', 'search');
        await until('the refused entry to be set aside', () => /search/.test(list()) && /SINK_REFUSED/.test(list()));
        assert.ok(!arrived().includes('poison_1'), 'what was refused is not there');
        const texts = ['out', 'daily'].map((place) => readFileSync(`${directory}/${place}/audit.ndjson`, 'utf8'));
        for (const text of texts)
          for (const id of ['evt_1', 'poison_1', 'evt_2', 'destination.gap']) assert.ok(text.includes(`"${id}"`), id);
      },
    };
  },
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
