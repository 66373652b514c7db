import { WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import type { Disk } from '../contracts/ports.ts';
import { type KeyUse, openSigner } from './signing-key.ts';

/** The signers of a log. */
export interface LogSigners {
  readonly log: Signer;
  readonly freshness: Signer;
  /** The key that `log` is to hand over to; `null`: none. */
  readonly next: Signer | null;
  /**
   * Set when `log` takes over from a key that is gone: the verifier key of either of them, so that this is said for one change only.
   * `null`: it does not.
   */
  readonly lost: string | null;
}

/** Where the private keys of a log are kept. A device that never shows them is one more implementation. */
export interface KeyStore {
  /** Rejects with `KEYS_MISSING` or `KEY_INVALID`. */
  load(): Promise<LogSigners>;
  /** `next` signs alone from now on, or `log` instead of the one that was lost: makes it the key of `log`, durably; the old one is gone. */
  adopt(): Promise<void>;
}

/** The file of a private key in a directory of keys. */
export function keyFile(directory: string, use: KeyUse): string {
  return `${directory}/${use}.key`;
}

/** The file of the verifier key beside it. */
export function verifierFile(directory: string, use: KeyUse): string {
  return `${directory}/${use}.vkey`;
}

/** The file of the key that is to take over, of its verifier key, and the mark of one that takes over from a key that is gone. */
export function nextFiles(directory: string): { readonly key: string; readonly verifier: string; readonly lost: string } {
  return { key: `${directory}/log.next.key`, verifier: `${directory}/log.next.vkey`, lost: `${directory}/log.lost` };
}

/** Keys in the files of a directory. */
export function directoryKeys(directory: string, origin: string, disk: Disk): KeyStore {
  const next = nextFiles(directory);
  const one = async (use: KeyUse): Promise<Signer> => {
    const place = keyFile(directory, use);
    const text = await readText(disk, place);
    if (text === null) throw new WaybillError('KEYS_MISSING', `there is no key of ${origin} at ${place}`);
    return openSigner(text, { origin, use, place });
  };
  return {
    async load() {
      const text = await readText(disk, next.key);
      return {
        log: await one('log'),
        freshness: await one('freshness'),
        next: text === null ? null : openSigner(text, { origin, use: 'log', place: next.key }),
        lost: (await readText(disk, next.lost))?.trim() ?? null,
      };
    },
    async adopt() {
      // The key itself is renamed last: until then a start finds both, and does this again.
      if ((await disk.length(next.verifier)) !== null) await disk.rename(next.verifier, verifierFile(directory, 'log'));
      if ((await disk.length(next.key)) !== null) await disk.rename(next.key, keyFile(directory, 'log'));
      await disk.remove(next.lost);
      await disk.syncDirectory(directory);
    },
  };
}

/** Keys that the configuration holds itself. */
export interface ConfiguredKeys {
  readonly log: string;
  readonly freshness: string;
  readonly next: string | null;
  readonly lost: string | null;
}

/** The same from the configuration. Who wrote it there has to take the old key out. */
export function configuredKeys(keys: ConfiguredKeys, origin: string): KeyStore {
  const one = (use: KeyUse, key: 'log' | 'freshness' | 'next', text: string): Signer =>
    openSigner(text, { origin, use, place: `ledger.keys.${key}` });
  return {
    load: async () => ({
      log: one('log', 'log', keys.log),
      freshness: one('freshness', 'freshness', keys.freshness),
      next: keys.next === null ? null : one('log', 'next', keys.next),
      lost: keys.lost,
    }),
    adopt: async () => {},
  };
}

async function readText(disk: Disk, path: string): Promise<string | null> {
  if ((await disk.length(path)) === null) return null;
  const file = await disk.open(path, 'read');
  try {
    return Buffer.from(await file.read(0, await file.length())).toString('utf8');
  } finally {
    await file.close();
  }
}
