import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import { formatSigningKey, formatVerifierKey, keyId, parseSigningKey } from '../tlog/key.ts';
import { sha256 } from './grow.ts';

/** What a key of the log is for: `log` signs heads, `freshness` says with the time that a head is still the newest. */
export type KeyUse = 'log' | 'freshness';

/** How many unpredictable bytes a key is made of. */
export const SEED_BYTES = 32;

/** The algorithm bytes of C2SP signed-note (Ed25519) and tlog-cosignature (`cosignature/v1`). */
const ALGORITHM = { log: 1, freshness: 4 } as const;

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 and in SPKI, RFC 8410. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_BYTES = 12;

/** The name of a key: the origin itself for the log, as checkpoints want it, and one of its own for freshness. */
export function keyName(origin: string, use: KeyUse): string {
  return use === 'log' ? origin : `${origin}/freshness`;
}

/** Makes a key of `SEED_BYTES` unpredictable bytes, in the form `PRIVATE+KEY+…` of signed notes. */
export function makeSigningKey(origin: string, use: KeyUse, seed: Uint8Array): string {
  const name = keyName(origin, use);
  const id = keyId(sha256, name, ALGORITHM[use], publicKeyOf(seed));
  return formatSigningKey({ name, id, algorithm: ALGORITHM[use], seed });
}

/**
 * A signer with the key in `text`. `place` is where it was found. Rejects with `KEY_INVALID`, and without a part of the key in the message,
 * what is no key for this use of this log.
 */
export function openSigner(text: string, { origin, use, place }: { origin: string; use: KeyUse; place: string }): Signer {
  const key = parsed(text.trim(), place);
  const name = keyName(origin, use);
  if (key.name !== name) throw new WaybillError('KEY_INVALID', `${place} holds a key of ${key.name}, not of ${name}`);
  if (key.algorithm !== ALGORITHM[use]) throw new WaybillError('KEY_INVALID', `${place} holds a key for another use than ${use}`);
  const publicKey = publicKeyOf(key.seed);
  if (keyId(sha256, name, key.algorithm, publicKey) !== key.id)
    throw new WaybillError('KEY_INVALID', `${place} holds a key whose number ${key.id} is not its own`);
  const privateKey = privateKeyOf(key.seed);
  return {
    verifierKey: formatVerifierKey({ name, id: key.id, algorithm: key.algorithm, publicKey }),
    sign: async (message) => sign(null, message, privateKey),
  };
}

function parsed(text: string, place: string) {
  try {
    return parseSigningKey(text);
  } catch {
    // What the parser says may quote the text, which is a secret.
    throw new WaybillError('KEY_INVALID', `${place} holds no key of the form PRIVATE+KEY+NAME+NUMBER+KEY`);
  }
}

function privateKeyOf(seed: Uint8Array) {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
}

function publicKeyOf(seed: Uint8Array): Uint8Array {
  return createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' }).subarray(SPKI_BYTES);
}
