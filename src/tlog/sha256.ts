import type { Hash } from './hash.ts';

/**
 * SHA-256, FIPS 180-4, written out: for where the platform has none that answers at once, as in a page. Elsewhere the platform's own is
 * many times quicker.
 */
export function sha256(input: Uint8Array): Hash {
  const state = new Uint32Array(START);
  const whole = input.length - (input.length % BLOCK_BYTES);
  for (let at = 0; at < whole; at += BLOCK_BYTES) compress(state, input, at);
  // The rest, a one, zeros, and the length in bits: one block, or two.
  const rest = input.length - whole;
  const last = new Uint8Array(rest + 9 > BLOCK_BYTES ? 2 * BLOCK_BYTES : BLOCK_BYTES);
  last.set(input.subarray(whole));
  last[rest] = 0x80;
  new DataView(last.buffer).setBigUint64(last.length - 8, BigInt(input.length) * 8n);
  for (let at = 0; at < last.length; at += BLOCK_BYTES) compress(state, last, at);
  let hash = '';
  for (const word of state) hash += String.fromCharCode(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff);
  return hash;
}

/** Section 6.2.2: one block into the state. Additions wrap at 32 bits when they are stored. */
function compress(state: Uint32Array, bytes: Uint8Array, at: number): void {
  for (let t = 0; t < 16; t += 1) {
    const from = at + 4 * t;
    schedule[t] = (byteOf(bytes, from) << 24) | (byteOf(bytes, from + 1) << 16) | (byteOf(bytes, from + 2) << 8) | byteOf(bytes, from + 3);
  }
  for (let t = 16; t < 64; t += 1) {
    const a = wordOf(schedule, t - 15);
    const b = wordOf(schedule, t - 2);
    const low = rotated(a, 7) ^ rotated(a, 18) ^ (a >>> 3);
    const high = rotated(b, 17) ^ rotated(b, 19) ^ (b >>> 10);
    schedule[t] = wordOf(schedule, t - 16) + low + wordOf(schedule, t - 7) + high;
  }
  let a = wordOf(state, 0);
  let b = wordOf(state, 1);
  let c = wordOf(state, 2);
  let d = wordOf(state, 3);
  let e = wordOf(state, 4);
  let f = wordOf(state, 5);
  let g = wordOf(state, 6);
  let h = wordOf(state, 7);
  for (let t = 0; t < 64; t += 1) {
    const sum =
      (h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + wordOf(ROUNDS, t) + wordOf(schedule, t)) | 0;
    const other = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + sum) | 0;
    d = c;
    c = b;
    b = a;
    a = (sum + other) | 0;
  }
  state[0] = wordOf(state, 0) + a;
  state[1] = wordOf(state, 1) + b;
  state[2] = wordOf(state, 2) + c;
  state[3] = wordOf(state, 3) + d;
  state[4] = wordOf(state, 4) + e;
  state[5] = wordOf(state, 5) + f;
  state[6] = wordOf(state, 6) + g;
  state[7] = wordOf(state, 7) + h;
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function byteOf(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function wordOf(words: Uint32Array, at: number): number {
  return words[at] ?? 0;
}

/** The first 32 bits of the fractional part of the `root`-th root of the first `count` primes: sections 4.2.2 and 5.3.3. */
function primeRoots(root: 2n | 3n, count: number): Uint32Array {
  const primes: bigint[] = [];
  for (let n = 2n; primes.length < count; n += 1n) if (primes.every((prime) => n % prime !== 0n)) primes.push(n);
  return Uint32Array.from(primes, (prime) => Number(integerRoot(prime << (32n * root), root) & 0xffff_ffffn));
}

/** The largest integer whose `root`-th power is not above `value`. */
function integerRoot(value: bigint, root: bigint): bigint {
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (middle ** root <= value) low = middle;
    else high = middle;
  }
  return low;
}

const BLOCK_BYTES = 64;
const START = primeRoots(2n, 8);
const ROUNDS = primeRoots(3n, 64);
// Hashing is synchronous, so one schedule serves every call.
const schedule = new Uint32Array(64);
