import { dirname } from 'node:path';
import { faultText } from '../config/faults.ts';
import { readWitnessConfig, type WitnessConfig } from '../config/read-witness-config.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import { readEnvironment } from '../runtime/environment.ts';
import { openPorts } from '../runtime/ports.ts';
import { makeNamedKey, openNamedSigner, SEED_BYTES } from '../tree/signing-key.ts';
import { stateFile } from '../witness/state-file.ts';
import { createWitness } from '../witness/witness.ts';
import { refuseExposedFiles } from './key-files.ts';
import { readSecret } from './load-config.ts';
import { absolutePath, readText, writeNewFile } from './machine.ts';

/** How a cosigner signs, C2SP tlog-cosignature. */
const COSIGNATURE = 4;

/** What `waybill witness init` has found and made. */
export interface InitializedWitness {
  readonly config: WitnessConfig;
  readonly verifierKey: string;
  /** What was made by this call; what was there already stays as it is. */
  readonly made: readonly string[];
}

/** Reads the configuration of a witness. Rejects with `CONFIG_MISSING`, or with `CONFIG_INVALID` and all of its mistakes. */
export function loadWitnessConfig(path: string): WitnessConfig {
  const file = absolutePath(path);
  const text = readText(file);
  if (text === null) {
    throw new WaybillError('CONFIG_MISSING', `there is no configuration of a witness at ${file}; \`waybill witness init\` writes one`);
  }
  const variables = readEnvironment();
  const reading = readWitnessConfig(text, file, { environment: (name) => variables[name] ?? null, file: readSecret });
  if (reading.ok) return reading.config;
  throw new WaybillError('CONFIG_INVALID', reading.faults.map(faultText).join('\n'));
}

/** The signer of a witness. Rejects with `WITNESS_KEY_INVALID`, or with `KEYS_EXPOSED` where others may read the file of its key. */
export function witnessSigner({ name, key, file }: WitnessConfig): Signer {
  const place = key.from === 'file' ? key.path : `\`key\` in ${file}`;
  const text = key.from === 'file' ? readText(key.path) : key.text;
  if (text === null) throw new WaybillError('WITNESS_KEY_INVALID', `there is no key of ${name} at ${place}`);
  if (key.from === 'file') refuseExposedFiles([key.path]);
  try {
    return openNamedSigner(text, { name, algorithm: COSIGNATURE, place });
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'KEY_INVALID') throw error;
    throw new WaybillError('WITNESS_KEY_INVALID', error.message, { cause: error });
  }
}

/** Makes what a witness needs and does not have yet: a starter configuration, its key, and its empty state. */
export async function initWitness(path: string, name: string): Promise<InitializedWitness> {
  const file = absolutePath(path);
  const made: string[] = [];
  const ports = await openPorts({ logLevel: 'error' });
  try {
    if ((await ports.disk.length(file)) === null) {
      await ports.disk.makeDirectory(dirname(file));
      if (writeNewFile(file, starter(name), 0o644)) made.push(file);
    }
    const config = loadWitnessConfig(file);
    const { key } = config;
    // A key that is there has signed: an empty state beside it would be one that has forgotten what.
    if (key.from === 'file' && readText(key.path) !== null && (await ports.disk.length(stateFile(config.path))) === null) {
      throw new WaybillError('WITNESS_MISSING', `there is a key at ${key.path}, and no state at ${stateFile(config.path)}`);
    }
    if (await createWitness({ directory: config.path, name: config.name, ports })) made.push(config.path);
    if (key.from === 'file') {
      await ports.disk.makeDirectory(dirname(key.path));
      const text = makeNamedKey(config.name, COSIGNATURE, ports.random.bytes(SEED_BYTES));
      if (writeNewFile(key.path, `${text}\n`, 0o600)) made.push(key.path);
    }
    const { verifierKey } = witnessSigner(config);
    return { config, verifierKey, made };
  } finally {
    await ports.close();
  }
}

function starter(name: string): string {
  return `# A Waybill witness: it signs a head of a log only if the head continues the one that it signed before.
# Every key: \`waybill schema witness\`, or docs/configuration.md. Run it on another host than the logs.
name: ${name}   # choose it once: it is the name of the key
listen: 127.0.0.1:8410
path: ./witness-data
key_file: ./witness.key
logs: []
  # - vkeys: ["acme.example/audit+1a2b3c4d+AeXAMPLe…"]   # \`waybill key show\` on the host of the log
`;
}
