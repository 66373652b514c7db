import type { Random } from '../../src/contracts/ports.ts';

/** A stream of chance that is fully decided by a seed and a label, so that one concern never disturbs the draws of another. */
export interface Chance extends Random {
  /** A whole number in [low, high]. */
  int(low: number, high: number): number;
  /** A number in [low, high), small ones as likely per octave as large ones. */
  logarithmic(low: number, high: number): number;
  /** True with this probability. */
  hit(probability: number): boolean;
  /** One of the values. */
  pick<Value>(values: readonly Value[]): Value;
  /** A stream of its own for one concern; the same label of the same seed always gives the same stream. */
  fork(label: string): Chance;
}

/** Makes the stream of a seed. The generator is sfc32, which passes PractRand; its state is filled by splitmix32. */
export function createChance(seed: number, label = 'root'): Chance {
  const next = sfc32(mix(seed, label));
  const chance: Chance = {
    next,
    bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)),
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    logarithmic: (low, high) => low * (high / low) ** next(),
    hit: (probability) => next() < probability,
    pick: (values) => values[Math.floor(next() * values.length)] as (typeof values)[number],
    fork: (name) => createChance(seed, `${label}/${name}`),
  };
  return chance;
}

/** A short hash of text by FNV-1a, for decisions that must stay the same wherever they are asked. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

function mix(seed: number, label: string): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ hashText(label)) >>> 0;
}

function sfc32(seed: number): () => number {
  let fill = seed;
  const word = (): number => {
    fill = (fill + 0x9e3779b9) | 0;
    let mixed = Math.imul(fill ^ (fill >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
  let a = word();
  let b = word();
  let c = word();
  let counter = 1;
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return (sum >>> 0) / 4_294_967_296;
  };
}
