import { isWaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Listener } from './listener.ts';
import { readTls, sameTls } from './tls.ts';

/** How often the files of certificates are read again. They are small, and reading finds every way of replacing them. */
const EVERY_MS = 30_000;
const DAY_MS = 86_400_000;
/** How long before its end a certificate is warned of, once a day. */
const WARN_MS = 14 * DAY_MS;

/**
 * Keeps the certificates of listeners new until it is closed. A file that cannot be used leaves the old one at work; the log says so.
 * `recheck` is called as often, for what ends by the clock alone.
 */
export function createRenewal(
  listeners: () => readonly Listener[],
  ports: Pick<Ports, 'clock' | 'log' | 'disk'>,
  recheck: () => void,
): { close(): void } {
  const ending = new AbortController();
  const seen = new Map<string, string>();
  const renewAll = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      recheck();
      for (const listener of listeners()) await renew(listener, ports, seen);
      await ports.clock.sleep(EVERY_MS, ending.signal).catch(() => undefined);
    }
  };
  void renewAll();
  return { close: () => ending.abort() };
}

async function renew(
  listener: Listener,
  { clock, log, disk }: Pick<Ports, 'clock' | 'log' | 'disk'>,
  seen: Map<string, string>,
): Promise<void> {
  const { config, tls } = listener;
  if (config.tls === null || tls === null) return;
  const { port } = listener.address;
  // The same thing is said once, and again on the next day.
  const say = (message: string): void => {
    const today = `${message} ${Math.floor(clock.now() / DAY_MS)}`;
    if (seen.get(config.tls?.cert ?? '') !== today) log.error(message, { port });
    seen.set(config.tls?.cert ?? '', today);
  };
  try {
    const next = await readTls(config.tls, disk);
    // A reload may have changed the listener while its files were read.
    if (listener.tls !== tls) return;
    if (!sameTls(tls, next)) {
      listener.renew(next);
      log.info('the certificate was renewed', { port, expires: new Date(next.expiresMs).toISOString() });
    }
    const left = next.expiresMs - clock.now();
    if (left < 0) say(`the certificate in ${config.tls.cert} has expired`);
    else if (left < WARN_MS) say(`the certificate in ${config.tls.cert} expires in ${Math.floor(left / DAY_MS)} days`);
  } catch (error) {
    say(`the old certificate stays: ${isWaybillError(error) ? error.message : String(error)}`);
  }
}
