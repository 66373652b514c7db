import { codecs } from '../codecs/table.ts';
import type { Config } from '../config/config.ts';
import { faultText } from '../config/faults.ts';
import type { Adapters } from '../config/json-schema.ts';
import { type ConfigReading, readConfig } from '../config/read-config.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import { readEnvironment } from '../runtime/environment.ts';
import { sinks } from '../sinks/table.ts';
import { sources } from '../sources/table.ts';
import { absolutePath, readText } from './machine.ts';

/** Everything that a configuration can name. */
export const adapters: Adapters = { sinks, sources, codecs };

/** Reads the configuration file, or lists what is wrong in it. Rejects with `CONFIG_MISSING` when there is none. */
export function readConfigFile(path: string): ConfigReading {
  const file = absolutePath(path);
  const text = readText(file);
  if (text === null) throw new WaybillError('CONFIG_MISSING', `there is no configuration at ${file}`);
  const variables = readEnvironment();
  return readConfig(text, file, { environment: (name) => variables[name] ?? null, file: readSecret }, adapters);
}

/** Reads the configuration file. Rejects with `CONFIG_MISSING`, or with `CONFIG_INVALID` and all of its mistakes. */
export function loadConfig(path: string): Config {
  const reading = readConfigFile(path);
  if (reading.ok) return reading.config;
  throw new WaybillError('CONFIG_INVALID', reading.faults.map(faultText).join('\n'));
}

/** Reads the file of a secret. One that cannot be read is a mistake at its place in the configuration, like one that is not there. */
export function readSecret(path: string): string | null {
  try {
    return readText(path);
  } catch (error) {
    if (isWaybillError(error)) return null;
    throw error;
  }
}
