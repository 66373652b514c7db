import type { Config, LedgerConfig } from '../config/config.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Disk, Random } from '../contracts/ports.ts';
import { keyStoreOf } from '../pipeline/keys.ts';
import { openDisk } from '../runtime/disk.ts';
import { keyFile, nextFiles, verifierFile } from '../tree/key-store.ts';
import { type KeyUse, makeSigningKey, openSigner, SEED_BYTES } from '../tree/signing-key.ts';
import { fileMode, readText, removeFile, writeNewFile } from './machine.ts';

const USES: readonly KeyUse[] = ['log', 'freshness'];

/** What others than the owner must not be able to do with a private key: its group may write it, everybody else may do anything. */
const EXPOSED = 0o027;
/** What is a risk and has its uses, such as secrets that are mounted for a group: its group may read it. */
const SHARED = 0o040;

/** The public halves of the keys of a log: verifier keys of C2SP signed notes. */
export interface VerifierKeys {
  readonly log: string;
  readonly freshness: string;
}

/** The private keys that lie in files. */
export function keyFilesOf({ keys }: Pick<LedgerConfig, 'keys'>): readonly string[] {
  return keys.from === 'directory' ? [...USES.map((use) => keyFile(keys.path, use)), nextFiles(keys.path).key] : [];
}

/**
 * Makes the keys of a log that are not there yet, mode 0600, with their verifier keys beside them. Gives the paths of what was made; keys
 * that are there are left alone. Keys that the configuration holds itself are nobody's to make.
 */
export async function makeKeys({ origin, keys }: LedgerConfig, ports: { disk: Disk; random: Random }): Promise<readonly string[]> {
  if (keys.from !== 'directory') return [];
  const { path } = keys;
  await ports.disk.makeDirectory(path);
  const made = USES.map((use) => keyFile(path, use)).filter((file, place) => {
    const text = makeSigningKey(origin, USES[place] ?? 'log', ports.random.bytes(SEED_BYTES));
    return writeNewFile(file, `${text}\n`, 0o600);
  });
  const verifiers = await verifierKeys({ origin, keys }, ports.disk);
  return [
    ...made,
    ...USES.map((use) => verifierFile(path, use)).filter((file, place) => {
      return writeNewFile(file, `${verifiers[USES[place] ?? 'log']}\n`, 0o644);
    }),
  ];
}

/** A key that was made to take over from another one. */
export interface MadeNext {
  /** The verifier key that signs now; `null` where the private key is gone and its verifier key with it. */
  readonly old: string | null;
  readonly next: string;
  /** False when the next key was there already. */
  readonly made: boolean;
}

/**
 * Makes the key that takes over at the next start. With `lost` it takes the place of a key that is gone at once, so the next start cannot
 * prove by the old one that it does. Rejects with `KEY_ROTATION_REFUSED`; a key that is there is never written over.
 */
export function makeNextKey({ origin, keys }: LedgerConfig, random: Random, lost: boolean): MadeNext {
  if (keys.from !== 'directory') {
    const how = lost ? 'put the new one into `ledger.keys.log` and the verifier key of the old one into' : 'put a second one into';
    throw refused(`the keys come from the configuration: ${how} \`ledger.keys.${lost ? 'lost' : 'next'}\``);
  }
  const files = nextFiles(keys.path);
  const place = lost ? keyFile(keys.path, 'log') : files.key;
  const verifier = lost ? verifierFile(keys.path, 'log') : files.verifier;
  const old = readText(verifierFile(keys.path, 'log'))?.trim() ?? null;
  if (lost && readText(place) !== null)
    throw refused(`${place} is there: leave \`--lost\` out to hand over from it, or move it away if it is not the key of this log`);
  if (!lost && readText(keyFile(keys.path, 'log')) === null)
    throw refused(`${keyFile(keys.path, 'log')} is not there: put it back from its copy, or add \`--lost\` if it is gone for good`);
  const text = makeSigningKey(origin, 'log', random.bytes(SEED_BYTES));
  const next = openSigner(text, { origin, use: 'log', place }).verifierKey;
  if (lost) {
    // The key comes last: whoever is interrupted before that does it again, with another key.
    for (const path of [verifier, files.lost]) {
      removeFile(path);
      writeNewFile(path, `${next}\n`, 0o644);
    }
  }
  const made = writeNewFile(place, `${text}\n`, 0o600);
  const there = made ? next : openSigner(readText(place) ?? '', { origin, use: 'log', place }).verifierKey;
  writeNewFile(verifier, `${there}\n`, 0o644);
  return { old, next: there, made };
}

function refused(message: string): WaybillError {
  return new WaybillError('KEY_ROTATION_REFUSED', message);
}

/** The verifier keys of a log. Rejects with `KEYS_MISSING` or `KEY_INVALID`. */
export async function verifierKeys(ledger: Pick<LedgerConfig, 'origin' | 'keys'>, disk: Disk): Promise<VerifierKeys> {
  const { log, freshness } = await keyStoreOf(ledger, disk).load();
  return { log: log.verifierKey, freshness: freshness.verifierKey };
}

/** Rejects with `KEYS_EXPOSED` when others may read or replace a private key of the log. */
export function refuseExposedKeys({ ledger }: Config): void {
  refuseExposedFiles(keyFilesOf(ledger));
}

/** The same for any files of private keys. */
export function refuseExposedFiles(paths: readonly string[]): void {
  for (const path of paths) {
    const mode = fileMode(path);
    if (mode === null || (mode & EXPOSED) === 0) continue;
    throw new WaybillError('KEYS_EXPOSED', `others may use ${path} (mode ${(mode & 0o777).toString(8)})`);
  }
}

/** Private keys that the group of their owner may read: one line each. */
export function sharedKeys({ ledger }: Config): readonly string[] {
  return keyFilesOf(ledger).flatMap((path) => {
    const mode = fileMode(path);
    if (mode === null || (mode & SHARED) === 0) return [];
    return [`the group of its owner may read ${path} (mode ${(mode & 0o777).toString(8)}); run \`chmod 600\` on it`];
  });
}

/** What `check` says about the keys. */
export interface CheckedKeys {
  /** `null` when they cannot be used. */
  readonly verifiers: VerifierKeys | null;
  readonly errors: readonly WaybillError[];
  readonly warnings: readonly string[];
}

/** Looks at the keys of a log. Keys that are not there yet are no mistake of the configuration. */
export async function checkKeys(config: Config): Promise<CheckedKeys> {
  const disk = openDisk();
  try {
    refuseExposedKeys(config);
    return { verifiers: await verifierKeys(config.ledger, disk), errors: [], warnings: [] };
  } catch (error) {
    if (!isWaybillError(error)) throw error;
    if (error.code !== 'KEYS_MISSING') return { verifiers: null, errors: [error], warnings: [] };
    return { verifiers: null, errors: [], warnings: [`${error.message}; \`waybill init\` makes the keys of a new log`] };
  } finally {
    await disk.close();
  }
}
