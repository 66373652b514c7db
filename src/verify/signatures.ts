import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { CheckSignature } from '../tlog/note.ts';

/** The fixed beginning of an Ed25519 public key in SPKI form, RFC 8410. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const keys = new Map<string, KeyObject>();

/** Whether an Ed25519 signature is one of this key over this message, RFC 8032. */
export const checkSignature: CheckSignature = (publicKey, message, signature) => {
  const name = Buffer.from(publicKey).toString('latin1');
  let key = keys.get(name);
  if (key === undefined) {
    try {
      key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
    } catch {
      return false;
    }
    keys.set(name, key);
  }
  return verify(null, message, key, signature);
};
