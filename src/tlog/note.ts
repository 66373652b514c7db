import { decodeBase64, encodeBase64 } from './base64.ts';
import { cosignatureMessage, parseCosignature } from './cosignature.ts';
import { TlogError } from './error.ts';
import { isKeyName, type VerifierKey } from './key.ts';

/** Whether an Ed25519 signature is one of this key over this message, RFC 8032. */
export type CheckSignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** A line under a note. Nobody has checked it. */
export interface NoteSignature {
  readonly name: string;
  /** The id of the key as 8 hexadecimal digits. */
  readonly id: string;
  /** What follows the id of the key. */
  readonly bytes: Uint8Array;
}

/** A note of C2SP signed-note, taken apart. Nobody has checked its signatures. */
export interface Note {
  /** What is signed, with its last line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A line that was checked and is right. */
export interface VerifiedSignature {
  readonly key: VerifierKey;
  /** The time of a cosignature, in seconds since 1970; `null` for a plain signature. */
  readonly time: number | null;
}

/** What has to be checked for one line under a note. */
export interface SignatureToCheck extends VerifiedSignature {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** The largest note in bytes. */
export const NOTE_BYTES_MAX = 1_000_000;

/** How many lines may stand under a note; C2SP demands at least 16. */
export const NOTE_SIGNATURES_MAX = 100;

/**
 * Takes a note apart as C2SP signed-note says: UTF-8 without control characters other than the line feed, split at the last blank line, at
 * least one line of a signature. Throws `TlogError`.
 */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > NOTE_BYTES_MAX) throw new TlogError(`the note has ${bytes.length} bytes: at most ${NOTE_BYTES_MAX} are read`);
  const note = decodeText(bytes);
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw new TlogError('the note has no blank line between its text and its signatures');
  const lines = note.slice(split + 2);
  if (!lines.endsWith('\n')) throw new TlogError(lines === '' ? 'the note has no signature' : 'the note does not end with a line feed');
  const signatures = lines.slice(0, -1).split('\n');
  if (signatures.length > NOTE_SIGNATURES_MAX) {
    throw new TlogError(`the note has ${signatures.length} signatures: at most ${NOTE_SIGNATURES_MAX} are read`);
  }
  return { text: note.slice(0, split + 1), signatures: signatures.map(parseSignature) };
}

/** Writes a note: its text, which ends with a line feed, and the signatures under it. */
export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  if (!text.endsWith('\n')) throw new RangeError('the text of a note ends with a line feed');
  return `${text}\n${signatures.map(formatSignature).join('')}`;
}

/** One line under a note, with its line feed. */
export function formatSignature(signature: NoteSignature): string {
  if (!isKeyName(signature.name)) throw new RangeError('this is not the name of a key');
  const bytes = new Uint8Array(ID_BYTES + signature.bytes.length);
  for (let at = 0; at < ID_BYTES; at += 1) bytes[at] = Number.parseInt(signature.id.slice(2 * at, 2 * at + 2), 16);
  bytes.set(signature.bytes, ID_BYTES);
  return `${DASH}${signature.name} ${encodeBase64(bytes)}\n`;
}

/**
 * The lines of the known keys, all of them right. Lines of others are passed over, also when they share only the name or only the id with a
 * known key. Throws `TlogError` when one line of a known key is wrong, or there is none of a known key.
 */
export function openNote(note: Note, keys: readonly VerifierKey[], check: CheckSignature): readonly VerifiedSignature[] {
  return signaturesToCheck(note, keys).map(({ key, time, message, signature }) => {
    if (!check(key.publicKey, message, signature)) throw new TlogError(`the signature of ${key.name} (${key.id}) is wrong`);
    return { key, time };
  });
}

/** What has to be checked of a note, at least one line; for those whose check takes its time. Throws `TlogError` as `openNote` does. */
export function signaturesToCheck(note: Note, keys: readonly VerifierKey[]): readonly SignatureToCheck[] {
  const found = note.signatures.flatMap((line) => {
    const known = keys.filter((key) => key.name === line.name && key.id === line.id);
    return known.map((key) => toCheck(note.text, line, key));
  });
  if (found.length > 0) return found;
  const names = note.signatures.slice(0, NAMES_SHOWN).map((line) => `${line.name.slice(0, NAME_SHOWN)} (${line.id})`);
  throw new TlogError(
    `none of the known keys signed the note: under it are ${names.join(', ')}${note.signatures.length > NAMES_SHOWN ? ', …' : ''}`,
  );
}

function toCheck(text: string, line: NoteSignature, key: VerifierKey): SignatureToCheck {
  if (key.algorithm === 4) {
    const { time, signature } = parseCosignature(line.bytes);
    return { key, time, message: cosignatureMessage(time, text), signature };
  }
  if (line.bytes.length !== SIGNATURE_BYTES) {
    throw new TlogError(`the signature of ${key.name} (${key.id}) has ${line.bytes.length} bytes, not ${SIGNATURE_BYTES}`);
  }
  return { key, time: null, message: new TextEncoder().encode(text), signature: line.bytes };
}

function decodeText(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new TlogError('the note is not UTF-8');
  }
  const control = bytes.findIndex((byte) => byte < SPACE && byte !== LINE_FEED);
  if (control >= 0) throw new TlogError(`the note has a control character at byte ${control}`);
  return text;
}

function parseSignature(line: string, place: number): NoteSignature {
  const [, name = '', encoded = ''] = LINE.exec(line) ?? [];
  const bytes = decodeBase64(encoded);
  if (!isKeyName(name) || bytes === null || bytes.length <= ID_BYTES) {
    throw new TlogError(`line ${place + 1} of the signatures is not "${DASH}name base64"`);
  }
  const id = Array.from(bytes.subarray(0, ID_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { name, id, bytes: bytes.slice(ID_BYTES) };
}

const DASH = '\u2014 ';
const ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
const NAMES_SHOWN = 4;
const NAME_SHOWN = 80;
const SPACE = 0x20;
const LINE_FEED = 0x0a;
const LINE = /^\u2014 ([^ ]+) ([A-Za-z0-9+/=]+)$/;
