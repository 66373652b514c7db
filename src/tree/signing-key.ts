import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import { type Algorithm, formatSigningKey, formatVerifierKey, keyId, parseSigningKey } from '../tlog/key.ts';
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

/** Makes a key of the log of `SEED_BYTES` unpredictable bytes, in the form `PRIVATE+KEY+…` of signed notes. */
export function makeSigningKey(origin: string, use: KeyUse, seed: Uint8Array): string {
  return makeNamedKey(keyName(origin, use), ALGORITHM[use], seed);
}

/** The same for a key of any name. */
export function makeNamedKey(name: string, algorithm: Algorithm, seed: Uint8Array): string {
  return formatSigningKey({ name, id: keyId(sha256, name, algorithm, publicKeyOf(seed)), algorithm, seed });
}

/** A signer with the key of the log in `text`. `place` is where it was found. Throws as `openNamedSigner` does. */
export function openSigner(text: string, { origin, use, place }: { origin: string; use: KeyUse; place: string }): Signer {
  return openNamedSigner(text, { name: keyName(origin, use), algorithm: ALGORITHM[use], place });
}

/** What a key has to be, and where it was found. */
export interface NamedKey {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly place: string;
}

/** A signer with the key in `text`. Throws `KEY_INVALID`, and without a part of the key in the message, for what is not this key. */
export function openNamedSigner(text: string, { name, algorithm, place }: NamedKey): Signer {
  const key = parsed(text.trim(), place);
  if (key.name !== name) throw new WaybillError('KEY_INVALID', `${place} holds a key of ${key.name}, not of ${name}`);
  if (key.algorithm !== algorithm) throw new WaybillError('KEY_INVALID', `${place} holds a key of ${name} for another use`);
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
