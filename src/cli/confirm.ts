import { WaybillError } from '../contracts/errors.ts';
import { askLine, canAsk } from './machine.ts';
import type { Terminal } from './terminal.ts';

/** What a command takes that changes what destinations get. */
export interface ConfirmOptions {
  readonly yes: boolean;
}

/**
 * Asks the person at the terminal to go on, after it was said what would be done. Rejects with `CONFIRMATION_MISSING` when the answer is
 * no,
 * and where nobody is there to ask and `--yes` is missing.
 */
export async function confirm(terminal: Terminal, said: string, { yes }: ConfirmOptions): Promise<void> {
  if (yes) return;
  if (!canAsk()) throw new WaybillError('CONFIRMATION_MISSING', said);
  terminal.err(`${said} Go on? [y/N]`);
  if (!/^y(?:es)?$/i.test((await askLine()).trim())) throw new WaybillError('CONFIRMATION_MISSING', 'the answer was not `y`');
}
