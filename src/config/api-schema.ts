import { hash } from 'node:crypto';
import { z } from 'zod';
import type { ApiConfig, ClientConfig, ListenerConfig, Purpose, Role, TokenConfig, TokenProof } from './config.ts';
import { count, duration, listen, name, size, time } from './keys.ts';

/** Everything that a listener can serve, in the order of the documentation. */
export const PURPOSES = ['ingest', 'control', 'console', 'metrics', 'tlog'] as const satisfies readonly Purpose[];

const DIGEST = /^[0-9a-f]{64}$/;
const ALTERNATIVE_NAME = /^(?:DNS|URI|email|IP Address):[\x21\x23-\x2b\x2d-\x7e]{1,512}$/;
/** A token that repeats fewer characters than this was not drawn by chance. */
const DISTINCT_MIN = 6;

const path = z.string().min(1).meta({ path: true });
const digest = z.string().regex(DIGEST, 'expected a SHA-256: 64 digits of 0-9 and a-f');

const token = z
  .strictObject({
    name: name.describe('Who it is. It is shown instead of the token.'),
    role: z
      .enum(['producer', 'viewer', 'auditor', 'operator'])
      .describe('`producer` sends events, `viewer` and `auditor` read, `operator` may do everything.'),
    sources: z.array(name).min(1).optional().describe('For a producer: the sources that it may write to. Absent: all.'),
    token_sha256: digest
      .meta({ secret: true })
      .optional()
      .describe('SHA-256 of the token that is sent as `Authorization: Bearer …`; `waybill token` makes both.'),
    token: z
      .string()
      .min(16, 'expected at least 16 characters')
      .max(512)
      .regex(/^[\x21-\x7e]*$/, 'expected visible ASCII characters without spaces')
      .refine((text) => text.length < 16 || new Set(text).size >= DISTINCT_MIN, 'too easy to guess; `waybill token` makes one')
      .meta({ secret: true })
      .optional()
      .describe('The token itself, in place of its SHA-256. Whoever reads the file or the memory of the process then has it.'),
    cert_sha256: digest.optional().describe('In place of a token: SHA-256 of the client certificate in its binary form (DER).'),
    cert_name: z
      .string()
      .regex(ALTERNATIVE_NAME, 'expected an alternative name such as DNS:billing.acme.example')
      .optional()
      .describe('In place of a token: an alternative name of the client certificate, such as `DNS:billing.acme.example`.'),
    rate: count(1, 10_000_000).optional().describe('Most events a second that it may send; more is answered with 429. Absent: no limit.'),
    expires: time.optional().describe('From when on it is refused: a date, or a time such as `2027-01-31T12:00:00Z`. Absent: never.'),
  })
  .superRefine((keys, context) => {
    const proofs = [keys.token, keys.token_sha256, keys.cert_sha256, keys.cert_name].filter((proof) => proof !== undefined);
    if (proofs.length !== 1)
      context.addIssue({ code: 'custom', message: 'expected exactly one of token_sha256, token, cert_sha256 and cert_name' });
  });

/** The keys of the certificate of a listener. */
export const tls = z.strictObject({
  cert: path.describe('File of the certificate and of those between it and its authority, in PEM. It is read again when it changes.'),
  key: path.describe('File of the private key, in PEM. Only the user of the process should be able to read it.'),
  client_ca: path.optional().describe('File of the authorities that sign the certificates of clients. Absent: clients show none.'),
  client_cert: z
    .enum(['require', 'allow'])
    .default('require')
    .describe('With `client_ca`: whether a client has to show a certificate (`require`), or may use a token instead (`allow`).'),
});

const cleartext = z
  .boolean()
  .default(false)
  .describe('Allows plain HTTP beyond loopback, for a proxy before it that speaks TLS. Tokens are readable on the network between them.');

const listener = z.strictObject({
  listen: listen.describe('Address of the listener.'),
  serve: z
    .array(z.enum(PURPOSES))
    .min(1)
    .describe('What it answers: `ingest` takes events, `control` shows and steers, `console` is the web page; `metrics`, `tlog`.'),
  tls: tls.optional().describe('Certificate and key. Absent: plain HTTP.'),
  cleartext,
});

/** The keys below `api`. */
export const api = z
  .strictObject({
    listen: listen.optional().describe('Address of the API, where all of it is served. Absent, and no `listeners`: `127.0.0.1:8400`.'),
    tls: tls.optional().describe('Certificate and key of `listen`. Absent: plain HTTP.'),
    cleartext,
    listeners: z.array(listener).min(1).max(16).optional().describe('In place of `listen`: several addresses, and what is served at each.'),
    hosts: z
      .array(z.string().regex(/^[a-z0-9.-]+$/, 'expected a host name in lower case without a port'))
      .default([])
      .describe('Host names under which the API is reached, beside the loopback ones.'),
    tokens: z.array(token).default([]).describe('Who may do what. Without tokens only sending and reading work, and only on loopback.'),
    client: z
      .strictObject({
        url: z
          .string()
          .regex(/^https?:\/\/[^/?#@\s]+$/, 'expected http:// or https:// and a host, without a path')
          .optional()
          .describe('Where the commands reach the process. Absent: at the first listener that serves `control`.'),
        token_file: path
          .optional()
          .describe('File with the token of the commands; `WAYBILL_TOKEN` comes before it. The process does not read it.'),
        ca: path
          .optional()
          .describe("File of the authority of the process's certificate. Absent: the listener's own certificate is expected."),
        cert: path.optional().describe('File of the client certificate of the commands, in PEM.'),
        key: path.optional().describe('File of its private key, in PEM.'),
      })
      .prefault({})
      .describe('How the commands (`status`, `pause` …) reach the process.'),
    limits: z
      .strictObject({
        body: size(65_536, 268_435_456).prefault('16MiB').describe('Largest request body, as it comes and unpacked.'),
        events: count(1, 100_000).prefault(10_000).describe('Most events in one request.'),
        connections: count(1, 100_000).prefault(1_000).describe('Most connections at a time, at each listener.'),
        request_time: duration(1_000).prefault('30s').describe('Longest time that a sender may take for one request.'),
        reads: count(1, 1_000_000).prefault(1_000).describe('Most requests a second of one caller that only read.'),
        streams: count(1, 10_000).prefault(100).describe('Most readers of `/v1/stream` at a time.'),
      })
      .prefault({})
      .describe('What one sender may ask of this process.'),
  })
  .superRefine(({ listen: only, tls: files, cleartext: allowed, listeners, client }, context) => {
    if (listeners !== undefined && (only !== undefined || files !== undefined || allowed))
      context.addIssue({
        code: 'custom',
        path: ['listeners'],
        message: 'listen, tls and cleartext belong into the listeners when there are any',
      });
    if ((client.cert === undefined) !== (client.key === undefined))
      context.addIssue({ code: 'custom', path: ['client'], message: 'cert and key belong together' });
  })
  .prefault({})
  .describe('The HTTP interface.');

/** The keys below `api` as they were read. */
export type ApiKeys = z.output<typeof api>;

/** The configuration that the keys mean. */
export function apiConfig(keys: ApiKeys): ApiConfig {
  const { limits, client } = keys;
  return {
    listeners: listenersOf(keys),
    hosts: keys.hosts,
    tokens: keys.tokens.map(tokenOf),
    limits: {
      bodyBytes: limits.body,
      events: limits.events,
      connections: limits.connections,
      requestMs: limits.request_time,
      reads: limits.reads,
      streams: limits.streams,
    },
    client: { ...clientOf(client), token: strongestToken(keys) },
  };
}

function listenersOf({ listen: only, tls: itsTls, cleartext: its, listeners }: ApiKeys): ListenerConfig[] {
  const all = listeners ?? [{ listen: only ?? { host: '127.0.0.1', port: 8400 }, serve: [...PURPOSES], tls: itsTls, cleartext: its }];
  return all.map(({ listen: address, serve, tls: files, cleartext: allowed }) => ({
    listen: address,
    serve,
    tls:
      files === undefined ? null : { cert: files.cert, key: files.key, clientCa: files.client_ca ?? null, clientCert: files.client_cert },
    cleartext: allowed,
  }));
}

function tokenOf(keys: ApiKeys['tokens'][number]): TokenConfig {
  const { name: caller, role, sources, rate, expires } = keys;
  return { name: caller, role, sources: sources ?? null, rate: rate ?? null, expiresMs: expires ?? null, proof: proofOf(keys) };
}

function proofOf({ token: text, token_sha256, cert_sha256, cert_name }: ApiKeys['tokens'][number]): TokenProof {
  if (cert_sha256 !== undefined) return { by: 'certificate', sha256: cert_sha256 };
  if (cert_name !== undefined) return { by: 'name', name: cert_name };
  return { by: 'token', sha256: token_sha256 ?? hash('sha256', text ?? '') };
}

/** The role that may do the most first: a command acts for whoever can read the configuration with its secrets. */
const STRONGEST: readonly Role[] = ['operator', 'auditor', 'viewer'];

function strongestToken({ tokens }: ApiKeys): string | null {
  for (const role of STRONGEST) {
    const found = tokens.find((candidate) => candidate.role === role && candidate.token !== undefined)?.token;
    if (found !== undefined) return found;
  }
  return null;
}

function clientOf({ url, token_file, ca, cert, key }: ApiKeys['client']): Omit<ClientConfig, 'token'> {
  return { url: url ?? null, tokenFile: token_file ?? null, ca: ca ?? null, cert: cert ?? null, key: key ?? null };
}
