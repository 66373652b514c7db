import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { cosignatureMessage, encodeCosignature } from '../../src/tlog/cosignature.ts';
import type { Hash } from '../../src/tlog/hash.ts';
import { type Algorithm, formatVerifierKey, keyId, type SigningKey, type VerifierKey } from '../../src/tlog/key.ts';
import type { CheckSignature, NoteSignature } from '../../src/tlog/note.ts';

/** SHA-256 in the form that `src/tlog` takes it. */
export const sha256 = (input: Uint8Array): Hash => hash('sha256', input, 'binary');

/** The check of an Ed25519 signature by node's own cryptography. */
export const checkEd25519: CheckSignature = (publicKey, message, signature) => verify(null, message, publicOf(publicKey), signature);

/** A key pair that signs notes, made from one byte so that a test repeats. */
export interface NoteSigner {
  readonly key: VerifierKey;
  readonly verifierKey: string;
  readonly signingKey: SigningKey;
  /** Signs the text of a note: with the time (in seconds since 1970) where the key is one of cosignatures. */
  sign(text: string, time?: number): NoteSignature;
  /** The 64 bytes of the signature of any message. */
  signBytes(message: Uint8Array): Uint8Array;
}

/** A signer with this seed, or one whose seed is 32 times a byte. */
export function noteSigner(name: string, from: number | Uint8Array, algorithm: Algorithm = 1): NoteSigner {
  const seed = typeof from === 'number' ? new Uint8Array(32).fill(from) : from;
  const privateKey = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = Uint8Array.from(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(12));
  const key: VerifierKey = { name, id: keyId(sha256, name, algorithm, publicKey), algorithm, publicKey };
  const signBytes = (message: Uint8Array): Uint8Array => sign(null, message, privateKey);
  return {
    key,
    signBytes,
    verifierKey: formatVerifierKey(key),
    signingKey: { name, id: key.id, algorithm, seed },
    sign: (text, time = 1_700_000_000) => {
      if (algorithm === 1) return { name, id: key.id, bytes: signBytes(Buffer.from(text)) };
      const signature = signBytes(cosignatureMessage(time, text));
      return { name, id: key.id, bytes: encodeCosignature({ time, signature }) };
    },
  };
}

function publicOf(publicKey: Uint8Array): KeyObject {
  const key = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return createPublicKey({ key, format: 'der', type: 'spki' });
}
