import { join } from 'node:path';
import type { Clock } from '../../contracts/ports.ts';
import { type ApiClient, openClientAt } from '../client.ts';
import {
  childEnd,
  freePort,
  makeTemporaryDirectory,
  ownCommand,
  ownScript,
  type PipedChild,
  spawnPiped,
  spawnWithChannel,
  writeNewFile,
} from '../machine.ts';
import { APPLICATIONS, type Application } from './applications.ts';
import { filePlace, openPlace, type Place, type PlaceProcess } from './places.ts';

/** Everything that the demo starts: a directory, the far sides, and the pipeline, which may be killed and started again. */
export interface Stage {
  readonly directory: string;
  readonly api: string;
  /** For whoever looks at the page. */
  readonly operatorToken: string;
  /** The token of each application, by its name. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly client: ApiClient;
  /** The far side of every destination. */
  readonly places: readonly Place[];
  /** Starts the pipeline and resolves once it accepts events. */
  start(ended: AbortSignal): Promise<void>;
  /** `kill -9`. Resolves once the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves with the exit code. */
  stop(): Promise<number | null>;
  /** How many batches came to any place a second time after a lost answer, and were dropped there. */
  repeats(): Promise<number>;
  /** The last lines that the pipeline logged. */
  logTail(): string;
  /** Ends every process. The directory goes only when nobody needs to look into it. */
  close(keepDirectory: boolean): Promise<void>;
}

/** Answers what the page of the demo asks for. The answer crosses over to another process, so it is plain data. */
export type PageAnswer = (request: unknown) => Promise<unknown>;

const BUCKET = 'audit';
const LOG_TAIL = 4_000;
/** Where somebody reads along, the receiver is as far away as one on the internet, and takes small batches. */
const ANSWER_MS = 60;
const SMALL_BATCH = 25;

/**
 * Sets the stage: configuration, ledger, far sides. Nothing runs yet but those. With `page` the pipeline has the routes of the demo, and
 * asks `page` what to answer there; without it is a plain `waybill run`.
 */
export async function openStage(clock: Clock, token: () => string, page: PageAnswer | null): Promise<Stage> {
  const directory = makeTemporaryDirectory('waybill-demo');
  const keys = { hook: `whsec_${Buffer.from(token()).toString('base64')}`, store: { accessKeyId: 'demo', secretAccessKey: token() } };
  const hook = await openPlace('hook', 'a webhook receiver', 'demo/receiver', {
    secret: keys.hook,
    answerMs: page === null ? 0 : ANSWER_MS,
  });
  const store = await openPlace('store', 'an object store', 'demo/store', { ...keys.store, bucket: BUCKET });
  const places = [filePlace('archive', join(directory.path, 'out/audit.ndjson')), hook, store];
  const port = await freePort();
  const operatorToken = token();
  const tokens = new Map(APPLICATIONS.map(({ name }) => [name, token()]));
  const path = join(directory.path, 'waybill.yaml');
  writeNewFile(path, configuration({ port, operatorToken, tokens, keys, hook, store, small: page !== null }), 0o600);
  await create(path);

  const api = `http://127.0.0.1:${port}`;
  const client = openClientAt(api, { token: operatorToken });
  let process: PipedChild | null = null;
  let log = '';
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> => {
    if (process === null) return null;
    const ending = childEnd(process);
    process.kill(signal);
    process = null;
    return (await ending).code;
  };
  return {
    directory: directory.path,
    api,
    operatorToken,
    tokens,
    client,
    places,
    async start(ended) {
      const child =
        page === null ? spawnPiped(ownCommand(), ['run', '-c', path]) : spawnWithChannel(ownScript('demo/pipeline'), ['-c', path], page);
      process = child;
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (log = `${log}${String(chunk)}`.slice(-LOG_TAIL)));
      while (!(await isReady(client))) {
        if (child.exitCode !== null) throw new Error(`the pipeline ended with ${child.exitCode}:\n${log}`);
        await clock.sleep(25, ended);
      }
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    repeats: async () => (await hook.repeats()) + (await store.repeats()),
    logTail: () => log,
    async close(keepDirectory) {
      await end('SIGKILL');
      await Promise.all([hook.close(), store.close()]);
      if (!keepDirectory) directory.remove();
    },
  };
}

function isReady(client: ApiClient): Promise<boolean> {
  return client.text('/readyz').then(
    () => true,
    () => false,
  );
}

async function create(path: string): Promise<void> {
  const child = spawnPiped(ownCommand(), ['init', '-c', path]);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  const { code } = await childEnd(child);
  if (code !== 0) throw new Error(`waybill init ended with ${code}:\n${said}`);
}

interface Facts {
  readonly port: number;
  readonly operatorToken: string;
  readonly tokens: ReadonlyMap<string, string>;
  readonly keys: { readonly hook: string; readonly store: { readonly accessKeyId: string; readonly secretAccessKey: string } };
  readonly hook: PlaceProcess;
  readonly store: PlaceProcess;
  /** Whether the receiver takes small batches. */
  readonly small: boolean;
}

function configuration({ port, operatorToken, tokens, keys, hook, store, small }: Facts): string {
  const batch = small ? `, batch: { entries: ${SMALL_BATCH} }` : '';
  return `ledger:
  origin: demo.example/audit
  path: ./data
api:
  listen: 127.0.0.1:${port}
  tokens:
    - { name: demo, role: operator, token: ${operatorToken} }
${forEach(({ name }) => `    - { name: ${name}, role: producer, sources: [${name}], token: ${tokens.get(name)} }`)}
sources:
${forEach(({ name }) => `  ${name}: { type: http, schema: waybill/1, gap_after: 1s }`)}
destinations:
  archive: { type: file, path: ./out/audit.ndjson, start: beginning }
  # This receiver drops a batch that it has already.
  hook:
    { type: webhook, url: ${hook.url}, secret: ${keys.hook}, allow_private: true, idempotent: true, start: beginning,
      retry: { max: 500ms }${batch} }
  store:
    type: s3
    endpoint: ${store.url}
    bucket: ${BUCKET}
    access_key_id: ${keys.store.accessKeyId}
    secret_access_key: ${keys.store.secretAccessKey}
    start: beginning
    batch: { wait: 1s }
    retry: { max: 500ms }
drain: 5s
`;
}

function forEach(line: (application: Application) => string): string {
  return APPLICATIONS.map(line).join('\n');
}
