import assert from 'node:assert/strict';
import { ERROR_CODES } from '../../src/contracts/errors.ts';
import { readListing, readS3Error, s3Verdict } from '../../src/sinks/s3-answer.ts';
import { readKey } from '../../src/sinks/s3-names.ts';
import { excerpt, retryAfterMs, standardVerdict } from '../../src/sinks/verdict.ts';
import { readWebhookKey } from '../../src/sinks/webhook-signature.ts';
import type { FuzzTarget } from './target.ts';
import { mangled } from './text.ts';

const SECRET = 'planted-secret';
const NOW = Date.UTC(2026, 10, 24, 11, 8, 9);
const context = { from: 'https://lake.example', now: NOW, secrets: [SECRET] };
const STATUSES = [200, 204, 301, 307, 400, 401, 403, 404, 408, 409, 412, 413, 422, 425, 429, 500, 501, 503, 600, 0];

const ERRORS = [
  '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce</Message><Region>eu-west-1</Region></Error>',
  '<Error><Code>AccessDenied</Code><Message>a &lt;b&gt; &#x41; &amp;amp; &#1114112;</Message></Error>',
  `<Error><Code>${SECRET}</Code><Message>${SECRET}</Message></Error>`,
  '<Error><Code>constructor</Code></Error>',
  '<Error><Message></Code></Message><Code>',
  '{"error":"no xml"}',
];

const s3Errors: FuzzTarget = {
  name: 'errors of S3',
  cost: 5,
  one(dice) {
    const body = Buffer.from(mangled(dice, ERRORS));
    const status = dice.pick(STATUSES);
    const response = { status, headers: { 'content-type': 'application/xml' }, body };
    const { code, message } = readS3Error(response);
    assert.equal(typeof code, 'string');
    assert.equal(typeof message, 'string');
    const verdict = s3Verdict(response, 'eu-central-1', context);
    assert.equal(verdict === null, status >= 200 && status < 300);
    if (verdict === null) return false;
    assert.ok(Object.hasOwn(ERROR_CODES, verdict.code), verdict.code);
    assert.ok(verdict.message.length < 600 && !verdict.message.includes(SECRET), verdict.message);
    assert.ok(!/\p{Cc}/u.test(verdict.message));
    return code !== '';
  },
};

const listings: FuzzTarget = {
  name: 'listings of S3',
  cost: 4,
  one(dice) {
    const text = `<ListBucketResult>${mangled(dice, [
      '<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken><Contents><Key>p/x</Key></Contents>',
      '<Contents><Key>p/0000000000000000-0000000000000009.ndjson.gz</Key></Contents><Contents><Key>a&constructor;b</Key></Contents>',
    ])}</ListBucketResult>`;
    const { keys, next } = readListing({ status: 200, headers: {}, body: Buffer.from(text) });
    assert.ok(keys.every((key) => typeof key === 'string' && !key.includes('function')));
    assert.ok(next === null || text.includes('>true<'));
    const key = mangled(dice, [
      'p/0000000000000000-0000000000000009.ndjson.gz',
      'p/0000000000000009-0000000000000008.ndjson',
      'p/waybill.json',
    ]);
    const named = readKey('p/', key);
    if (named !== null) assert.ok(named.from <= named.through && Number.isSafeInteger(named.through) && named.key === key);
    return keys.length > 0;
  },
};

const retryAfter: FuzzTarget = {
  name: 'Retry-After',
  cost: 1,
  one(dice) {
    const text = mangled(dice, [
      '120',
      'Tue, 24 Nov 2026 11:09:09 GMT',
      'Tuesday, 24-Nov-26 11:09:09 GMT',
      'Tue Nov 24 11:09:09 2026',
      '-1',
      '1e9',
      '0',
    ]);
    const ms = retryAfterMs(text, NOW);
    assert.ok(ms === null || (Number.isFinite(ms) && ms >= 0), String(ms));
    const digits = text.trim();
    if (/^[0-9]{1,9}$/.test(digits)) assert.equal(ms, Number(digits) * 1_000);
    return ms !== null;
  },
};

const answers: FuzzTarget = {
  name: 'answers of receivers',
  cost: 5,
  one(dice) {
    const body = Buffer.from(mangled(dice, [`no: ${SECRET} is wrong`, '{"error":"\u001b[31mred"}', 'x'.repeat(1_000), SECRET.slice(0, 7)]));
    const headers = { 'content-type': mangled(dice, ['text/plain', 'application/problem+json', 'text/html', 'application/octet-stream']) };
    const response = { status: dice.pick(STATUSES), headers, body };
    const line = excerpt(response, [SECRET]);
    assert.ok(Array.from(line).length <= 200 && !line.includes(SECRET) && !/\p{Cc}/u.test(line), line);
    const verdict = standardVerdict(response, context);
    assert.equal(verdict === null, response.status >= 200 && response.status < 300);
    return line !== '';
  },
};

const webhookKeys: FuzzTarget = {
  name: 'secrets of webhooks',
  cost: 10,
  one(dice) {
    const base64 = Buffer.alloc(32, 'planted').toString('base64');
    const text = mangled(dice, [`whsec_${base64}`, `whsk_${base64}`, `whsk_${base64}${base64}`, base64, 'whsec_']);
    const key = readWebhookKey(text);
    if (!('wrong' in key)) return true;
    assert.ok(!key.wrong.includes(base64.slice(0, 12)));
    return false;
  },
};

/** What destinations answer, and what is said about them. */
export const SINK_TARGETS: readonly FuzzTarget[] = [s3Errors, listings, retryAfter, answers, webhookKeys];
