import { createHash } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { HttpResponse } from '../contracts/ports.ts';
import type { SinkContext } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';
import { type Compression, decompressAside } from './compress.ts';
import { parseLine } from './file-lines.ts';
import { readListing, s3Verdict } from './s3-answer.ts';
import { type NamedObject, ownerKey, probeKey, readKey } from './s3-names.ts';
import type { S3Request, S3Signer } from './s3-signer.ts';

/** The longest body of a batch that the configuration allows, with room for what one record is longer. */
const OBJECT_BYTES_MAX = 257 << 20;

/** A thousand keys of the longest kind, and what stands around them. */
const LISTING_BYTES_MAX = 4 << 20;

const OWNER = { absent: false, contentType: 'application/json' };

const PROBE = '{"waybill":"does this store keep conditions?"}\n';

/** The longest small object that is read whole. */
const TEXT_BYTES_MAX = 1_000_000;

const LINE_FEED = 0x0a;

/** What a store is made from. */
export interface S3StoreParts {
  readonly sign: S3Signer;
  readonly prefix: string;
  readonly region: string;
  readonly context: Pick<SinkContext, 'name' | 'origin' | 'ports'>;
  /** What must never appear in a message. */
  readonly secrets: readonly string[];
  /** What every object is written with, because the bucket may ask for it. */
  readonly objectHeaders: Readonly<Record<string, string>>;
}

/** How a small object is put. */
interface PutText {
  readonly absent: boolean;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The objects of one destination in a store: whose they are, whether one is there already, and what they hold. */
export class S3Store {
  readonly #parts: S3StoreParts;

  constructor(parts: S3StoreParts) {
    this.#parts = parts;
  }

  /**
   * Puts a small object; `absent`: only if there is none, which the store must be known to keep. Answers whether it was put. Rejects like
   * `read`.
   */
  async putText(key: string, text: string, { absent, ...more }: PutText, signal: AbortSignal): Promise<boolean> {
    const response = await this.#send(this.#textRequest(key, text, { absent, ...more }), signal);
    if (absent && response.status === 412) return false;
    this.#check(response);
    return true;
  }

  /** The text of a small object; `null` where there is none, `hidden` where these credentials may not look. Rejects like `read`. */
  async getText(key: string, signal: AbortSignal): Promise<{ readonly text: string } | 'hidden' | null> {
    const response = await this.#send({ method: 'GET', key, answerBytesMax: TEXT_BYTES_MAX }, signal);
    if (response.status === 404) return null;
    if (response.status === 403) return 'hidden';
    this.#check(response);
    return { text: Buffer.from(response.body).toString('utf8') };
  }

  #textRequest(key: string, text: string, { absent, contentType, headers = {} }: PutText): S3Request {
    const own = {
      ...this.#parts.objectHeaders,
      ...headers,
      'content-type': contentType,
      // A bucket with Object Lock takes nothing without it.
      'x-amz-checksum-sha256': createHash('sha256').update(text).digest('base64'),
      ...(absent ? { 'if-none-match': '*' } : {}),
    };
    return { method: 'PUT', key, headers: own, body: Buffer.from(text) };
  }

  /** Asks after the bucket itself. Rejects like `read`. */
  async findBucket(signal: AbortSignal): Promise<void> {
    await this.#expect({ method: 'HEAD', key: '' }, signal);
  }

  /**
   * Makes the prefix this destination's own, and finds out whether the store keeps conditions. Rejects with `DESTINATION_FOREIGN` when the
   * prefix is another's, and with `SINK_UNAUTHORIZED` where nobody can tell whose it is and writing could take it from another.
   */
  async own(signal: AbortSignal): Promise<{ readonly keepsConditions: boolean }> {
    const { context, prefix } = this.#parts;
    const key = ownerKey(prefix);
    const text = `${JSON.stringify({ ledger: context.origin, destination: context.name })}\n`;
    const found = await this.getText(key, signal);
    if (found === 'hidden') return this.#ownUnseen(key, text, signal);
    if (found !== null && found.text !== text) {
      throw new WaybillError('DESTINATION_FOREIGN', `${key} says that this prefix belongs to another ledger or destination`, {
        facts: { key },
      });
    }
    // What is there says the same, so that writing it once more changes nothing where the condition is not kept.
    const conditions = await this.#conditions(key, text, signal);
    if (conditions === 'refused' && found === null) await this.putText(key, text, OWNER, signal);
    return { keepsConditions: conditions === 'kept' };
  }

  /** Whoever may only write cannot see another's name on the prefix: it is safe only if the store leaves alone what is there. */
  async #ownUnseen(key: string, text: string, signal: AbortSignal): Promise<{ readonly keepsConditions: true }> {
    const { context, prefix } = this.#parts;
    // On an object that is the same for everybody, because trying it on that of the owner could replace another's.
    if ((await this.#conditions(probeKey(prefix), PROBE, signal)) !== 'kept') {
      const message = `the store keeps no conditions, and these credentials may not read ${key}, so nobody can tell whose the prefix is`;
      throw new WaybillError('SINK_UNAUTHORIZED', `${message}: allow s3:GetObject and s3:ListBucket`, { facts: { key } });
    }
    if (!(await this.putText(key, text, { ...OWNER, absent: true }, signal)))
      context.ports.log.warn('the store does not let these credentials look whose the prefix is', { destination: context.name, key });
    return { keepsConditions: true };
  }

  /** What becomes of a condition: an object that is there is left alone, or replaced, or nothing is put at all. */
  async #conditions(key: string, text: string, signal: AbortSignal): Promise<'kept' | 'ignored' | 'refused'> {
    for (const _ of ['it may be the first', 'it is there now']) {
      const response = await this.#send(this.#textRequest(key, text, { ...OWNER, absent: true }), signal);
      if (response.status === 412) return 'kept';
      if (response.status === 501) return 'refused';
      this.#check(response);
    }
    return 'ignored';
  }

  /**
   * What it means that an object is there already: nothing when it has the same content, `DESTINATION_FOREIGN` when it has another one.
   * `sha256` is that of the records, `checksum` that of the object, in base64.
   */
  async compare(
    key: string,
    compression: Compression,
    sha256: string,
    checksum: string,
    signal: AbortSignal,
  ): Promise<WaybillError | null> {
    const looked = await this.#send({ method: 'HEAD', key, headers: { 'x-amz-checksum-mode': 'ENABLED' } }, signal);
    if (looked.status === 404) return new WaybillError('SINK_BUSY', `${key} was there, and is gone again`);
    if (looked.status === 403) {
      const message = `${key} is there already, and these credentials may not look at it: allow s3:GetObject`;
      return new WaybillError('SINK_UNAUTHORIZED', message, { facts: { key } });
    }
    this.#check(looked);
    if (looked.headers['x-amz-checksum-sha256'] === checksum) return null;
    // Another version of the compression makes other bytes of the same records.
    const records = await this.#records(key, compression, signal);
    if (records !== null && createHash('sha256').update(records).digest('hex') === sha256) return null;
    return new WaybillError('DESTINATION_FOREIGN', `${key} is there already, with another content`, { facts: { key } });
  }

  /** Every entry, in order. What was sent again on purpose lies apart and is not read. */
  async *readBack(signal: AbortSignal): AsyncGenerator<{ readonly index: Index; readonly bytes: Uint8Array }> {
    let through = -1;
    for await (const object of this.#objects(signal)) {
      // The same batch may be there under two endings, when it was in doubt while `compress` was changed.
      if (object.through <= through) continue;
      through = object.through;
      const records = await this.#records(object.key, object.compression, signal);
      if (records === null) throw this.#unreadable(object.key);
      let start = 0;
      for (let feed = records.indexOf(LINE_FEED); feed >= 0; feed = records.indexOf(LINE_FEED, start)) {
        const line = parseLine(records, start, feed + 1);
        if (line === null) throw this.#unreadable(object.key);
        yield { index: line.index, bytes: records.subarray(line.start, line.end) };
        start = feed + 1;
      }
      if (start !== records.length) throw this.#unreadable(object.key);
    }
  }

  async *#objects(signal: AbortSignal): AsyncGenerator<NamedObject> {
    const { prefix } = this.#parts;
    let next: string | null = null;
    do {
      const query: Record<string, string> = { 'list-type': '2', prefix, delimiter: '/' };
      if (next !== null) query['continuation-token'] = next;
      const listing = readListing(await this.#expect({ method: 'GET', key: '', query, answerBytesMax: LISTING_BYTES_MAX }, signal));
      for (const key of listing.keys) {
        const object = readKey(prefix, key);
        if (object !== null) yield object;
      }
      next = listing.next;
    } while (next !== null);
  }

  /** The records of an object, or `null` when it is damaged or longer than any batch. */
  async #records(key: string, compression: Compression, signal: AbortSignal): Promise<Uint8Array | null> {
    const { body, headers } = await this.#expect({ method: 'GET', key, answerBytesMax: OBJECT_BYTES_MAX }, signal);
    const length = headers['content-length'];
    if (length !== undefined && Number(length) !== body.length) return null;
    try {
      return await decompressAside(body, compression, OBJECT_BYTES_MAX);
    } catch {
      return null;
    }
  }

  async #expect(request: S3Request, signal: AbortSignal): Promise<HttpResponse> {
    const response = await this.#send(request, signal);
    this.#check(response);
    return response;
  }

  async #send(request: S3Request, signal: AbortSignal): Promise<HttpResponse> {
    const { sign, context } = this.#parts;
    return context.ports.http.send(await sign(request, context.ports.clock.now()), signal);
  }

  #check(response: HttpResponse): void {
    const { context, region, secrets } = this.#parts;
    const error = s3Verdict(response, region, { from: 'the store', now: context.ports.clock.now(), secrets });
    if (error !== null) throw error;
  }

  #unreadable(key: string): WaybillError {
    return new WaybillError('DESTINATION_FOREIGN', `${key} does not hold entries, or not whole ones`, { facts: { key } });
  }
}
