/**
 * Signatures of Standard Webhooks 1.0: `v1` is HMAC-SHA256 with a secret `whsec_…`, `v1a` is Ed25519 with a private key `whsk_…`, both over
 * `ID.TIMESTAMP.BODY`, in base64.
 */
import { createHmac, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';

const SYMMETRIC = 'whsec_';
const PRIVATE = 'whsk_';

/** The specification wants between 24 and 64 bytes in a shared secret. */
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;

/** A private key is its seed, alone or followed by the public key. */
const SEED_BYTES = 32;
const KEY_BYTES = 64;

/** What comes before the seed of an Ed25519 key in PKCS #8 (RFC 8410 §7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The last bytes of an Ed25519 public key in SPKI are the key itself (RFC 8410 §4). */
const SPKI_KEY_BYTES = 32;

/** A secret that was read and can sign. */
export type WebhookKey =
  | { readonly version: 'v1'; readonly secret: Uint8Array }
  | { readonly version: 'v1a'; readonly privateKey: KeyObject };

/** Reads a secret, or says what is wrong with it without quoting it. */
export function readWebhookKey(text: string): WebhookKey | { readonly wrong: string } {
  if (text.startsWith(PRIVATE)) return readPrivateKey(decoded(text.slice(PRIVATE.length)));
  if (!text.startsWith(SYMMETRIC)) return { wrong: `expected ${SYMMETRIC} (shared secret) or ${PRIVATE} (private key), then base64` };
  const secret = decoded(text.slice(SYMMETRIC.length));
  if (secret === null) return { wrong: `expected base64 after ${SYMMETRIC}` };
  if (secret.length >= SECRET_BYTES_MIN && secret.length <= SECRET_BYTES_MAX) return { version: 'v1', secret };
  return { wrong: `expected ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes in base64 after ${SYMMETRIC}, and it has ${secret.length}` };
}

/** The value of `webhook-signature`: one signature for each key, separated by spaces, so that a receiver may know any one of them. */
export function webhookSignatures(keys: readonly WebhookKey[], id: string, timestamp: string, body: Uint8Array): string {
  const head = Buffer.from(`${id}.${timestamp}.`);
  return keys.map((key) => `${key.version},${signatureOf(key, head, body).toString('base64')}`).join(' ');
}

function signatureOf(key: WebhookKey, head: Uint8Array, body: Uint8Array): Buffer {
  if (key.version === 'v1') return createHmac('sha256', key.secret).update(head).update(body).digest();
  return sign(null, Buffer.concat([head, body]), key.privateKey);
}

function readPrivateKey(bytes: Buffer | null): WebhookKey | { readonly wrong: string } {
  if (bytes === null || (bytes.length !== SEED_BYTES && bytes.length !== KEY_BYTES)) {
    return { wrong: `expected the ${SEED_BYTES} or ${KEY_BYTES} bytes of an Ed25519 private key in base64 after ${PRIVATE}` };
  }
  const seed = bytes.subarray(0, SEED_BYTES);
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-SPKI_KEY_BYTES);
  // A key whose halves do not belong together would sign what no receiver can verify.
  if (bytes.length === KEY_BYTES && !publicKey.equals(bytes.subarray(SEED_BYTES))) {
    return { wrong: 'the second half of the private key is not the public key of the first half' };
  }
  return { version: 'v1a', privateKey };
}

function decoded(text: string): Buffer | null {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : null;
}
