import { type ErrorCode, isWaybillError } from '../contracts/errors.ts';
import type { Terminal } from './terminal.ts';

/** What a command leaves to the shell. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unverified: 3, notRunning: 75, configuration: 78 } as const;

const EXIT_OF: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: EXIT.configuration,
  CONFIG_MISSING: EXIT.configuration,
  LEDGER_MISSING: EXIT.configuration,
  RENAME_REFUSED: EXIT.configuration,
  KEYS_MISSING: EXIT.configuration,
  KEYS_EXPOSED: EXIT.configuration,
  KEY_INVALID: EXIT.configuration,
  KEY_FOREIGN: EXIT.configuration,
  WITNESS_MISSING: EXIT.configuration,
  WITNESS_KEY_INVALID: EXIT.configuration,
  NOT_RUNNING: EXIT.notRunning,
};

/** The part of an error that is shown. A mistake in this program is thrown on: its stack is needed. */
export function shownError(error: unknown): { readonly code: string; readonly message: string; readonly action: string } {
  if (!isWaybillError(error)) throw error;
  return { code: error.code, message: error.message, action: error.action };
}

/** Says what went wrong and what leads on, and gives the exit code for it. */
export function reportError(error: unknown, json: boolean, terminal: Terminal): number {
  const shown = shownError(error);
  if (json) terminal.out(JSON.stringify({ error: shown }));
  else terminal.err(`${shown.message}\n${shown.code}: ${shown.action}`);
  return isWaybillError(error) ? (EXIT_OF[error.code] ?? EXIT.failed) : EXIT.failed;
}
