import { assert } from '../contracts/assert.ts';
import type { Account } from './account.ts';
import type { DestinationOptions } from './destination.ts';
import { faultOf } from './fault.ts';
import { slept } from './sink-calls.ts';

/** How long to wait before a control entry that was refused is tried again. */
const WAIT_MS = 1_000;

/**
 * Gets the control entry that a record calls for into the ledger, however often that takes. Its key is made of the record, so that asking
 * again after a lost answer or a crash never writes it twice. Answers false when the signal ended it.
 */
export async function emitDeclaration(
  options: DestinationOptions,
  account: Account,
  record: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, emitControl, ports } = options;
  const declaration = account.outbox.find((waiting) => waiting.record === record);
  assert(declaration !== undefined, `record ${record} calls for no control entry`);
  const { type, facts } = declaration;
  const entry = { type, key: `${account.bornAs ?? name}:${account.born}:${record}`, facts: { destination: name, ...facts } };
  for (;;) {
    try {
      await emitControl(entry);
      return true;
    } catch (error) {
      const { code, message } = faultOf(error, 'LEDGER_FAILED');
      ports.log.warn('a control entry could not be written yet', { destination: name, type, code, message });
      if (!(await slept(ports.clock, WAIT_MS, signal))) return false;
    }
  }
}
