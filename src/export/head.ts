import { createPublicKey, hash, verify } from 'node:crypto';
import type { LogKey } from '../contracts/heads.ts';
import { type Checkpoint, parseCheckpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { parseVerifierKey, type VerifierKey } from '../tlog/key.ts';
import { openNote, parseNote } from '../tlog/note.ts';

/** SHA-256 in the form that `src/tlog` asks for. */
export function sha256(input: Uint8Array): string {
  return hash('sha256', input, 'binary');
}

/** What stands before the 32 bytes of an Ed25519 public key in its SPKI form, RFC 8410. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Whether an Ed25519 signature is one of this key over this message. */
export function checkSignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
    return verify(null, message, key, signature);
  } catch {
    // Bytes that are no point of the curve sign nothing.
    return false;
  }
}

/** The key of a log, read, with the sizes that it signed for. */
export interface RangedKey extends VerifierKey {
  readonly from: number;
  readonly through: number | null;
}

/** Reads the keys of a log. Throws `TlogError` at one that is none. */
export function rangedKeys(keys: readonly LogKey[]): readonly RangedKey[] {
  return keys.map(({ verifierKey, from, through }) => ({ ...parseVerifierKey(sha256, verifierKey), from, through }));
}

/**
 * Reads a checkpoint that one of these keys has to have signed while it was the one of its size. Throws `TlogError`, in words, where the
 * form, the origin, the signature or the range is wrong.
 */
export function openCheckpoint(bytes: Uint8Array, origin: string, keys: readonly RangedKey[]): Checkpoint {
  const note = parseNote(bytes);
  const signed = openNote(note, keys, checkSignature);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== origin) throw new TlogError(`it is of ${checkpoint.origin} and not of ${origin}`);
  const inRange = keys.some(
    ({ id, name, from, through }) =>
      checkpoint.size >= from &&
      (through === null || checkpoint.size <= through) &&
      signed.some(({ key }) => key.id === id && key.name === name),
  );
  if (!inRange) throw new TlogError(`it covers ${checkpoint.size} entries, for which its key did not sign`);
  return checkpoint;
}
