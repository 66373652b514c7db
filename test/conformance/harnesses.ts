import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ObjectStoreOptions, startObjectStore } from '../../src/cli/demo/object-store.ts';
import type { CodecType } from '../../src/codecs/table.ts';
import type { SinkDefinition } from '../../src/contracts/sink.ts';
import { file } from '../../src/sinks/file.ts';
import { http } from '../../src/sinks/http.ts';
import { s3 } from '../../src/sinks/s3.ts';
import { stdout } from '../../src/sinks/stdout.ts';
import type { SinkType } from '../../src/sinks/table.ts';
import { webhook } from '../../src/sinks/webhook.ts';
import { type Held, heldIn } from './batches.ts';
import { startHttpReceiver } from './http-receiver.ts';
import { startPipe } from './pipe-reader.ts';
import { heldInStore, newestCheckpoint, storeTrouble } from './s3-peer.ts';
import { type SinkHarness, sinkConformance } from './sink.ts';
import { troubledDisk } from './troubled-disk.ts';
import { readWebhook } from './webhook-receiver.ts';

/** How each kind of sink runs the suite: a new kind is one row here. Each row names every way in which its traits differ. */
export const sinkHarnesses = {
  file: () => {
    sinkConformance(file, fileHarness('one file', {}));
    sinkConformance(file, fileHarness('set apart at 4 KiB', { rotate: '4KiB' }));
  },
  http: () => {
    sinkConformance(http, httpHarness('a receiver that keeps repeats', { idempotent: false, compress: 'none' }));
    sinkConformance(http, httpHarness('a receiver that drops repeats', { idempotent: true, compress: 'zstd' }));
  },
  s3: () => {
    sinkConformance(s3, s3Harness('a store that keeps conditions', { conditions: 'honoured', compress: 'gzip' }));
    sinkConformance(s3, s3Harness('a store that ignores conditions', { conditions: 'ignored', compress: 'zstd' }));
    sinkConformance(s3, s3Harness('a store that refuses conditions', { conditions: 'refused', compress: 'none' }));
  },
  stdout: () => sinkConformance(stdout, stdoutHarness()),
  webhook: () => {
    sinkConformance(webhook, webhookHarness('a receiver that keeps repeats', { idempotent: false }));
    sinkConformance(webhook, webhookHarness('a receiver that drops repeats', { idempotent: true }));
  },
} as const satisfies Record<SinkType, () => void>;

/** The ending of each codec's golden file: a new codec is one row here. */
export const codecGoldens = { native: 'ndjson' } as const satisfies Record<CodecType, string>;

const CANNOT_BUSY = { test: 'busy, and when to come back', reason: 'a disk does not ask to wait' } as const;

function fileHarness(name: string, settings: object): SinkHarness<ConfigOf<typeof file>> {
  return {
    name,
    async start(ports) {
      const directory = await mkdtemp(join(tmpdir(), 'waybill-file-sink-'));
      const path = join(directory, 'out', 'audit.ndjson');
      const disk = troubledDisk(ports.disk);
      return {
        config: parsed(file, { path, ...settings }),
        ports: { ...ports, disk },
        secrets: [],
        received: () => heldInFiles(join(directory, 'out')),
        checkpoints: () =>
          readFile(`${path}.checkpoint`, 'utf8').then(
            (note) => [note],
            () => [],
          ),
        trouble: (kind, giveUp) => disk.trouble(kind, giveUp),
        heal: () => disk.heal(),
        stop: () => rm(directory, { recursive: true }),
      };
    },
    skip: [
      CANNOT_BUSY,
      { test: 'one entry that it will never take', reason: 'a file takes every entry' },
      { test: 'no secret is ever said', reason: 'a file has no secret' },
      { test: 'a batch carries a checkpoint beside its entries', reason: 'a line is an entry and nothing else' },
    ],
  };
}

/** What the files of a directory hold: those that were set apart in the order of their names, then the one that grows. */
async function heldInFiles(directory: string): Promise<readonly Held[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => /^audit\.ndjson(?:\.\d+)?$/.test(name)).sort();
  const inOrder = [...names.filter((name) => name !== 'audit.ndjson'), ...names.filter((name) => name === 'audit.ndjson')];
  const held: Held[] = [];
  for (const name of inOrder) held.push(...heldIn(await readFile(join(directory, name), 'utf8')));
  return held;
}

/** What cannot be done where no checkpoint ever goes. */
const NO_CHECKPOINTS: SinkHarness<unknown>['skip'] = (
  [
    'a batch carries a checkpoint beside its entries',
    'a checkpoint by itself is no entry, and fits what is held',
    'the same checkpoint again, also after a restart, and the same head made fresh',
    'a checkpoint that fails leaves everything as it was',
    'close settles a checkpoint that is under way',
    'a checkpoint of another history, or of less, does not take the place of what is there',
  ] as const
).map((test) => ({ test, reason: 'no checkpoint goes there' }));

const RECEIVER_CANNOT: SinkHarness<unknown>['skip'] = [
  { test: 'a batch out of turn changes nothing', reason: 'a plain receiver does not look at the place of a batch' },
  { test: 'what is read back is what was written', reason: 'a plain receiver cannot be asked' },
  {
    test: 'a checkpoint of another history, or of less, does not take the place of what is there',
    reason: 'a plain receiver takes what it is told, and compares by itself',
  },
];

function httpHarness(name: string, settings: { idempotent: boolean; compress: string }): SinkHarness<ConfigOf<typeof http>> {
  return {
    name,
    async start(ports) {
      const receiver = await startHttpReceiver({ drops: settings.idempotent });
      const secrets = { token: 'token-that-nobody-may-see', key: 'key in a header' };
      return {
        config: parsed(http, {
          url: `${receiver.url}/in?key=query-secret`,
          token: secrets.token,
          headers: { 'X-Key': secrets.key },
          ...settings,
        }),
        ports,
        secrets: [...Object.values(secrets), 'query-secret'],
        received: async () => receiver.held(),
        checkpoints: async () => receiver.checkpoints(),
        trouble: (kind, giveUp) => receiver.trouble(kind, giveUp),
        heal: () => receiver.heal(),
        stop: () => receiver.stop(),
      };
    },
    skip: RECEIVER_CANNOT,
  };
}

function webhookHarness(name: string, settings: { idempotent: boolean }): SinkHarness<ConfigOf<typeof webhook>> {
  const secrets = [
    `whsec_${Buffer.from('the new secret of this receiver').toString('base64')}`,
    `whsec_${Buffer.alloc(24, 7).toString('base64')}`,
  ];
  return {
    name,
    async start(ports) {
      // Such a receiver knows one of the secrets only.
      const receiver = await startHttpReceiver({ drops: settings.idempotent, read: readWebhook(secrets[1] ?? '') });
      const config = { url: `${receiver.url}/in?key=query-secret`, secrets, headers: { 'X-Key': 'key in a header' }, allow_private: true };
      return {
        config: parsed(webhook, { ...config, ...settings }),
        ports,
        secrets: [...secrets, 'key in a header', 'query-secret'],
        received: async () => receiver.held(),
        checkpoints: async () => receiver.checkpoints(),
        trouble: (kind, giveUp) => receiver.trouble(kind, giveUp),
        heal: () => receiver.heal(),
        stop: () => receiver.stop(),
      };
    },
    skip: RECEIVER_CANNOT,
  };
}

function s3Harness(
  name: string,
  { conditions, compress }: { conditions: ObjectStoreOptions['conditions']; compress: string },
): SinkHarness<ConfigOf<typeof s3>> {
  return {
    name,
    async start(ports) {
      const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret+key/that-nobody-may-see' };
      const store = await startObjectStore({ ...keys, bucket: 'audit', region: 'eu-central-1', conditions });
      const session = 'session-token-that-nobody-may-see';
      return {
        config: parsed(s3, {
          endpoint: store.url,
          bucket: 'audit',
          prefix: 'acme/',
          region: 'eu-central-1',
          access_key_id: keys.accessKeyId,
          secret_access_key: keys.secretAccessKey,
          session_token: session,
          compress,
        }),
        ports,
        secrets: [keys.secretAccessKey, session],
        received: async () => heldInStore(store),
        checkpoints: async () => newestCheckpoint(store),
        trouble: (kind, giveUp) => store.interfere(storeTrouble(kind, giveUp)),
        heal: () => store.interfere(() => null),
        stop: () => store.stop(),
      };
    },
    skip: [
      { test: 'a batch out of turn changes nothing', reason: 'a store takes objects in any order: their names say where they belong' },
      { test: 'a batch carries a checkpoint beside its entries', reason: 'an object holds lines and nothing else' },
    ],
  };
}

function stdoutHarness(): SinkHarness<ConfigOf<typeof stdout>> {
  return {
    name: 'a pipe',
    async start(ports) {
      const pipe = startPipe();
      return {
        config: parsed(stdout, {}),
        ports: { ...ports, output: pipe.output },
        secrets: [],
        received: async () => heldIn(pipe.read()),
        checkpoints: async () => [],
        trouble: (kind, giveUp) => pipe.trouble(kind, giveUp),
        heal: () => pipe.heal(),
        stop: async () => {},
      };
    },
    skip: [
      { test: 'refused before it was applied', reason: 'a pipe is read or closed' },
      {
        test: 'applied, then the answer lost',
        reason: 'while the process lives it waits for a batch that the pipe has, so there is no repeat',
      },
      { test: 'busy, and when to come back', reason: 'a pipe does not say when' },
      { test: 'one entry that it will never take', reason: 'a pipe takes every entry' },
      { test: 'a batch out of turn changes nothing', reason: 'a pipe does not look at what it takes' },
      { test: 'what is read back is what was written', reason: 'what was read from a pipe is gone' },
      { test: 'no secret is ever said', reason: 'standard output has no secret' },
      ...NO_CHECKPOINTS,
    ],
  };
}

type ConfigOf<Definition> = Definition extends SinkDefinition<infer Config> ? Config : never;

function parsed<Config>(definition: SinkDefinition<Config>, input: unknown): Config {
  const result = definition.config.safeParse(input);
  if (!result.success) throw new Error(`the harness is configured wrongly: ${JSON.stringify(result.error.issues)}`);
  return result.data;
}
