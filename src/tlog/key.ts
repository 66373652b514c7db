import { decodeBase64, encodeBase64 } from './base64.ts';
import { TlogError } from './error.ts';
import { type Sha256 } from './hash.ts';

/**
 * How a key signs: 1 an Ed25519 signature of the text (C2SP signed-note), 4 an Ed25519 cosignature with the time (C2SP tlog-cosignature).
 */
export type Algorithm = 1 | 4;

/** A public key as C2SP signed-note writes it: `name+id+base64(algorithm || public key)`. */
export interface VerifierKey {
  readonly name: string;
  /** The first four bytes of SHA-256(name || LF || algorithm || public key), as 8 hexadecimal digits. */
  readonly id: string;
  readonly algorithm: Algorithm;
  /** The 32 bytes of an Ed25519 public key, RFC 8032. */
  readonly publicKey: Uint8Array;
}

/** A private key in the form of Go's `sumdb/note`: `PRIVATE+KEY+name+id+base64(algorithm || seed)`. It is a secret. */
export interface SigningKey {
  readonly name: string;
  readonly id: string;
  readonly algorithm: Algorithm;
  /** The 32 bytes that an Ed25519 key pair is made of, RFC 8032. */
  readonly seed: Uint8Array;
}

/** Whether a key may have this name, C2SP signed-note: not empty, and no space as Unicode counts them, no plus, nothing below U+0020. */
export function isKeyName(text: string): boolean {
  return text !== '' && text.isWellFormed() && !NOT_IN_A_NAME.test(text);
}

/** The id of a key: C2SP signed-note recommends it and tlog-cosignature demands it. */
export function keyId(sha256: Sha256, name: string, algorithm: Algorithm, publicKey: Uint8Array): string {
  const label = new TextEncoder().encode(`${name}\n`);
  const input = new Uint8Array(label.length + 1 + publicKey.length);
  input.set(label);
  input[label.length] = algorithm;
  input.set(publicKey, label.length + 1);
  return hexOf(sha256(input).slice(0, 4));
}

/**
 * Reads a verifier key. Throws `TlogError` where it is none, where its id is not that of its key, and for a type of key that is not known.
 */
export function parseVerifierKey(sha256: Sha256, text: string): VerifierKey {
  const { name, id, algorithm, material } = parseKey(text, 'a verifier key');
  if (keyId(sha256, name, algorithm, material) !== id)
    throw new TlogError(`the id ${id} of the verifier key ${name} is not that of its public key`);
  return { name, id, algorithm, publicKey: material };
}

/** Writes a verifier key. */
export function formatVerifierKey(key: VerifierKey): string {
  return `${key.name}+${key.id}+${encodeKey(key.algorithm, key.publicKey)}`;
}

/**
 * Reads a private key. Throws `TlogError` where it is none; what is thrown never holds any of it. Whether the id is that of the key is
 * checked by whoever makes the public key from the seed.
 */
export function parseSigningKey(text: string): SigningKey {
  if (!text.startsWith(PRIVATE)) throw new TlogError(`this is not a private key: one begins with ${PRIVATE}`);
  const { name, id, algorithm, material } = parseKey(text.slice(PRIVATE.length), 'a private key');
  return { name, id, algorithm, seed: material };
}

/** Writes a private key. */
export function formatSigningKey(key: SigningKey): string {
  return `${PRIVATE}${key.name}+${key.id}+${encodeKey(key.algorithm, key.seed)}`;
}

interface KeyParts {
  readonly name: string;
  readonly id: string;
  readonly algorithm: Algorithm;
  readonly material: Uint8Array;
}

function parseKey(text: string, what: string): KeyParts {
  const parts = KEY.exec(text);
  const [, name = '', id = '', encoded = ''] = parts ?? [];
  const bytes = decodeBase64(encoded);
  if (parts === null || !isKeyName(name) || bytes === null)
    throw new TlogError(`this is not ${what}: it has the form name+12345678+base64`);
  const algorithm = bytes[0];
  if (algorithm !== 1 && algorithm !== 4)
    throw new TlogError(`the key ${name} has the type ${algorithm ?? 'none'}: known are 1 (Ed25519) and 4 (cosignature/v1)`);
  if (bytes.length !== 1 + ED25519_BYTES)
    throw new TlogError(`the key ${name} has ${bytes.length - 1} bytes: an Ed25519 key has ${ED25519_BYTES}`);
  return { name, id, algorithm, material: bytes.slice(1) };
}

function encodeKey(algorithm: Algorithm, material: Uint8Array): string {
  const bytes = new Uint8Array(1 + material.length);
  bytes[0] = algorithm;
  bytes.set(material, 1);
  return encodeBase64(bytes);
}

function hexOf(latin1: string): string {
  return Array.from(latin1, (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

const PRIVATE = 'PRIVATE+KEY+';
const ED25519_BYTES = 32;
const KEY = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/;
const NOT_IN_A_NAME = /[\p{White_Space}+]|[^ -\u{10ffff}]/u;
