import { hash } from 'node:crypto';
import type { Envelope } from './envelope.ts';

/** How full the table may be before it doubles. */
const FULL = 0.7;

/** How many 32-bit words of SHA-256 stand for an identity: two identities with the same 96 bits are not met by chance or by intent. */
const WORDS = 3;

/**
 * Which identities were seen: 12 bytes for each in a table that doubles, so up to 35 bytes for an entry, and half as much again while it
 * grows. For ten million entries that is about 200 MiB.
 */
export class IdentitySet {
  #slots = 1 << 16;
  #words = new Uint32Array(this.#slots * WORDS);
  #count = 0;
  #input: Buffer = Buffer.alloc(1_024);

  /** Adds the identity of an entry. False when it was there before. */
  add(bytes: Uint8Array, { sourceStart, sourceEnd, idStart, idEnd }: Envelope): boolean {
    const length = sourceEnd - sourceStart + 1 + idEnd - idStart;
    if (this.#input.length < length) this.#input = Buffer.alloc(2 * length);
    this.#input.set(bytes.subarray(sourceStart, sourceEnd));
    // A source's name never holds this byte, so that name and identity cannot be mixed up.
    this.#input[sourceEnd - sourceStart] = 0;
    this.#input.set(bytes.subarray(idStart, idEnd), sourceEnd - sourceStart + 1);
    const digest = hash('sha256', this.#input.subarray(0, length), 'buffer');
    // All zeros stand for an empty slot.
    const words: [number, number, number] = [digest.readUInt32LE(0) | 1, digest.readUInt32LE(4), digest.readUInt32LE(8)];
    if (!this.#put(words[0] >>> 0, words[1], words[2])) return false;
    this.#count += 1;
    if (this.#count > this.#slots * FULL) this.#grow();
    return true;
  }

  #put(a: number, b: number, c: number): boolean {
    for (let slot = b % this.#slots; ; slot = (slot + 1) % this.#slots) {
      const at = slot * WORDS;
      if (this.#words[at] === 0) {
        this.#words[at] = a;
        this.#words[at + 1] = b;
        this.#words[at + 2] = c;
        return true;
      }
      if (this.#words[at] === a && this.#words[at + 1] === b && this.#words[at + 2] === c) return false;
    }
  }

  #grow(): void {
    const before = this.#words;
    this.#slots *= 2;
    this.#words = new Uint32Array(this.#slots * WORDS);
    for (let at = 0; at < before.length; at += WORDS) {
      if (before[at] !== 0) this.#put(before[at] as number, before[at + 1] as number, before[at + 2] as number);
    }
  }
}
