import { type ErrorCode, WaybillError } from '../contracts/errors.ts';
import type { HttpResponse } from '../contracts/ports.ts';
import { excerpt, retryAfterMs, type VerdictContext } from './verdict.ts';

/** Errors of S3 whose status alone would be understood wrongly. A map, because a code may be a name that every object has. */
const CODES = new Map<string, ErrorCode>(
  Object.entries({
    // 400 that is about the request and not about an entry.
    AuthorizationHeaderMalformed: 'SINK_REFUSED',
    BadDigest: 'SINK_BUSY',
    EntityTooLarge: 'SINK_REFUSED_ENTRY',
    ExpiredToken: 'SINK_UNAUTHORIZED',
    IncompleteBody: 'SINK_BUSY',
    InvalidToken: 'SINK_UNAUTHORIZED',
    RequestTimeout: 'SINK_BUSY',
    // 409 that passes.
    ConditionalRequestConflict: 'SINK_BUSY',
    OperationAborted: 'SINK_BUSY',
  } satisfies Record<string, ErrorCode>),
);

/** What an error answer of S3 says, as far as it is short and harmless. */
export interface S3Error {
  readonly code: string;
  readonly message: string;
  /** Where the bucket really is, when that is the reason. */
  readonly region: string | null;
}

/** Reads the body of an error. It is XML, of which only three plain elements matter; the rest may repeat what was sent. */
export function readS3Error({ headers, body }: HttpResponse): S3Error {
  const text = Buffer.from(body).toString('utf8');
  const region = headers['x-amz-bucket-region'] ?? element(text, 'Region');
  return { code: element(text, 'Code') ?? '', message: element(text, 'Message') ?? '', region };
}

/** What an answer of S3 means for delivery, or `null` when the request was carried out. `region` is the one that it was signed for. */
export function s3Verdict(response: HttpResponse, region: string, context: VerdictContext): WaybillError | null {
  const { status } = response;
  if (status >= 200 && status < 300) return null;
  const error = readS3Error(response);
  const code = codeOf(status, error.code);
  const details = { facts: { status, ...(error.code === '' ? {} : { error: error.code }) } };
  const wait = code === 'SINK_BUSY' ? retryAfterMs(response.headers['retry-after'], context.now) : null;
  return new WaybillError(code, messageOf(status, error, region, context), wait === null ? details : { ...details, retryAfterMs: wait });
}

function codeOf(status: number, error: string): ErrorCode {
  const known = CODES.get(error);
  if (known !== undefined) return known;
  if (status === 401 || status === 403) return 'SINK_UNAUTHORIZED';
  if (status === 404 || status === 410 || (status >= 300 && status < 400)) return 'SINK_NOT_FOUND';
  if (status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501)) return 'SINK_BUSY';
  // The answer to HEAD has no body to name the conflict, and those that do not pass are about buckets.
  if (status === 409 && error === '') return 'SINK_BUSY';
  if (status === 413 || status === 422) return 'SINK_REFUSED_ENTRY';
  return 'SINK_REFUSED';
}

function messageOf(status: number, { code, message, region }: S3Error, signedFor: string, context: VerdictContext): string {
  const said = excerpt({ status, headers: {}, body: Buffer.from(`${code} ${message}`) }, context.secrets);
  const head = `${context.from} answered ${status}${said === '' ? '' : `: ${said}`}`;
  if (region === null || region === signedFor || !/^[a-z0-9-]{1,64}$/.test(region)) return head;
  return `${head}; the bucket is in ${region}: set \`region: ${region}\``;
}

/** The keys of a listing, and where the next one goes on. */
export function readListing({ body }: HttpResponse): { readonly keys: readonly string[]; readonly next: string | null } {
  const text = Buffer.from(body).toString('utf8');
  const keys = [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => plain(key));
  return { keys, next: element(text, 'IsTruncated') === 'true' ? element(text, 'NextContinuationToken') : null };
}

function element(text: string, name: string): string | null {
  const start = text.indexOf(`<${name}>`);
  const end = text.indexOf(`</${name}>`, start);
  return start < 0 || end < 0 ? null : plain(text.slice(start + name.length + 2, end));
}

// A map, because a name may be one that every object has.
const NAMED = new Map(Object.entries({ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }));

/** References to characters, replaced. What is no reference stays as it is. */
function plain(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]+));/g, (all, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return NAMED.get(name) ?? all;
    const point = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
    return point <= 0x10_ff_ff ? String.fromCodePoint(point) : all;
  });
}
