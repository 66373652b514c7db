import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import type { HttpRequest } from '../contracts/ports.ts';
import type { CheckpointTraits, SinkBatch } from '../contracts/sink.ts';
import { compress } from './compress.ts';
import { checkpoints, headers, NOT_TLS, requestUrl, speaksTls, tls, token } from './config-values.ts';
import { type HttpDestination, httpSink } from './http-sink.ts';
import { lowerCased, querySecrets, urlTarget } from './http-url.ts';
import { omittedText } from './omitted.ts';

/** Many servers take bodies of up to 1 MiB unless they are told otherwise. */
const BATCH_BYTES = 1_000_000;
const BATCH_ENTRIES = 5_000;

/** A header must stay small: more set aside entries than this are only counted. */
const QUARANTINED_LISTED_MAX = 500;

/** With the other headers it stays below the 8 KiB that many servers allow for all of them. */
const HEADER_CHARACTERS_MAX = 6_000;

const CHECKPOINTS: CheckpointTraits = { inBatch: true, everyMs: 1_000 };

const config = z
  .strictObject({
    url: requestUrl.describe('Where batches are posted.').meta({ examples: ['https://logs.example/in'] }),
    headers: headers.default({}).describe('Headers that every request carries; their values are secrets.'),
    token: token.optional().describe('Sent as `Authorization: Bearer …`.'),
    compress: z.enum(['none', 'gzip', 'zstd']).default('none').describe('How bodies are compressed.'),
    idempotent: z
      .boolean()
      .default(false)
      .describe(
        'Declares that the receiver drops a batch whose `Waybill-Batch` it has already taken, so that a repeat leaves no duplicate.',
      ),
    checkpoints,
    tls: tls.optional().describe('For https: whom to trust, and who we are.'),
  })
  .refine(({ url, tls: settings }) => speaksTls(url, settings), NOT_TLS);

/** The settings of an `http` destination. */
export type HttpConfig = z.output<typeof config>;

/** Posts each batch to a URL: the entries as lines, what they account for in headers. */
export const http = httpSink<HttpConfig>({
  type: 'http',
  title: 'HTTP',
  summary: 'Posts entries in batches to a URL, as lines of JSON.',
  config,
  traits: ({ idempotent, checkpoints }) => ({
    ack: 'received',
    dedupe: idempotent ? 'key' : 'none',
    batch: { entries: BATCH_ENTRIES, bytes: BATCH_BYTES, waitMs: 0 },
    inFlightMax: 1,
    carriesEmpty: true,
    ...(checkpoints ? { checkpoints: CHECKPOINTS } : {}),
  }),
  target: ({ url }) => urlTarget(new URL(url)),
  secrets: ({ url, headers, token }) => [...Object.values(headers), token ?? '', ...querySecrets(new URL(url))],
  request: (batch, settings, destination) =>
    postRequest(batchHeaders(batch, destination), compress(batch.body, settings.compress), settings),
  checkpointRequest: ({ note }, settings, { origin, name }) => {
    const carried = checkpointHeader(note);
    if (carried === null)
      throw new WaybillError('CHECKPOINT_REFUSED', `the checkpoint has ${note.length} characters: too many for a header`);
    const own = { 'waybill-ledger': origin, 'waybill-destination': name, 'waybill-checkpoint': carried };
    return postRequest(own, new Uint8Array(0), { ...settings, compress: 'none' });
  },
  reaches: ({ url, tls: identity }) => ({ url, tls: identity }),
  testRequest(settings, { name, origin, now }) {
    const line = { type: 'waybill.test', timestamp: new Date(now).toISOString(), data: { ledger: origin, destination: name } };
    const body = Buffer.from(`${JSON.stringify(line)}\n`);
    return postRequest({ 'content-type': 'application/x-ndjson', 'waybill-test': 'true' }, compress(body, settings.compress), settings);
  },
});

/** The whole note in base64; `null` where it is longer than servers take a header to be. */
function checkpointHeader(note: string): string | null {
  const text = Buffer.from(note).toString('base64');
  return text.length <= HEADER_CHARACTERS_MAX ? text : null;
}

function postRequest(own: Readonly<Record<string, string>>, body: Uint8Array, settings: HttpConfig): HttpRequest {
  const encoding = settings.compress === 'none' ? {} : { 'content-encoding': settings.compress };
  const authorization = settings.token === undefined ? {} : { authorization: `Bearer ${settings.token}` };
  const headersOfAll = { ...authorization, ...lowerCased(settings.headers), ...encoding };
  return { method: 'POST', url: settings.url, headers: { ...headersOfAll, ...own }, body, tls: settings.tls };
}

/** A receiver sees from these alone that nothing is missing: `through` − `from` + 1 entries are in the body or declared as omitted. */
function batchHeaders(batch: SinkBatch, destination: HttpDestination): Readonly<Record<string, string>> {
  return {
    'content-type': batch.contentType,
    'waybill-ledger': destination.origin,
    'waybill-destination': destination.name,
    'waybill-from': String(batch.from),
    'waybill-through': String(batch.through),
    'waybill-count': String(batch.count),
    'waybill-omitted': omittedText(batch.omitted, QUARANTINED_LISTED_MAX),
    'waybill-batch': batch.id,
    ...(batch.replay === undefined ? {} : { 'waybill-replay': batch.replay }),
    ...checkpointOf(batch),
  };
}

function checkpointOf({ checkpoint }: SinkBatch): Readonly<Record<string, string>> {
  const carried = checkpoint === undefined ? null : checkpointHeader(checkpoint);
  return carried === null ? {} : { 'waybill-checkpoint': carried };
}
