import { ERROR_CODES } from '../contracts/errors.ts';
import type { Index, Size } from '../contracts/units.ts';
import type { DestinationStatus } from './destination.ts';
import { activeLane } from './lanes.ts';
import { batchesOf, type Fault, type State } from './state.ts';

/** What a status needs beside the state. `retryAt` is in milliseconds since 1970. */
export interface StatusFacts {
  readonly size: Size;
  readonly beginning: Index;
  readonly attempts: number;
  readonly retryAt: number | null;
}

/** What an operator sees of a state. A fault of the journal stands before one of the destination: nothing moves without a journal. */
export function statusOf(state: State, journalFault: Fault | null, facts: StatusFacts): DestinationStatus {
  const { account } = state;
  const { cursor } = account.live;
  const fault = journalFault ?? state.halted ?? state.fault;
  const { side, taken, repeats, quarantine } = account;
  return {
    state: nameOf(state, journalFault),
    cursor,
    lag: Math.max(0, facts.size - cursor),
    head: headOf(state),
    error: fault === null ? null : { code: fault.code, message: fault.message, action: ERROR_CODES[fault.code].action },
    nextRetryAt: facts.retryAt,
    counters: { ...taken, repeats, attempts: facts.attempts },
    quarantine,
    side: side === null ? null : { kind: side.kind, name: side.name, from: side.from, through: side.through, cursor: side.cursor },
  };
}

function nameOf(state: State, journalFault: Fault | null): DestinationStatus['state'] {
  if (state.draining) return 'draining';
  if (journalFault?.remedy === 'halt') return 'halted';
  if (state.halted !== null) return state.halted.code === 'LEDGER_PRUNED' ? 'detached' : 'halted';
  if (state.account.paused) return 'paused';
  return state.backOff !== 0 || journalFault !== null ? 'waiting' : 'running';
}

function headOf(state: State): DestinationStatus['head'] {
  const first = batchesOf(state, activeLane(state)).find((batch) => batch.phase !== 'taken');
  if (first === undefined) return null;
  const { from, through, count, phase, doubt, tries } = first;
  return { from, through, count, inFlight: phase === 'flying', inDoubt: doubt, attempts: tries };
}
