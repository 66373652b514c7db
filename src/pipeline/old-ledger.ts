import type { Ports } from '../contracts/ports.ts';
import { asIndex } from '../contracts/units.ts';
import { openEmbeddedLedger } from '../ledger/embedded/embedded.ts';
import type { KeptEntry } from './restore.ts';

const LIMITS = { entries: 1_024, bytes: 1 << 20 };
/** Nothing is appended to it. */
const NO_SPACE = { limitBytes: null, segmentBytes: 64 << 20, reservedBytes: 0 };

/** The entries of a ledger that was moved away, as far as it is whole. It is held as long as it is read, so that nobody writes to it. */
export async function* entriesOfLedger(
  path: string,
  origin: string,
  ports: Pick<Ports, 'disk' | 'clock' | 'random' | 'log'>,
): AsyncGenerator<KeptEntry> {
  const ledger = await openEmbeddedLedger({ origin, path, ...NO_SPACE }, ports);
  try {
    for (let at: number = ledger.beginning(); at < ledger.size(); ) {
      const { count, bytes, starts, ends } = await ledger.read(asIndex(at), LIMITS);
      for (let k = 0; k < count; k += 1) yield { index: asIndex(at + k), bytes: bytes.subarray(starts[k], ends[k]) };
      at += count;
    }
  } finally {
    await ledger.close();
  }
}
