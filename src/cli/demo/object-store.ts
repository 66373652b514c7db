/**
 * A small store of objects that speaks the part of S3 that an archive needs: PUT with conditions and checksums, GET, HEAD and listing. It
 * verifies every signature. Everything is kept in memory, each accepted PUT as a version of its own. It can be told to behave badly, as
 * real ones do.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type SignedRequest, type StoreCredentials, signatureFault } from './object-store-signature.ts';

/** What the store is and does. */
export interface ObjectStoreOptions extends StoreCredentials {
  readonly bucket: string;
  /** What becomes of `If-None-Match: *`: `refused` answers 501, `ignored` replaces the object, as several stores do. */
  readonly conditions: 'honoured' | 'ignored' | 'refused';
}

/** An accepted PUT. */
export interface StoredObject {
  readonly key: string;
  readonly body: Buffer;
  readonly contentType: string;
  /** Every `x-amz-…` header but those of the request itself: metadata, encryption, locks. */
  readonly headers: Readonly<Record<string, string>>;
}

/** How a request is answered instead: with an error of S3, never, or by doing it and cutting the connection. */
export type Interference =
  | { readonly status: number; readonly code: string; readonly headers?: Readonly<Record<string, string>> }
  | 'hang'
  | 'lose the answer';

/** A request that a rule may interfere with. `key` is empty for the bucket itself. */
export interface StoreRequest {
  readonly method: string;
  readonly key: string;
  readonly body: Buffer;
}

/** Says whether a request is interfered with. */
export type Rule = (request: StoreRequest) => Interference | null;

/** A store that runs on loopback. */
export interface ObjectStore {
  readonly url: string;
  /** Every accepted PUT in the order in which they came. */
  readonly versions: readonly StoredObject[];
  /** What a reader sees: the newest version under each key, in the order of the keys. */
  objects(): readonly StoredObject[];
  /** Takes a look at every request first; `null` lets it through. */
  interfere(rule: Rule): void;
  /** Puts an object there without a request, or takes it away. */
  plant(object: StoredObject): void;
  remove(key: string): void;
  stop(): Promise<void>;
}

/** The largest object that is taken. */
const BODY_BYTES_MAX = 64 << 20;

const KEYS_MAX = 1_000;

const letThrough: Rule = () => null;

/** Starts a store on any free port of loopback. */
export async function startObjectStore(options: ObjectStoreOptions): Promise<ObjectStore> {
  const versions: StoredObject[] = [];
  const newest = new Map<string, StoredObject>();
  let rule = letThrough;
  const keep = (object: StoredObject): void => {
    versions.push(object);
    newest.set(object.key, object);
  };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    let length = 0;
    request.on('error', () => response.destroy());
    request.on('data', (part: Buffer) => {
      length += part.length;
      if (length <= BODY_BYTES_MAX) parts.push(part);
    });
    request.on('end', () => {
      const { method = '', url: path = '/', headers } = request;
      const exchange = { method, path, headers, body: Buffer.concat(parts) };
      if (length > BODY_BYTES_MAX) answerError(response, 400, 'EntityTooLarge', {});
      else answer({ exchange, request, response, options, newest, keep, rule });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    versions,
    objects: () => [...newest.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    interfere(next) {
      rule = next;
    },
    plant: keep,
    remove: (key) => void newest.delete(key),
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

interface Work {
  readonly exchange: SignedRequest & { readonly body: Buffer };
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly options: ObjectStoreOptions;
  readonly newest: ReadonlyMap<string, StoredObject>;
  readonly keep: (object: StoredObject) => void;
  readonly rule: Rule;
}

function answer(work: Work): void {
  const { exchange, request, response, options } = work;
  const fault = signatureFault(exchange, options, Date.now());
  const located = { 'x-amz-bucket-region': options.region };
  if (fault === 'AuthorizationHeaderMalformed') return answerError(response, 400, fault, located, `<Region>${options.region}</Region>`);
  if (fault !== null) return answerError(response, 403, fault, {}, echo(exchange));
  const place = placeOf(exchange, options.bucket);
  if (place === null) return answerError(response, 404, 'NoSuchBucket', {});
  const interference = work.rule({ method: exchange.method, key: place.key, body: exchange.body });
  if (interference === 'hang') return;
  if (interference !== null && interference !== 'lose the answer') {
    return answerError(response, interference.status, interference.code, interference.headers ?? {}, echo(exchange));
  }
  // Everything is done as ever, and nobody hears of it.
  if (interference === 'lose the answer') request.socket.destroy();
  if (exchange.method === 'PUT' && place.key !== '') return put(work, place.key);
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') return answerError(response, 405, 'MethodNotAllowed', {});
  if (place.key !== '') return get(work, place.key);
  if (exchange.method === 'HEAD') return void response.writeHead(200, located).end();
  list(work, place.query);
}

/** Where a request goes: the bucket is the first part of the path, or the first label of the host. */
function placeOf({ path, headers }: SignedRequest, bucket: string): { readonly key: string; readonly query: URLSearchParams } | null {
  const url = new URL(path, 'http://store');
  const route = decodeURIComponent(url.pathname).slice(1);
  if (headers.host?.startsWith(`${bucket}.`) === true) return { key: route, query: url.searchParams };
  const [first, ...rest] = route.split('/');
  return first === bucket ? { key: rest.join('/'), query: url.searchParams } : null;
}

function put({ exchange, response, options, newest, keep }: Work, key: string): void {
  const { headers, body } = exchange;
  const checksum = headers['x-amz-checksum-sha256'];
  // As a bucket with Object Lock wants it.
  if (checksum === undefined) return answerError(response, 400, 'InvalidRequest', {});
  if (checksum !== checksumOf(body)) return answerError(response, 400, 'BadDigest', {});
  if (headers['if-none-match'] !== undefined) {
    if (options.conditions === 'refused') return answerError(response, 501, 'NotImplemented', {});
    if (options.conditions === 'honoured' && newest.has(key)) return answerError(response, 412, 'PreconditionFailed', {});
  }
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-') && !/^x-amz-(?:date|content-sha256)$/.test(name));
  const kept = Object.fromEntries(own.map(([name, value]) => [name, String(value)]));
  keep({ key, body, contentType: headers['content-type'] ?? 'binary/octet-stream', headers: kept });
  response.writeHead(200, { etag: `"${createHash('md5').update(body).digest('hex')}"` }).end();
}

function get({ exchange, response, newest }: Work, key: string): void {
  const object = newest.get(key);
  if (object === undefined) return answerError(response, 404, 'NoSuchKey', {});
  const metadata = Object.entries(object.headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  const checksum = exchange.headers['x-amz-checksum-mode'] === undefined ? {} : { 'x-amz-checksum-sha256': checksumOf(object.body) };
  const headers = { ...Object.fromEntries(metadata), ...checksum, 'content-type': object.contentType };
  response.writeHead(200, { ...headers, 'content-length': object.body.length });
  response.end(exchange.method === 'HEAD' ? undefined : object.body);
}

function list({ response, newest }: Work, query: URLSearchParams): void {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
  const most = Math.min(KEYS_MAX, Number(query.get('max-keys') ?? KEYS_MAX));
  const keys = [...newest.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const plain = keys.filter((key) => delimiter === '' || !key.slice(prefix.length).includes(delimiter));
  const shown = plain.slice(0, most);
  const more = plain.length > shown.length;
  const contents = shown.map((key) => `<Contents><Key>${xml(key)}</Key><Size>${newest.get(key)?.body.length ?? 0}</Size></Contents>`);
  const token = more ? `<NextContinuationToken>${xml(shown.at(-1) ?? '')}</NextContinuationToken>` : '';
  const result = `<ListBucketResult><IsTruncated>${more}</IsTruncated>${contents.join('')}${token}</ListBucketResult>`;
  response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0" encoding="UTF-8"?>${result}`);
}

function answerError(response: ServerResponse, status: number, code: string, headers: Readonly<Record<string, string>>, more = ''): void {
  const error = `<Error><Code>${code}</Code><Message>this is ${code}</Message>${more}</Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(`<?xml version="1.0" encoding="UTF-8"?>${error}`);
}

/** S3 tells in some refusals what it was told, so that a sender can compare. */
function echo({ headers }: SignedRequest): string {
  return `<CanonicalRequest>${xml(JSON.stringify(headers))}</CanonicalRequest>`;
}

function checksumOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('base64');
}

function xml(text: string): string {
  return text.replaceAll(/[<>&"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
