import { hash } from 'node:crypto';
import type { Clock, Random } from '../contracts/ports.ts';

/** Makes identities for events that came without one. */
export interface IdMaker {
  /** Writes a UUID of version 7 (RFC 9562) as text and returns how many bytes it has: always 36. */
  write(into: Buffer, at: number): number;
  /** The same as a string, for the rare event. */
  text(): string;
}

/** How many identities one draw of random bytes serves: a call for each of them would cost more than writing it. */
const DRAW = 256;
const RANDOM_BYTES = 10;
const HEX = Buffer.from('0123456789abcdef');
const DASH = 0x2d;

/** Makes a maker of UUIDs: 48 bits of wall clock and 74 of chance. They are unique; their order means nothing. */
export function createIdMaker(clock: Pick<Clock, 'now'>, random: Pick<Random, 'bytes'>): IdMaker {
  let chance: Uint8Array = new Uint8Array(0);
  let used = 0;
  const raw = new Uint8Array(16);
  const own = Buffer.allocUnsafeSlow(36);

  function write(into: Buffer, start: number): number {
    if (used === chance.length) {
      chance = random.bytes(DRAW * RANDOM_BYTES);
      used = 0;
    }
    let time = Math.max(0, clock.now());
    for (let k = 5; k >= 0; k--) {
      raw[k] = time % 256;
      time = Math.floor(time / 256);
    }
    for (let k = 6; k < 16; k++) raw[k] = chance[used++] as number;
    raw[6] = 0x70 | ((raw[6] as number) & 0x0f);
    raw[8] = 0x80 | ((raw[8] as number) & 0x3f);
    let at = start;
    for (let k = 0; k < 16; k++) {
      if (k === 4 || k === 6 || k === 8 || k === 10) into[at++] = DASH;
      const byte = raw[k] as number;
      into[at++] = HEX[byte >> 4] as number;
      into[at++] = HEX[byte & 15] as number;
    }
    return 36;
  }

  return {
    write,
    text() {
      write(own, 0);
      return own.toString('latin1', 0, 36);
    },
  };
}

/** How many bytes a derived identity has. */
export const DERIVED_ID_BYTES = 47;

/**
 * The identity of the event at `place` of a request with an `Idempotency-Key`: `key_` and the SHA-256 in base64url of the source,
 * the key and the place with a line break between them. The same request sent again gives the same identities.
 */
export function deriveId(source: string, key: string, place: number): string {
  return `key_${hash('sha256', `${source}\n${key}\n${place}`, 'base64url')}`;
}
