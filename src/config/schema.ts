import { z } from 'zod';
import { api } from './api-schema.ts';
import { count, duration, maxLag, name, origin, size, start } from './keys.ts';

const ledger = z
  .strictObject({
    origin: origin.describe('Name of the log: a URL without a scheme that nobody else uses. It can not be changed later.'),
    path: z.string().min(1).meta({ path: true }).describe('Directory of the ledger. `waybill init` creates it.'),
    keys: z
      .union(
        [
          z.string().min(1).meta({ path: true }),
          z.strictObject({
            log: z.string().min(1).meta({ secret: true }).describe('In place of a directory: the private key that signs heads.'),
            freshness: z
              .string()
              .min(1)
              .meta({ secret: true })
              .describe('In place of a directory: the private key that says with the time that a head is still the newest.'),
            next: z
              .string()
              .min(1)
              .meta({ secret: true })
              .optional()
              .describe('The private key that `log` hands over to at the next start.'),
            lost: z
              .string()
              .min(1)
              .optional()
              .describe('The verifier key of a private key that is gone: `log` takes over from it. Take it out again afterwards.'),
          }),
        ],
        { error: 'expected a directory, or the keys `log` and `freshness`' },
      )
      .optional()
      .describe(
        'The private keys of the log: a directory outside `path`, which `waybill init` fills, or `{ log, freshness }` with one key each, ' +
          'best as `${file:…}` or `${NAME}`. Absent: the directory `keys` beside this file.',
      ),
    publish: duration(100, 1_000)
      .prefault('250ms')
      .describe('How often there is a new signed head while entries come in. Nobody waits for it.'),
    witnesses: z
      .array(
        z.strictObject({
          name: name.describe('What it is called here.'),
          vkey: z
            .string()
            .regex(/^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/, 'expected a verifier key: name+number+key')
            .describe('Its verifier key, of type 4 (`cosignature/v1`).'),
          url: z
            .string()
            .regex(/^https?:\/\/[^\s@?#]+$/, 'expected an address that begins with http:// or https://')
            .describe('Its address.'),
          required: z.boolean().default(false).describe('Whether no head is published without it.'),
          timeout: duration(50, 60_000).prefault('1s').describe('How long it may take to answer.'),
        }),
      )
      .max(16)
      .default([])
      .describe(
        'Witnesses of C2SP tlog-witness, such as `waybill witness` on another host, which sign only what continues what they saw before.',
      ),
    witness_quorum: count(0, 16).prefault(0).describe('How many of all witnesses have to sign before a head is published.'),
    limit: size(16 * 1_048_576)
      .optional()
      .describe('How much disk the ledger may use. Senders are answered with 503 when it is reached. Absent: what the disk has.'),
    segment: size(1_048_576, 1_073_741_824).prefault('64MiB').describe('Size at which a new segment file begins.'),
    reserve: size(65_536, 1_073_741_824)
      .prefault('4MiB')
      .describe('Part of the ledger that only control entries and the delivery journal may use.'),
    retain: z
      .strictObject({
        age: duration(60_000, 36_500 * 86_400_000)
          .optional()
          .describe('Entries older than this may be removed.'),
        bytes: size(1_048_576).optional().describe('What the ledger may take before its oldest entries are removed. It is below `limit`.'),
      })
      .default({})
      .describe(
        'What may be removed: whole segments, the oldest first, when either key allows it and no destination needs them. ' +
          'Absent: nothing ever.',
      ),
  })
  .describe('The ledger: one order of entries on this disk.');

/** The keys that every source has, whatever its type. */
export const sourceKeys = z.strictObject({
  type: z.string().describe('What kind of source it is.'),
  schema: z.enum(['json', 'waybill/1']).default('waybill/1').describe('What an event has to look like: `waybill/1`, or any JSON object.'),
  id_field: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('For schema `json`: the top-level key that holds the identity. Absent: every event is new, also one that is sent again.'),
  on_invalid: z
    .enum(['refuse', 'keep'])
    .default('refuse')
    .describe(
      'An event that fails its schema: `refuse` answers its sender, or, where nobody waits for an answer, keeps its bytes aside and ' +
        'declares it; `keep` stores it with what is wrong.',
    ),
  gap_after: duration(1_000, 86_400_000)
    .prefault('30s')
    .describe("How long a hole in a producer's numbers may stay open before it is declared (schema `waybill/1`)."),
  rate: count(1, 10_000_000).optional().describe('Most events a second; more is answered with 429. Absent: no limit.'),
  renamed_from: name
    .optional()
    .describe(
      'The name that this source had: it keeps its identities, its place and its gaps, once, at a start or a reload. ' +
        'Without it a new name is a new source.',
    ),
});

/** The keys that every destination has, whatever its type. */
export const destinationKeys = z.strictObject({
  type: z.string().describe('What kind of destination it is.'),
  start: start.describe('Where a destination without a cursor begins: `beginning`, `now`, an index, or a time. Read only once.'),
  format: z.string().default('native').describe('Format of the records.'),
  batch: z
    .strictObject({
      entries: count(1, 100_000).optional().describe('Most entries in a batch. Absent: what suits the type.'),
      bytes: size(65_536, 268_435_456).optional().describe('Most bytes in a batch. Absent: what suits the type.'),
      wait: duration(0, 600_000).optional().describe('How long a batch may wait to become fuller. Absent: what suits the type.'),
    })
    .prefault({})
    .describe('How large a batch may become.'),
  in_flight: count(1, 1_000).prefault(1).describe('How many batches may be in flight, where the type allows more than one.'),
  on_reject: z
    .enum(['halt', 'quarantine'])
    .default('halt')
    .describe(
      'An entry that the destination will never take: `halt` stops this destination, `quarantine` sets the entry aside and declares it.',
    ),
  quarantine_max: count(1, 1_000_000).prefault(100).describe('Most entries that are set aside in an hour; more halts.'),
  timeout: duration(100, 3_600_000).prefault('30s').describe('How long the destination may take to answer for one batch.'),
  retry: z
    .strictObject({
      min: duration(1, 3_600_000).prefault('100ms').describe('First pause after a failure.'),
      max: duration(1, 86_400_000).prefault('30s').describe('Longest pause. Retries never end.'),
    })
    .prefault({})
    .describe('Pauses between attempts; they double, with chance, from `min` to `max`.'),
  control: z
    .enum(['all', 'own', 'none'])
    .default('all')
    .describe("Which of the pipeline's own entries it gets: `all`, those about itself (`own`), or `none`."),
  target_changed: z
    .enum(['continue', 'restart'])
    .optional()
    .describe(
      'What to do once it writes to another place: `continue` at its cursor, or `restart` by `start`. It acts once; absent, ' +
        'a change stops it.',
    ),
  renamed_from: name
    .optional()
    .describe('The name that this destination had: it takes over the cursor, once, at a start. Without it a new name begins by `start`.'),
  max_lag: maxLag
    .optional()
    .describe(
      'How far it may be behind, as a duration or a size, before retention stops waiting for it and detaches it. Absent: it always waits.',
    ),
});

/** The whole file. Sources and destinations are looked at one by one, because their type says which keys they have. */
export const fileSchema = z.strictObject({
  ledger,
  api,
  sources: z.record(z.string(), z.unknown()).default({}).describe('Where events come from, by name.'),
  destinations: z.record(z.string(), z.unknown()).default({}).describe('Where entries go to, by name.'),
  telemetry: z
    .strictObject({
      traces: z
        .strictObject({
          endpoint: z
            .string()
            .regex(/^https?:\/\/[^\s@]+$/, 'expected the address of an OTLP/HTTP receiver, such as http://127.0.0.1:4318/v1/traces')
            .describe('Address of an OTLP/HTTP receiver, its path included. Read at the start only.'),
        })
        .optional()
        .describe('Sends a span for each request and each attempt to deliver a batch. Needs packages that are optional. Absent: none.'),
    })
    .prefault({})
    .describe('What the process tells of its work to others.'),
  drain: duration(0, 3_600_000).prefault('10s').describe('How long a stop waits for deliveries in flight.'),
  log_level: z.enum(['info', 'warn', 'error']).default('info').describe('How much is written to standard error.'),
});
