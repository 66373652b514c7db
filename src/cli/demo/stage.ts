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
  writeNewFile,
} from '../machine.ts';

/** Everything that the demo starts: a directory, the receiver, and `waybill run`, which may be killed and started again. */
export interface Stage {
  readonly directory: string;
  /** Where the file destination writes. */
  readonly file: string;
  readonly api: string;
  readonly producerToken: string;
  readonly client: ApiClient;
  readonly receiver: ApiClient;
  /** Starts `waybill run` and resolves once it accepts events. */
  start(ended: AbortSignal): Promise<void>;
  /** `kill -9`. Resolves once the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves with the exit code. */
  stop(): Promise<number | null>;
  /** The last lines that `waybill run` logged. */
  logTail(): string;
  /** Ends every process. The directory goes only when nobody needs to look into it. */
  close(keepDirectory: boolean): Promise<void>;
}

const LOG_TAIL = 4_000;

/** Sets the stage: configuration, ledger, receiver. Nothing runs yet but the receiver. */
export async function openStage(clock: Clock, token: () => string): Promise<Stage> {
  const directory = makeTemporaryDirectory('waybill-demo');
  const receiver = spawnPiped(ownScript('demo/receiver'), []);
  const receiverUrl = `http://127.0.0.1:${await portOf(receiver)}`;
  const port = await freePort();
  const tokens = { operator: token(), producer: token() };
  const path = join(directory.path, 'waybill.yaml');
  writeNewFile(path, configuration(port, receiverUrl, tokens), 0o600);
  await create(path);

  const api = `http://127.0.0.1:${port}`;
  const client = openClientAt(api, tokens.operator);
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
    file: join(directory.path, 'out/audit.ndjson'),
    api,
    producerToken: tokens.producer,
    client,
    receiver: openClientAt(receiverUrl, null),
    async start(ended) {
      const child = spawnPiped(ownCommand(), ['run', '-c', path]);
      process = child;
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (log = `${log}${String(chunk)}`.slice(-LOG_TAIL)));
      while (
        !(await client.text('/readyz').then(
          () => true,
          () => false,
        ))
      ) {
        if (child.exitCode !== null) throw new Error(`waybill run ended with ${child.exitCode}:\n${log}`);
        await clock.sleep(25, ended);
      }
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    logTail: () => log,
    async close(keepDirectory) {
      await end('SIGKILL');
      const ending = childEnd(receiver);
      receiver.kill('SIGKILL');
      await ending;
      if (!keepDirectory) directory.remove();
    },
  };
}

async function create(path: string): Promise<void> {
  const child = spawnPiped(ownCommand(), ['init', '-c', path]);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  const { code } = await childEnd(child);
  if (code !== 0) throw new Error(`waybill init ended with ${code}:\n${said}`);
}

async function portOf(receiver: PipedChild): Promise<number> {
  for await (const chunk of receiver.stdout) {
    const { port } = JSON.parse(String(chunk)) as { readonly port: number };
    // The pipe is not read to its end, and must not keep the demo waiting.
    return port;
  }
  throw new Error('the receiver of the demo did not start');
}

function configuration(port: number, receiver: string, tokens: { readonly operator: string; readonly producer: string }): string {
  return `ledger:
  origin: demo.example/audit
  path: ./data
api:
  listen: 127.0.0.1:${port}
  tokens:
    - { name: demo, role: operator, token: ${tokens.operator} }
    - { name: shop, role: producer, sources: [app], token: ${tokens.producer} }
sources:
  app: { type: http, schema: waybill/1, gap_after: 1s }
destinations:
  archive: { type: file, path: ./out/audit.ndjson, start: beginning }
  # The receiver keeps the index that it needs next and drops what it has, so a repeat does no harm there.
  lake: { type: http, url: ${receiver}/in, idempotent: true, start: beginning, retry: { max: 500ms } }
drain: 5s
`;
}
