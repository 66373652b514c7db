import { randomFillSync } from 'node:crypto';
import type { Random } from '../contracts/ports.ts';

/** Bytes that are fetched from the operating system at once: a small request is then a copy. */
const POOL_BYTES = 16_384;

/** Chance from the operating system. `next` is for jitter; `bytes` is fit for identities and tokens. */
export function openRandom(): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return {
    next: () => Math.random(),
    bytes(count) {
      if (count > POOL_BYTES / 4) return randomFillSync(new Uint8Array(count));
      if (used + count > POOL_BYTES) {
        randomFillSync(pool);
        used = 0;
      }
      const taken = pool.slice(used, used + count);
      // What was handed out must not stay readable here: it may become a token.
      pool.fill(0, used, used + count);
      used += count;
      return taken;
    },
  };
}
