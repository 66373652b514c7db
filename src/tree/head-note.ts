import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import { formatCheckpoint, parseCheckpoint } from '../tlog/checkpoint.ts';
import { cosignatureMessage, encodeCosignature } from '../tlog/cosignature.ts';
import { TlogError } from '../tlog/error.ts';
import { decodeHash, encodeHash } from '../tlog/hash.ts';
import { parseVerifierKey, type VerifierKey } from '../tlog/key.ts';
import { formatNote, type Note, type NoteSignature, openNote, parseNote, type VerifiedSignature } from '../tlog/note.ts';
import { sha256 } from './grow.ts';

/** A head before anybody has signed it. */
export interface UnsignedHead {
  readonly origin: string;
  readonly size: number;
  /** In base64. */
  readonly root: string;
}

/** Who signs a head: the key of the log, both of its keys while one takes over from the other, and the one that says that it is fresh. */
export interface HeadSigners {
  readonly log: readonly Signer[];
  readonly freshness: Signer;
}

/** Signs a head: the whole note. Rejects with `SIGNING_FAILED`, also when what a key has signed cannot be verified. */
export async function signHead(head: UnsignedHead, { log, freshness }: HeadSigners, nowMs: number): Promise<string> {
  const text = formatCheckpoint({ origin: head.origin, size: head.size, root: hashOf(head.root) });
  const lines: NoteSignature[] = [];
  for (const signer of log) lines.push(lineOf(signer, await signed(signer, new TextEncoder().encode(text))));
  return checked(formatNote(text, [...lines, await freshnessLine(text, freshness, nowMs)]), [...log, freshness]);
}

/** The same head with more lines under it. One of a key that is there already takes the place of the older one. */
export function withLines(checkpoint: string, lines: readonly NoteSignature[]): string {
  const { text, signatures } = noteOf(checkpoint);
  const kept = signatures.map((old) => lines.find((line) => sameKey(line, old)) ?? old);
  return formatNote(text, [...kept, ...lines.filter((line) => !signatures.some((old) => sameKey(line, old)))]);
}

function sameKey(a: NoteSignature, b: NoteSignature): boolean {
  return a.name === b.name && a.id === b.id;
}

/** The size and the root (in base64) of a checkpoint of our own. */
export function headOf(checkpoint: string): UnsignedHead {
  const { origin, size, root } = parseCheckpoint(noteOf(checkpoint).text);
  return { origin, size, root: encodeHash(root) };
}

/** The lines of known keys under a checkpoint, all of them right. Throws `TlogError`, also when there is none. */
export function verifyHead(checkpoint: string, verifierKeys: readonly string[]): readonly VerifiedSignature[] {
  const keys = verifierKeys.map((key) => parseVerifierKey(sha256, key));
  return openNote(noteOf(checkpoint), keys, checkSignature);
}

/** When a checkpoint was last signed by this key with the time, in milliseconds since 1970; `null` when it was not. */
export function freshAt(checkpoint: string, verifierKey: string): number | null {
  try {
    const [line] = verifyHead(checkpoint, [verifierKey]);
    return line?.time == null ? null : line.time * 1_000;
  } catch (error) {
    if (error instanceof TlogError) return null;
    throw error;
  }
}

/** Takes a checkpoint apart. */
export function noteOf(checkpoint: string): Note {
  return parseNote(new TextEncoder().encode(checkpoint));
}

/** Whether an Ed25519 signature is one of this key over this message. */
export function checkSignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, message, keyObject(publicKey), signature);
}

const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

function keyObject(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' });
}

async function freshnessLine(text: string, freshness: Signer, nowMs: number): Promise<NoteSignature> {
  const time = Math.floor(nowMs / 1_000);
  return lineOf(freshness, encodeCosignature({ time, signature: await signed(freshness, cosignatureMessage(time, text)) }));
}

async function signed(signer: Signer, message: Uint8Array): Promise<Uint8Array> {
  try {
    return await signer.sign(message);
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    throw new WaybillError('SIGNING_FAILED', `the key ${nameOf(signer)} did not sign: ${String(error)}`, { cause: error });
  }
}

/** A signature that nobody can verify must never be recorded: the head would have to be given up. */
function checked(checkpoint: string, signers: readonly Signer[]): string {
  const keys = signers.map(({ verifierKey }) => verifierKey);
  try {
    if (verifyHead(checkpoint, keys).length >= keys.length) return checkpoint;
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
  }
  throw new WaybillError('SIGNING_FAILED', `what the keys ${signers.map(nameOf).join(', ')} signed cannot be verified`);
}

function lineOf(signer: Signer, bytes: Uint8Array): NoteSignature {
  const { name, id } = keyOf(signer);
  return { name, id, bytes };
}

function nameOf(signer: Signer): string {
  return keyOf(signer).name;
}

function keyOf({ verifierKey }: Signer): VerifierKey {
  return parseVerifierKey(sha256, verifierKey);
}

function hashOf(root: string): string {
  const hash = decodeHash(root);
  if (hash === null) throw new RangeError('a root is 32 bytes in base64');
  return hash;
}
