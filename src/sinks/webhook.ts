import { hash } from 'node:crypto';
import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import type { HttpRequest } from '../contracts/ports.ts';
import type { CheckpointTraits, SinkBatch } from '../contracts/sink.ts';
import { checkpoints, headers, NOT_TLS, requestUrl, speaksTls, tls } from './config-values.ts';
import { type HttpDestination, httpSink } from './http-sink.ts';
import { lowerCased, querySecrets, urlTarget } from './http-url.ts';
import { readWebhookKey, type WebhookKey, webhookSignatures } from './webhook-signature.ts';

/** Receivers of webhooks expect small bodies; four of the largest entries still fit. */
const BATCH_BYTES = 262_144;
const BATCH_ENTRIES = 100;

/** So many secrets may sign at a time: rotating takes two. */
const SECRETS_MAX = 8;

const COMMA = 0x2c;

const CHECKPOINTS: CheckpointTraits = { inBatch: true, everyMs: 1_000 };

const secret = z
  .string()
  .transform((text, context) => {
    const key = readWebhookKey(text);
    if (!('wrong' in key)) return { text, key };
    context.addIssue({ code: 'custom', message: key.wrong });
    return z.NEVER;
  })
  .meta({ secret: true });

const config = z
  .strictObject({
    url: requestUrl.describe('Where batches are posted.').meta({ examples: ['https://hooks.example/waybill'] }),
    secret: secret
      .optional()
      .describe('Signs every request: `whsec_…`, a shared secret (HMAC-SHA256), or `whsk_…`, a private key (Ed25519), in base64.'),
    secrets: z
      .array(secret)
      .min(1)
      .max(SECRETS_MAX)
      .optional()
      .describe('Several of them instead, while one takes the place of another: every request carries a signature by each.'),
    headers: headers.default({}).describe('Headers that every request carries; their values are secrets.'),
    allow_private: z
      .boolean()
      .default(false)
      .describe('Allows addresses inside a private network or on this machine. Without it such a connection is refused.'),
    idempotent: z
      .boolean()
      .default(false)
      .describe('Declares that the receiver drops a `webhook-id` that it has already taken, so that a repeat leaves no duplicate.'),
    checkpoints,
    tls: tls.optional().describe('For https: whom to trust, and who we are.'),
  })
  .refine(({ url, tls: settings }) => speaksTls(url, settings), NOT_TLS)
  .refine((settings) => (settings.secret === undefined) !== (settings.secrets === undefined), {
    path: ['secret'],
    error: 'set either `secret` or `secrets`',
  })
  .meta({ smallest: { url: 'https://hooks.example/waybill', secret: `whsec_${'A'.repeat(32)}` } });

/** The settings of a `webhook` destination. */
export type WebhookConfig = z.output<typeof config>;

/** Posts each batch as one message of Standard Webhooks 1.0: a JSON object, signed, with an identity that a repeat keeps. */
export const webhook = httpSink<WebhookConfig>({
  type: 'webhook',
  title: 'Webhook',
  summary: 'Posts entries in batches to a URL, signed as Standard Webhooks 1.0 wants it.',
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
  secrets: (settings) => [
    ...secretsOf(settings).map(({ text }) => text),
    ...Object.values(settings.headers),
    ...querySecrets(new URL(settings.url)),
  ],
  request: (batch, settings, destination) =>
    signedRequest({ id: batch.id, replay: batch.replay, body: messageOf(batch, destination) }, settings, destination),
  checkpointRequest({ size, note }, settings, destination) {
    const { origin, name } = destination;
    const message = { type: 'waybill.checkpoint', data: { ledger: origin, destination: name, size, checkpoint: note } };
    const id = `${name}-checkpoint-${size}-${hash('sha256', note, 'hex').slice(0, 24)}`;
    return signedRequest({ id, body: Buffer.from(JSON.stringify(message)) }, settings, destination);
  },
  reaches: ({ url, allow_private: anywhere, tls: identity }) => ({ url, publicOnly: !anywhere, tls: identity }),
  testRequest(settings, destination) {
    const { origin, name, now } = destination;
    const message = { type: 'waybill.test', timestamp: new Date(now).toISOString(), data: { ledger: origin, destination: name } };
    return signedRequest({ id: `test-${now}`, body: Buffer.from(JSON.stringify(message)) }, settings, destination);
  },
});

interface Message {
  readonly id: string;
  readonly replay?: string | undefined;
  readonly body: Uint8Array;
}

function signedRequest({ id, replay, body }: Message, settings: WebhookConfig, { now }: HttpDestination): HttpRequest {
  const timestamp = String(Math.floor(now / 1_000));
  return {
    method: 'POST',
    url: settings.url,
    publicOnly: !settings.allow_private,
    tls: settings.tls,
    headers: {
      ...lowerCased(settings.headers),
      ...(replay === undefined ? {} : { 'waybill-replay': replay }),
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': webhookSignatures(keysOf(settings), id, timestamp, body),
    },
    body,
  };
}

/**
 * The body: what the batch accounts for, then its entries. A record of the native format without its line feed is an element of `entries`,
 * so the entries' own bytes are copied and never parsed.
 */
function messageOf(batch: SinkBatch, { origin, name }: HttpDestination): Uint8Array {
  const { from, through, count, replay, body, offsets, contentType } = batch;
  const { detached, ...others } = batch.omitted;
  const omitted = detached === 0 ? others : batch.omitted;
  if (contentType !== 'application/x-ndjson') {
    throw new WaybillError('SINK_REFUSED', `a webhook takes records of JSON, and ${name} got ${contentType}: choose another format`);
  }
  const facts = { ledger: origin, destination: name, ...(replay === undefined ? {} : { replay }), from, through, count, omitted };
  const head = Buffer.from(`${JSON.stringify(facts).slice(0, -1)},"entries":[`);
  const tail = Buffer.from(batch.checkpoint === undefined ? ']}' : `],"checkpoint":${JSON.stringify(batch.checkpoint)}}`);
  // The last line feed goes, and every other one becomes a comma.
  const records = Math.max(0, body.length - 1);
  const message = Buffer.allocUnsafeSlow(head.length + records + tail.length);
  head.copy(message);
  message.set(body.subarray(0, records), head.length);
  for (let k = 1; k < count; k += 1) message[head.length + (offsets[k] as number) - 1] = COMMA;
  tail.copy(message, head.length + records);
  return message;
}

function keysOf(settings: WebhookConfig): readonly WebhookKey[] {
  return secretsOf(settings).map(({ key }) => key);
}

function secretsOf({ secret: one, secrets: several = [] }: WebhookConfig) {
  return one === undefined ? several : [one];
}
