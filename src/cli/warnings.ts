import { readTls } from '../api/tls.ts';
import type { Config } from '../config/config.ts';
import { isLoopback } from '../config/keys.ts';
import { isWaybillError, type WaybillError } from '../contracts/errors.ts';
import { openClock } from '../runtime/clock.ts';
import { openDisk } from '../runtime/disk.ts';
import { sharedKeys } from './key-files.ts';
import { fileMode } from './machine.ts';

const DAY_MS = 86_400_000;
/** How long before its end a token is warned of. */
const WARN_MS = 14 * DAY_MS;
/** What others than the owner of a file may do with it. */
const OTHERS = 0o077;

/** What is allowed in this configuration and still a risk: what can be read by others, and what ends soon. One line each. */
export function warningsOf(config: Config): readonly string[] {
  const now = openClock().now();
  const { listeners, tokens, client } = config.api;
  const secrets = [...listeners.map(({ tls }) => tls?.key ?? null), client.tokenFile, client.key];
  return [
    ...listeners
      .filter(({ listen, tls, cleartext }) => cleartext && tls === null && !isLoopback(listen.host))
      .map(
        ({ listen }) => `tokens and events are readable on the network at ${listen.host}, port ${listen.port}, unless a proxy speaks TLS`,
      ),
    ...tokens.flatMap(({ name, expiresMs }) => {
      if (expiresMs === null || expiresMs - now > WARN_MS) return [];
      const left = Math.floor((expiresMs - now) / DAY_MS);
      return [left < 0 ? `the token ${name} has expired` : `the token ${name} expires in ${left} days`];
    }),
    ...[...new Set(secrets)].flatMap((path) => {
      const mode = path === null ? null : fileMode(path);
      if (mode === null || (mode & OTHERS) === 0) return [];
      return [`others than its owner may use ${path} (mode ${(mode & 0o777).toString(8)}); run \`chmod 600\` on it`];
    }),
    ...sharedKeys(config),
  ];
}

/** What is wrong with the certificates of the listeners: they are read and tried as a start would. */
export async function tlsErrors({ api }: Config): Promise<readonly WaybillError[]> {
  const disk = openDisk();
  const errors: WaybillError[] = [];
  try {
    for (const { tls } of api.listeners) {
      if (tls === null) continue;
      await readTls(tls, disk).catch((error: unknown) => {
        if (!isWaybillError(error)) throw error;
        errors.push(error);
      });
    }
    return errors;
  } finally {
    await disk.close();
  }
}
