import { hash } from 'node:crypto';
import { dirname, resolve, sep } from 'node:path';
import { TlogError } from '../tlog/error.ts';
import { parseVerifierKey, type VerifierKey } from '../tlog/key.ts';
import type { ListenerConfig, LogLevel } from './config.ts';
import { type ConfigFault, fit, type PathFault, placeFaults, yamlFaults } from './faults.ts';
import { jsonSchemaOf } from './json-schema.ts';
import { changeMarked } from './marks.ts';
import { type ConfigPath, readYaml } from './places.ts';
import { type Readers, replaceReferences } from './references.ts';
import { type WitnessKeys, witnessFile } from './witness-schema.ts';

/** The configuration of a witness, read and checked: every path is absolute. */
export interface WitnessConfig {
  /** The absolute path of the file that it was read from. */
  readonly file: string;
  readonly name: string;
  readonly listener: ListenerConfig;
  readonly path: string;
  readonly key: WitnessKeyConfig;
  readonly logs: readonly { readonly origin: string; readonly keys: readonly VerifierKey[] }[];
  readonly logLevel: LogLevel;
}

/** Where the private key of a witness is: a file, or the text itself. */
export type WitnessKeyConfig = { readonly from: 'file'; readonly path: string } | { readonly from: 'configuration'; readonly text: string };

/** The configuration of a witness, or every mistake that was found in it, in the order of the file. */
export type WitnessReading =
  | { readonly ok: true; readonly config: WitnessConfig }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

/** Reads `witness.yaml` as `waybill.yaml` is read: parsed first, references replaced in strings only, then everything is checked. */
export function readWitnessConfig(text: string, file: string, readers: Readers): WitnessReading {
  const yaml = readYaml(text);
  const broken = yamlFaults(file, yaml);
  if (broken.length > 0) return { ok: false, faults: broken };
  const directory = dirname(file);
  const { value, faults: missing } = replaceReferences(yaml.value, readers, (path) => resolve(directory, path));
  const absolute = changeMarked(jsonSchemaOf(witnessFile), value, 'path', (path) =>
    typeof path === 'string' && path !== '' ? resolve(directory, path) : path,
  );
  const fitted = fit(witnessFile, absolute ?? {}, []);
  const unresolved = new Set(missing.map(({ path }) => path.join('.')));
  const faults = [
    ...missing.map(({ path, message }) => fault(path, message)),
    ...(fitted.ok ? [] : fitted.faults.filter(({ path }) => !unresolved.has(path.join('.')))),
  ];
  if (!fitted.ok || faults.length > 0) return { ok: false, faults: placeFaults(file, yaml, faults) };
  const found: PathFault[] = [];
  const config = configOf(file, fitted.value, found);
  return found.length > 0 ? { ok: false, faults: placeFaults(file, yaml, found) } : { ok: true, config };
}

function configOf(file: string, keys: WitnessKeys, faults: PathFault[]): WitnessConfig {
  const { name, listen, tls, path, key_file: keyFile, key, logs: entries, log_level: logLevel } = keys;
  if (key !== undefined && keyFile !== undefined) faults.push(fault(['key_file'], 'there is `key` too: one of them is enough'));
  const keyPath = keyFile ?? resolve(dirname(file), 'witness.key');
  if (key === undefined && (keyPath === path || keyPath.startsWith(`${path}${sep}`)))
    faults.push(fault(['key_file'], 'it is inside `path`: a copy of that directory would carry the key'));
  const logs = entries.map(({ vkeys, origin }, at) => {
    const parsed = vkeys.flatMap((vkey, k) => verifierKey(vkey, ['logs', at, 'vkeys', k], faults));
    return { origin: origin ?? parsed[0]?.name ?? '', keys: parsed };
  });
  for (const [at, { origin }] of logs.entries()) {
    if (logs.findIndex((log) => log.origin === origin) < at) faults.push(fault(['logs', at], `the log ${origin} is there twice`));
  }
  return {
    file,
    name,
    listener: {
      listen,
      serve: [],
      tls: tls === undefined ? null : { cert: tls.cert, key: tls.key, clientCa: tls.client_ca ?? null, clientCert: tls.client_cert },
      cleartext: tls === undefined,
    },
    path,
    key: key === undefined ? { from: 'file', path: keyPath } : { from: 'configuration', text: key },
    logs,
    logLevel,
  };
}

function verifierKey(text: string, path: ConfigPath, faults: PathFault[]): readonly VerifierKey[] {
  try {
    return [parseVerifierKey((input) => hash('sha256', input, 'binary'), text)];
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    faults.push(fault(path, error.reason));
    return [];
  }
}

function fault(path: ConfigPath, message: string): PathFault {
  return { path, part: 'value', message, suggestion: null };
}
