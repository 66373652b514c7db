import { z } from 'zod';
import { tls } from './api-schema.ts';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';
import { listen, origin } from './keys.ts';

const path = z.string().min(1).meta({ path: true });

/** How many logs a witness may watch, and how many keys one of them may have. */
const LOGS_MAX = 64;
const VKEYS_MAX = 16;

/** `witness.yaml`, the configuration of `waybill witness`. */
export const witnessFile = z.strictObject({
  name: origin.describe(
    'Name of the witness: a URL without a scheme that nobody else uses. It is the name of its key, and is never changed.',
  ),
  listen: listen.prefault('127.0.0.1:8410').describe('Address where logs ask for signatures and everybody may look at what was signed.'),
  tls: tls
    .optional()
    .describe('Certificate and key of `listen`. Absent: plain HTTP, which gives nothing away: all of it is public and signed.'),
  path: path.describe('Directory of what the witness has signed. `waybill witness init` creates it.'),
  key_file: path
    .optional()
    .describe(
      'File of its private key, outside `path`; `waybill witness init` makes it. Absent, and no `key`: `witness.key` beside this file.',
    ),
  key: z.string().min(1).meta({ secret: true }).optional().describe('In place of a file: the private key itself, best as `${NAME}`.'),
  logs: z
    .array(
      z.strictObject({
        vkeys: z
          .array(z.string())
          .min(1)
          .max(VKEYS_MAX)
          .describe('The verifier keys that the log may sign with: `waybill key show` prints them. Two or more while it changes its key.'),
        origin: z.string().min(1).max(1_000).optional().describe("The log's name in its checkpoints. Absent: the name of its first key."),
      }),
    )
    .max(LOGS_MAX)
    .default([])
    .describe('The logs whose heads it signs. One that is taken out is not forgotten.'),
  log_level: z.enum(['info', 'warn', 'error']).default('info').describe('How much the process says about its work.'),
});

/** The file as it was read. */
export type WitnessKeys = z.output<typeof witnessFile>;

/** The JSON Schema of `witness.yaml`, for editors. */
export function witnessJsonSchema(): JsonSchema {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'witness.yaml', ...jsonSchemaOf(witnessFile) };
}
