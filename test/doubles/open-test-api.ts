import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { DestinationVerbs } from '../../src/api/control.ts';
import type { ApiOptions } from '../../src/api/server.ts';
import { openApi } from '../../src/api/server.ts';
import type { StatusView } from '../../src/api/status.ts';
import { PURPOSES } from '../../src/config/api-schema.ts';
import type { ApiConfig, ListenerConfig, Role, TokenConfig } from '../../src/config/config.ts';
import { asIndex, type Index } from '../../src/contracts/units.ts';
import { openTestIntake } from './open-test-intake.ts';
import { PublishedLog } from './published-log.ts';

/** An answer as a client sees it. */
export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

/** What a client sends. */
export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A listener that serves everything at an address. */
export function testListener(host: string, port = 0, more: Partial<ListenerConfig> = {}): ListenerConfig {
  return { listen: { host, port }, serve: PURPOSES, tls: null, cleartext: false, ...more };
}

/** A caller that is known by a token. */
export function testToken(name: string, role: Role, token: string, more: Partial<TokenConfig> = {}): TokenConfig {
  return { name, role, sources: null, rate: null, expiresMs: null, proof: { by: 'token', sha256: hash('sha256', token) }, ...more };
}

/** The configuration of an API under test; `limits` is taken over whole. */
export const TEST_API_CONFIG: ApiConfig = {
  listeners: [testListener('127.0.0.1')],
  hosts: [],
  tokens: [],
  limits: { bodyBytes: 1 << 20, events: 1_000, connections: 50, requestMs: 30_000, reads: 1_000_000, streams: 60 },
  client: { url: null, tokenFile: null, ca: null, cert: null, key: null, token: null },
};

/** Opens a real server over an intake of doubles, and a client of it. `files` are on its disk. */
export async function openTestApi(
  config: Partial<ApiConfig> = {},
  options: Partial<ApiOptions> = {},
  files: Readonly<Record<string, string>> = {},
) {
  const it = await openTestIntake();
  for (const [path, text] of Object.entries(files)) it.ports.disk.files.set(path, Buffer.from(text));
  const { intake, ledger, ports } = it;
  const log = new PublishedLog(ledger.origin, () => ledger.texts());
  const verbs: string[] = [];
  const status = (): StatusView => ({
    ledger: { origin: ledger.origin, size: ledger.assigned(), durable: ledger.size() },
    sources: Object.fromEntries(intake.status().sources),
    destinations: { archive: { state: 'running', cursor: 3, lag: 4, error: null, counters: { entries: 3, attempts: 2 } } },
  });
  const verb = (name: string) => async () => {
    verbs.push(name);
  };
  const range = (name: string) => async (from: Index, through: Index) => {
    verbs.push(`${name} ${from}-${through}`);
    return { name: `${name}-1`, from, through };
  };
  const archive: DestinationVerbs = {
    pause: verb('pause'),
    resume: verb('resume'),
    retry: verb('retry'),
    cancel: verb('cancel'),
    replay: range('replay'),
    recover: range('recover'),
    redeliver: range('redeliver'),
    replayable: async (from, through) => ({ from, through }),
    recoverable: async (from, through) => ({ from, through }),
    async waive(from, through) {
      await range('waive')(from, through);
    },
    status: () => ({
      cursor: asIndex(3),
      lacks: { from: asIndex(1), through: asIndex(2) },
      quarantine: [{ from: asIndex(0), through: asIndex(1), code: 'SINK_REFUSED_ENTRY', message: 'no', at: 5 }],
    }),
  };
  const api = await openApi({
    config: { ...TEST_API_CONFIG, ...config },
    sources: new Map([['app', { rate: null }]]),
    intake,
    ledger,
    heads: log.heads,
    tree: log.tree,
    ports,
    status,
    confirmClock: async () => true,
    reload: async ({ trial, token }) => {
      verbs.push(`reload by ${token}${trial ? ' as a trial' : ''}`);
      return { dryRun: trial };
    },
    destination: (name) => (name === 'archive' ? archive : undefined),
    pulled: (name) => (name === 'other' ? { retry: () => void verbs.push('retry other') } : undefined),
    destinationNames: () => ['archive'],
    forget: verb('forget'),
    indexAt: async (timeMs) => asIndex(timeMs < 1_000 ? 1 : 3),
    ...options,
  });
  const agent = new Agent({ keepAlive: true });
  const { port } = api.address;
  return {
    ...it,
    api,
    log,
    verbs,
    send: (path: string, sent: Sent = {}) => roundTrip(agent, port, path, sent),
    post: (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}, path = '/v1/events') =>
      roundTrip(agent, port, path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } }),
    socket: () => opened(port),
    close: async () => {
      agent.destroy();
      await api.close();
      await intake.close();
    },
  };
}

function roundTrip(agent: Agent, port: number, path: string, { method = 'GET', headers = {}, body }: Sent): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host: '127.0.0.1', port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text, json: jsonOf(text) });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Everything that comes out of a socket until it ends. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}
