import type { LedgerConfig } from '../config/config.ts';
import type { Disk } from '../contracts/ports.ts';
import { configuredKeys, directoryKeys, type KeyStore } from '../tree/key-store.ts';

/** Where the keys of a log are kept, by its configuration. Nothing is read before they are loaded. */
export function keyStoreOf({ origin, keys }: Pick<LedgerConfig, 'origin' | 'keys'>, disk: Disk): KeyStore {
  return keys.from === 'directory' ? directoryKeys(keys.path, origin, disk) : configuredKeys(keys, origin);
}
