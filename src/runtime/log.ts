import { destination, pino, stdTimeFunctions } from 'pino';
import type { Log } from '../contracts/ports.ts';

/** How much the log says; `silent` says nothing. */
export type LogLevel = 'info' | 'warn' | 'error' | 'silent';

/** Lines that wait for a slow reader. Beyond this they are dropped: a full pipe must never hold up the ledger. */
const WAITING_BYTES_MAX = 4 << 20;

/** The log of this process. */
export interface OpenLog extends Log {
  /** Changes how much is said from now on. */
  setLevel(level: LogLevel): void;
  close(): void;
}

/** JSON lines to standard error, written off the main thread. `close` writes what still waits. */
export function openLog(level: LogLevel): OpenLog {
  const stream = destination({ dest: 2, sync: false, maxLength: WAITING_BYTES_MAX });
  // Standard error may be closed by whoever reads it. That is no reason to stop delivering.
  stream.on('error', () => {});
  const logger = pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    stream,
  );
  return {
    info: (message, facts = {}) => logger.info(facts, message),
    warn: (message, facts = {}) => logger.warn(facts, message),
    error: (message, facts = {}) => logger.error(facts, message),
    setLevel(changed) {
      logger.level = changed;
    },
    close() {
      try {
        stream.flushSync();
      } catch {
        // Nobody reads any more; there is no other place to say so.
      }
    },
  };
}
