import { TlogError } from './error.ts';

/** A cosignature/v1 of C2SP tlog-cosignature: that a head was the largest consistent one seen at a time. */
export interface Cosignature {
  /** In seconds since 1970. */
  readonly time: number;
  /** The 64 bytes of the Ed25519 signature over `cosignatureMessage`. */
  readonly signature: Uint8Array;
}

/** What a cosigner signs: its time and the whole text of the note. */
export function cosignatureMessage(time: number, noteText: string): Uint8Array {
  if (!Number.isSafeInteger(time) || time < 0) throw new RangeError(`${time} is no time of a cosignature`);
  return new TextEncoder().encode(`cosignature/v1\ntime ${time}\n${noteText}`);
}

/** The bytes of a cosignature after the key id: the time as a big-endian u64, and the signature. */
export function encodeCosignature(cosignature: Cosignature): Uint8Array {
  const bytes = new Uint8Array(TIME_BYTES + cosignature.signature.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(cosignature.time));
  bytes.set(cosignature.signature, TIME_BYTES);
  return bytes;
}

/** Reads them. Throws `TlogError` where they are not 72 bytes, or the time is larger than an exact number. */
export function parseCosignature(bytes: Uint8Array): Cosignature {
  if (bytes.length !== TIME_BYTES + SIGNATURE_BYTES) {
    throw new TlogError(`a cosignature has ${TIME_BYTES + SIGNATURE_BYTES} bytes after the key id, not ${bytes.length}`);
  }
  const time = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  if (!Number.isSafeInteger(time)) throw new TlogError('the time of the cosignature is out of range');
  return { time, signature: bytes.slice(TIME_BYTES) };
}

const TIME_BYTES = 8;
const SIGNATURE_BYTES = 64;
