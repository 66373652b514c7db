/** Which identities of one submission become entries, by their order in the run. It is made once and used for every submission. */
export interface PlaceTable {
  /** Forgets everything and makes room for `count` identities. */
  clear(count: number): void;
  /** The order of the entry that has this identity, or -1. The bytes must stay as they are until `clear`. */
  find(bytes: Buffer, start: number, end: number): number;
  /** Adds the identity that `find` has just missed. */
  add(order: number): void;
}

/** Makes a table. `seed` is chance: without it a sender could choose identities that all fall together. */
export function createPlaceTable(seed: number): PlaceTable {
  let size = 0;
  let slots = new Int32Array(0);
  let hashes = new Int32Array(0);
  let starts = new Uint32Array(0);
  let ends = new Uint32Array(0);
  const missed = { slot: 0, hash: 0, start: 0, end: 0 };

  return {
    clear(count) {
      size = 16;
      while (size < count * 2) size *= 2;
      if (slots.length < size) {
        slots = new Int32Array(size);
        hashes = new Int32Array(size);
        starts = new Uint32Array(size);
        ends = new Uint32Array(size);
      }
      slots.fill(0, 0, size);
    },
    find(bytes, start, end) {
      const hash = hashOf(bytes, start, end, seed);
      let slot = hash & (size - 1);
      while (slots[slot] !== 0) {
        if (hashes[slot] === hash && sameBytes(bytes, start, end, starts[slot] as number, ends[slot] as number))
          return (slots[slot] as number) - 1;
        slot = (slot + 1) & (size - 1);
      }
      missed.slot = slot;
      missed.hash = hash;
      missed.start = start;
      missed.end = end;
      return -1;
    },
    add(order) {
      slots[missed.slot] = order + 1;
      hashes[missed.slot] = missed.hash;
      starts[missed.slot] = missed.start;
      ends[missed.slot] = missed.end;
    },
  };
}

function hashOf(bytes: Buffer, start: number, end: number, seed: number): number {
  let hash = seed | 0;
  for (let at = start; at < end; at++) {
    hash = Math.imul(hash ^ (bytes[at] as number), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
  return hash ^ (hash >>> 15);
}

function sameBytes(bytes: Buffer, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let at = start, other = otherStart; at < end; at++, other++) if (bytes[at] !== bytes[other]) return false;
  return true;
}
