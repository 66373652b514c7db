import { WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import type { Disk } from '../contracts/ports.ts';
import { type KeyUse, openSigner } from './signing-key.ts';

/** The signers of a log. */
export interface LogSigners {
  readonly log: Signer;
  readonly freshness: Signer;
}

/** Where the private keys of a log are kept. A device that never shows them is one more implementation. */
export interface KeyStore {
  /** Rejects with `KEYS_MISSING` or `KEY_INVALID`. */
  load(): Promise<LogSigners>;
}

/** The file of a private key in a directory of keys. */
export function keyFile(directory: string, use: KeyUse): string {
  return `${directory}/${use}.key`;
}

/** The file of the verifier key beside it. */
export function verifierFile(directory: string, use: KeyUse): string {
  return `${directory}/${use}.vkey`;
}

/** Keys in the files of a directory. */
export function directoryKeys(directory: string, origin: string, disk: Disk): KeyStore {
  const one = async (use: KeyUse): Promise<Signer> => {
    const place = keyFile(directory, use);
    const text = await readText(disk, place);
    if (text === null) throw new WaybillError('KEYS_MISSING', `there is no key of ${origin} at ${place}`);
    return openSigner(text, { origin, use, place });
  };
  return { load: async () => ({ log: await one('log'), freshness: await one('freshness') }) };
}

/** Keys that the configuration holds itself. */
export function configuredKeys(keys: { readonly log: string; readonly freshness: string }, origin: string): KeyStore {
  const one = (use: KeyUse): Signer => openSigner(keys[use], { origin, use, place: `ledger.keys.${use}` });
  return { load: async () => ({ log: one('log'), freshness: one('freshness') }) };
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
