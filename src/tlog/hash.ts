import { decodeBase64, encodeBase64 } from './base64.ts';

/** A SHA-256 hash as a string of 32 characters, one a byte (latin1): the form in which the runtime's hash function is quickest. */
export type Hash = string;

/** SHA-256 of the input. */
export type Sha256 = (input: Uint8Array) => Hash;

/** How many bytes a hash has. */
export const HASH_BYTES = 32;

/** MTH of one leaf, RFC 6962 section 2.1: SHA-256(0x00 || entry). The entry is `bytes[start … end]`. */
export function leafHash(sha256: Sha256, bytes: Uint8Array, start: number, end: number): Hash {
  if (leafInput.length < end - start + 1) leafInput = new Uint8Array(end - start + 1);
  leafInput.set(bytes.subarray(start, end), 1);
  return sha256(leafInput.subarray(0, end - start + 1));
}

/** The hash of an inner node, RFC 6962 section 2.1: SHA-256(0x01 || left || right). */
export function nodeHash(sha256: Sha256, left: Hash, right: Hash): Hash {
  for (let at = 0; at < HASH_BYTES; at += 1) {
    nodeInput[1 + at] = left.charCodeAt(at);
    nodeInput[1 + HASH_BYTES + at] = right.charCodeAt(at);
  }
  return sha256(nodeInput);
}

/** The root of the tree without a leaf, RFC 6962 section 2.1: SHA-256 of nothing. */
export function emptyRoot(sha256: Sha256): Hash {
  return sha256(new Uint8Array(0));
}

/** The 32 bytes of a hash. */
export function hashBytes(hash: Hash): Uint8Array {
  const bytes = new Uint8Array(HASH_BYTES);
  for (let at = 0; at < HASH_BYTES; at += 1) bytes[at] = hash.charCodeAt(at);
  return bytes;
}

/** The hash whose 32 bytes begin at `at`. The caller has checked that they are there. */
export function hashAt(bytes: Uint8Array, at: number): Hash {
  // A spread would take five times as long, and a tile has 256 of them.
  return Reflect.apply(String.fromCharCode, null, bytes.subarray(at, at + HASH_BYTES));
}

/** The hash in base64, as checkpoints and proofs carry it. */
export function encodeHash(hash: Hash): string {
  return encodeBase64(hashBytes(hash));
}

/** The hash that this base64 stands for; `null` unless it is exactly 32 bytes in canonical form. */
export function decodeHash(text: string): Hash | null {
  const bytes = decodeBase64(text);
  return bytes === null || bytes.length !== HASH_BYTES ? null : hashAt(bytes, 0);
}

// Hashing is synchronous, so one input buffer of each kind serves every call without an allocation.
let leafInput = new Uint8Array(65_536);
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);
nodeInput[0] = 1;
