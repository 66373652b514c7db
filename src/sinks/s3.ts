import { hash } from 'node:crypto';
import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import type { SinkBatch, SinkContext, SinkDefinition, SinkTraits } from '../contracts/sink.ts';
import { compressAside } from './compress.ts';
import { duration, NOT_TLS, requestUrl, speaksTls, tls } from './config-values.ts';
import { type HttpDestination, openHttpSink } from './http-sink.ts';
import { omittedText } from './omitted.ts';
import { s3Verdict } from './s3-answer.ts';
import { S3Checkpoints } from './s3-checkpoints.ts';
import { CONTENT_TYPES, ENDINGS, keyOf, ownerKey } from './s3-names.ts';
import { openS3Signer, type S3Place, urlOf } from './s3-signer.ts';
import { S3Store } from './s3-store.ts';

/** An object is written once and for good, so it is worth waiting until there is something to write. */
const TRAITS: SinkTraits = {
  ack: 'durable',
  dedupe: 'key',
  batch: { entries: 100_000, bytes: 8 << 20, waitMs: 60_000 },
  inFlightMax: 16,
  carriesEmpty: true,
  // Each is an object or two, and what is stored is paid for.
  checkpoints: { inBatch: false, everyMs: 60_000 },
};

/** Metadata of an object is at most 2 KiB in all: more set aside entries than this are only counted. */
const QUARANTINED_LISTED_MAX = 40;

/** How long the questions of `open` may take together. */
const OPEN_MS_MAX = 25_000;

const key = z.string().regex(/^[\x21-\x7e]{1,4096}$/, 'expected printable characters without spaces');

const config = z
  .strictObject({
    bucket: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens')
      .describe('The bucket. It is not created.')
      .meta({ examples: ['acme-audit'] }),
    prefix: z
      .string()
      .regex(
        /^(?!\/)(?!.*\/\/)(?!(?:.*\/)?\.{1,2}\/)[A-Za-z0-9_.=/-]{0,512}$/,
        'expected letters, digits and _ . = / - without a leading or double slash',
      )
      .default('')
      .describe('What every key begins with. A prefix belongs to one destination of one ledger.'),
    endpoint: requestUrl
      .optional()
      .describe('Where the store is. Absent: Amazon S3.')
      .meta({ examples: ['https://s3.eu-central-1.example'] }),
    region: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/, 'expected the name of a region, such as eu-central-1')
      .default('us-east-1')
      .describe('The region of the bucket, which signatures name.'),
    path_style: z
      .boolean()
      .optional()
      .describe('Puts the bucket into the path instead of the host name. Absent: `true` with an `endpoint`, else `false`.'),
    access_key_id: key.optional().describe('The access key, as from `${AWS_ACCESS_KEY_ID}`.'),
    secret_access_key: key.meta({ secret: true }).optional().describe('Its secret.'),
    session_token: key.meta({ secret: true }).optional().describe('The token of a session, where there is one.'),
    credentials: z
      .literal('default')
      .optional()
      .describe(
        'Instead of keys: what the machine offers (profiles, web identity, roles). Needs the package `@aws-sdk/credential-provider-node`.',
      ),
    compress: z.enum(['gzip', 'zstd', 'none']).default('gzip').describe('How objects are compressed.'),
    encryption: z.enum(['AES256', 'aws:kms']).optional().describe('Encryption by the store. Absent: as the bucket says.'),
    kms_key: key.optional().describe('With `encryption: aws:kms`: the key. Absent: that of the account.'),
    lock: z
      .strictObject({
        mode: z.enum(['governance', 'compliance']).describe('Who may still remove an object: some, or nobody.'),
        for: duration(86_400_000, 100 * 366 * 86_400_000).describe('For how long from the moment of writing.'),
      })
      .optional()
      .describe('Object Lock for every object, in a bucket that has it.'),
    tls: tls.optional().describe('For https: whom to trust, and who we are.'),
  })
  .refine(({ endpoint, tls: settings }) => speaksTls(endpoint, settings), NOT_TLS)
  .refine(
    ({ credentials, access_key_id: id, secret_access_key: secret }) =>
      (credentials === undefined) === (id !== undefined && secret !== undefined),
    {
      path: ['access_key_id'],
      error: 'set `access_key_id` and `secret_access_key`, or `credentials: default`',
    },
  )
  .meta({ smallest: { bucket: 'acme-audit', credentials: 'default' } });

/** The settings of an `s3` destination. */
export type S3Config = z.output<typeof config>;

/** Writes each batch as one object under a key that names its range, if there is none yet. */
export const s3: SinkDefinition<S3Config> = {
  type: 's3',
  title: 'S3',
  summary: 'Writes entries in batches as objects to a bucket of Amazon S3 or any store that speaks its protocol.',
  config,
  traits: () => TRAITS,
  target: (settings) => `${urlOf(placeOf(settings), '').href.replace(/\/$/, '')}/${settings.prefix}*${ENDINGS[settings.compress]}`,
  async open(settings, context) {
    const { ports, name } = context;
    const { sign, store } = await openStore(settings, context);
    const { keepsConditions } = await withinTime(context, (signal) => store.own(signal));
    if (!keepsConditions) {
      ports.log.warn('the store does not keep conditions, so an object that is there already would be replaced', { destination: name });
    }
    const lockHeaders = () => lockHeadersOf(settings, ports.clock.now());
    const checkpoints = new S3Checkpoints({ store, prefix: settings.prefix, keepsConditions, lockHeaders });
    const checksums = new WeakMap<SinkBatch, string>();
    return openHttpSink(
      {
        traits: keepsConditions ? TRAITS : { ...TRAITS, dedupe: 'none' },
        secrets: secretsOf(settings),
        async request(batch, destination) {
          const body = await compressAside(batch.body, settings.compress);
          const sha256 = hash('sha256', body, 'hex');
          const checksum = Buffer.from(sha256, 'hex').toString('base64');
          checksums.set(batch, checksum);
          const headers = { ...objectHeaders(batch, settings, destination), 'x-amz-checksum-sha256': checksum };
          const condition = keepsConditions ? { 'if-none-match': '*' } : {};
          const objectKey = keyOf(settings.prefix, checked(batch, name), settings.compress);
          return sign({ method: 'PUT', key: objectKey, headers: { ...headers, ...condition }, body, sha256 }, destination.now);
        },
        verdict(response, batch, verdictContext, signal) {
          if (response.status !== 412) return s3Verdict(response, settings.region, verdictContext);
          const objectKey = keyOf(settings.prefix, batch, settings.compress);
          return store.compare(objectKey, settings.compress, batch.sha256, checksums.get(batch) ?? '', signal);
        },
        receipt: (response, batch) => ({ status: response.status, key: keyOf(settings.prefix, batch, settings.compress) }),
        checkpoint: (checkpoint, signal) => checkpoints.put(checkpoint, signal),
        readBack: (signal) => store.readBack(signal),
      },
      context,
    );
  },
  async probe(settings, context) {
    const { store } = await openStore(settings, context);
    await store.findBucket(context.signal);
    return [`the bucket ${settings.bucket} is there; whether it may be written shows with \`--send-test\``];
  },
  async sendTest(settings, context) {
    const { store } = await openStore(settings, context);
    const { keepsConditions } = await store.own(context.signal);
    return `${ownerKey(settings.prefix)} was written; the store ${keepsConditions ? 'keeps' : 'does not keep'} conditions`;
  },
};

async function openStore(settings: S3Config, context: Pick<SinkContext, 'name' | 'origin' | 'ports'>) {
  const sign = await openS3Signer(placeOf(settings), credentialsOf(settings));
  const { prefix, region } = settings;
  const store = new S3Store({ sign, prefix, region, context, secrets: secretsOf(settings), objectHeaders: encryptionHeaders(settings) });
  return { sign, store };
}

function encryptionHeaders({ encryption, kms_key: kmsKey }: S3Config): Readonly<Record<string, string>> {
  return {
    ...(encryption === undefined ? {} : { 'x-amz-server-side-encryption': encryption }),
    ...(kmsKey === undefined ? {} : { 'x-amz-server-side-encryption-aws-kms-key-id': kmsKey }),
  };
}

/** A reader of objects finds in their names and here that nothing is missing. */
function objectHeaders(batch: SinkBatch, settings: S3Config, { name, origin, now }: HttpDestination): Readonly<Record<string, string>> {
  return {
    'content-type': CONTENT_TYPES[settings.compress],
    'x-amz-meta-waybill-ledger': origin,
    'x-amz-meta-waybill-destination': name,
    'x-amz-meta-waybill-from': String(batch.from),
    'x-amz-meta-waybill-through': String(batch.through),
    'x-amz-meta-waybill-count': String(batch.count),
    'x-amz-meta-waybill-omitted': omittedText(batch.omitted, QUARANTINED_LISTED_MAX),
    'x-amz-meta-waybill-sha256': batch.sha256,
    'x-amz-meta-waybill-batch': batch.id,
    ...(batch.replay === undefined ? {} : { 'x-amz-meta-waybill-replay': batch.replay }),
    ...encryptionHeaders(settings),
    ...lockHeadersOf(settings, now),
  };
}

function lockHeadersOf({ lock }: S3Config, now: number): Readonly<Record<string, string>> {
  if (lock === undefined) return {};
  return {
    'x-amz-object-lock-mode': lock.mode.toUpperCase(),
    'x-amz-object-lock-retain-until-date': new Date(now + lock.for).toISOString(),
  };
}

/** Objects are read back as lines of the native format, so they must consist of them. */
function checked(batch: SinkBatch, name: string): SinkBatch {
  if (batch.contentType === 'application/x-ndjson') return batch;
  throw new WaybillError(
    'SINK_REFUSED',
    `an s3 destination takes records of JSON, and ${name} got ${batch.contentType}: choose another format`,
  );
}

async function withinTime<Out>({ ports }: SinkContext, work: (signal: AbortSignal) => Promise<Out>): Promise<Out> {
  const limit = new AbortController();
  const done = new AbortController();
  const late = new Error(`no answer within ${OPEN_MS_MAX} ms`);
  ports.clock.sleep(OPEN_MS_MAX, done.signal).then(
    () => limit.abort(late),
    () => {},
  );
  try {
    return await work(limit.signal);
  } finally {
    done.abort('the store has answered');
  }
}

function placeOf({ endpoint, region, bucket, path_style: pathStyle, tls: identity }: S3Config): S3Place {
  return { endpoint: endpoint ?? null, region, bucket, pathStyle: pathStyle ?? endpoint !== undefined, tls: identity };
}

function credentialsOf({ access_key_id: id, secret_access_key: secret, session_token: token }: S3Config) {
  if (id === undefined || secret === undefined) return 'default';
  return { accessKeyId: id, secretAccessKey: secret, ...(token === undefined ? {} : { sessionToken: token }) };
}

function secretsOf({ secret_access_key: secret, session_token: token }: S3Config): readonly string[] {
  return [secret, token].filter((one) => one !== undefined);
}
