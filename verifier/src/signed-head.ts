import { ed25519 } from '@noble/curves/ed25519.js';
import { type Checkpoint, parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { encodeHash } from '../../src/tlog/hash.ts';
import { parseVerifierKey, type VerifierKey } from '../../src/tlog/key.ts';
import { type CheckSignature, openNote, parseNote, type VerifiedSignature } from '../../src/tlog/note.ts';
import { sha256 } from '../../src/tlog/sha256.ts';
import { Fault, type Verdict } from './verdict.ts';

/** A head that one of the keys signed. */
export interface SignedHead extends Checkpoint {
  readonly signatures: readonly VerifiedSignature[];
}

const checkSignature: CheckSignature = (publicKey, message, signature) => {
  try {
    // As RFC 8032 has it, and not as laxly as some protocols want it.
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
};

/** Reads verifier keys, one a line. Throws `Fault` at one that is none. */
export function keysOf(text: string): readonly VerifierKey[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      try {
        return parseVerifierKey(sha256, line);
      } catch (error) {
        throw new Fault(`The key “${line.slice(0, 60)}” cannot be read: ${messageOf(error)}.`);
      }
    });
}

/** Reads a checkpoint that a key of its log signed. Throws where it is none, or where a known line is wrong. */
export function openHead(note: Uint8Array, keys: readonly VerifierKey[]): SignedHead {
  const parsed = parseNote(note);
  const signatures = openNote(parsed, keys, checkSignature);
  const checkpoint = parseCheckpoint(parsed.text);
  const own = signatures.some(({ key, time }) => time === null && key.name === checkpoint.origin);
  if (!own) throw new Fault(`No key that was given signs for the log ${checkpoint.origin}; a witness alone does not speak for it.`);
  return { ...checkpoint, signatures };
}

/** The head in words. */
export function headFacts({ origin, size, root, signatures }: SignedHead): Verdict['facts'] {
  const lines = signatures.map(({ key, time }) => {
    const at = time === null ? '' : `, at ${new Date(time * 1_000).toISOString()}`;
    return ['Signed by', `${key.name} (${key.id})${at}`] as const;
  });
  return [['Log', origin], ['Entries', size.toLocaleString('en-US')], ['Root', encodeHash(root)], ...lines];
}

/** What went wrong, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
