import { createPublicKey, hash, verify } from 'node:crypto';
import type { Hash } from '../tlog/hash.ts';
import type { CheckSignature } from '../tlog/note.ts';

/** SHA-256 in the form that `src/tlog` takes it. */
export const sha256 = (input: Uint8Array): Hash => hash('sha256', input, 'binary');

/** Checks an Ed25519 signature, RFC 8032. Bytes that are no public key have no signature. */
export const checkEd25519: CheckSignature = (publicKey, message, signature) => {
  const key = createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
};

/** What stands before the 32 bytes of an Ed25519 public key in SPKI, RFC 8410. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
