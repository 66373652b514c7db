import { createHash, createHmac, type Hash, type Hmac, hash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { HttpRequest, TlsIdentity } from '../contracts/ports.ts';
import { type S3Credentials, s3Credentials } from './s3-credentials.ts';

/** Which store, and how it is spoken to. */
export interface S3Place {
  /** Where the store is; `null`: Amazon S3 in this region. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly bucket: string;
  /** The bucket as the first part of the path, or as the first label of the host. */
  readonly pathStyle: boolean;
  readonly tls?: TlsIdentity | undefined;
}

/** One request to a store before it is signed. An empty key means the bucket. */
export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** SHA-256 of the body in hexadecimal, where it is known already. */
  readonly sha256?: string;
  readonly answerBytesMax?: number;
}

/** Signs a request as it would be sent at a time, in milliseconds since 1970. */
export type S3Signer = (request: S3Request, now: number) => Promise<HttpRequest>;

/** A signer for a store. Rejects with `SINK_PACKAGE_MISSING` when the credentials come from a package that is not there. */
export async function openS3Signer(place: S3Place, credentials: S3Credentials): Promise<S3Signer> {
  const { region, tls } = place;
  const signature = new SignatureV4({
    service: 's3',
    region,
    credentials: await s3Credentials(credentials),
    sha256: Sha256,
    // The paths of S3 are encoded once, and `urlOf` has done that.
    uriEscapePath: false,
  });
  return async ({ method, key, query = {}, headers = {}, body = EMPTY, sha256 = hash('sha256', body, 'hex'), answerBytesMax }, now) => {
    const url = urlOf(place, key, query);
    const unsigned = {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: { ...query },
      headers: { ...headers, host: url.host, 'x-amz-content-sha256': sha256 },
    };
    const signed = await signature.sign(unsigned, { signingDate: new Date(now) });
    const { host: _, ...sent } = signed.headers;
    const limit = answerBytesMax === undefined ? {} : { answerBytesMax };
    return { method, url: url.href, tls, headers: sent, ...(method === 'PUT' ? { body } : {}), ...limit };
  };
}

/** The address of an object, encoded as its signature has it. */
export function urlOf({ endpoint, region, bucket, pathStyle }: S3Place, key: string, query: Readonly<Record<string, string>> = {}): URL {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
  if (!pathStyle) url.host = `${bucket}.${url.host}`;
  const base = url.pathname.replace(/\/$/, '');
  const route = [...(pathStyle ? [bucket] : []), ...(key === '' ? [] : key.split('/'))].map(encoded).join('/');
  url.pathname = `${base}/${route}`;
  url.search = Object.entries(query)
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join('&');
  return url;
}

const EMPTY = new Uint8Array(0);

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** SHA-256, with a key also its HMAC, in the form that the signer asks for. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('a hash is used once');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}
