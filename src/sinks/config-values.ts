import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from '../contracts/quantities.ts';

/** A size in bytes, written as `5MiB`. */
export function size(min: number, max: number) {
  return quantity(SIZE_PATTERN, parseSize, 'a size such as 5MiB', min, max);
}

/** A duration in milliseconds, written as `30s` or `400d`. */
export function duration(min: number, max: number) {
  return quantity(DURATION_PATTERN, parseDuration, 'a duration such as 30s or 400d', min, max);
}

function quantity(pattern: RegExp, parse: (text: string) => number | null, what: string, min: number, max: number) {
  return z
    .string({ error: `expected ${what}` })
    .regex(pattern, `expected ${what}`)
    .transform((text, context) => {
      const value = parse(text);
      if (value !== null && value >= min && value <= max) return value;
      context.addIssue({ code: 'custom', message: value === null || value > max ? 'too large' : 'too small' });
      return z.NEVER;
    });
}

/** Where requests go: an http or https URL without credentials or a fragment, which would not be sent as written. */
export const requestUrl = z
  .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
  .refine((text) => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''), {
    error: 'credentials do not belong into the URL: use `token` or `headers`',
  })
  .refine((text) => !text.includes('#'), { error: 'a fragment is never sent' });

/** A secret that travels in a header: printable ASCII without spaces. */
export const token = z
  .string()
  .regex(/^[\x21-\x7e]{1,4096}$/, 'expected printable characters without spaces')
  .meta({ secret: true });

/** Headers for every request. Their values are secrets, because many of them carry keys. */
export const headers = z.record(
  z
    .string()
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'expected the name of a header')
    .refine((name) => !OWN_HEADERS.test(name), { error: 'this header is set by waybill' }),
  z
    .string()
    .regex(/^[\x20-\x7e]{0,4096}$/, 'expected printable ASCII characters')
    .meta({ secret: true }),
);

/** Headers that say what a request is. One from the configuration would contradict the request itself. */
const OWN_HEADERS =
  /^(?:waybill-.*|webhook-.*|content-(?:type|length|encoding)|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect)$/i;

/** A list of certificates in PEM is no longer than this. */
const PEM_CHARACTERS_MAX = 1_000_000;

const certificates = z
  .string()
  .max(PEM_CHARACTERS_MAX)
  .refine(isCertificate, { error: 'expected certificates in PEM, as from `${file:…}`' });

/** Whether a receiver of requests gets checkpoints. */
export const checkpoints = z
  .boolean()
  .default(true)
  .describe(
    'Sends the signed checkpoints of the log along: with a batch, and in a request of their own when there is nothing else to send. ' +
      '`false` for a receiver that cannot take such a request.',
  );

/** How TLS is spoken to a destination, beyond what the machine does by itself. */
export const tls = z
  .strictObject({
    ca: certificates.optional().describe('Certificates in PEM that are trusted instead of those of the machine, as from `${file:ca.pem}`.'),
    cert: certificates.optional().describe('The certificate in PEM with which waybill shows who it is, and those above it.'),
    key: z
      .string()
      .max(PEM_CHARACTERS_MAX)
      .refine((text) => privateKey(text) !== null, { error: 'expected a private key in PEM without a password, as from `${file:…}`' })
      .meta({ secret: true })
      .optional()
      .describe('The private key of that certificate.'),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), { path: ['key'], error: 'set `cert` and `key`, or neither' })
  .refine(({ cert, key }) => cert === undefined || key === undefined || belongs(cert, key), {
    path: ['key'],
    error: 'the private key is not that of `cert`',
  });

/** Whether TLS that was configured would be spoken at all. */
export function speaksTls(url: string | undefined, settings: object | undefined): boolean {
  return settings === undefined || url === undefined || url.startsWith('https:');
}

/** What is said where it would not. */
export const NOT_TLS = { path: ['tls'], error: 'the address does not begin with https' };

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

function privateKey(text: string) {
  try {
    return createPrivateKey(text);
  } catch {
    return null;
  }
}

function belongs(cert: string, key: string): boolean {
  const own = privateKey(key);
  return own !== null && isCertificate(cert) && new X509Certificate(cert).checkPrivateKey(own);
}
