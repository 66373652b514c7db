import { ERROR_CODES } from '../contracts/errors.ts';
import type { Index, Size } from '../contracts/units.ts';
import { type Account, neededFrom } from './account.ts';
import type { DestinationOptions, DestinationStatus } from './destination.ts';
import { activeLane } from './lanes.ts';
import { batchesOf, type Fault, type State } from './state.ts';

/** What a status needs beside the state. `retryAt` is in milliseconds since 1970. */
export interface StatusFacts {
  readonly size: Size;
  readonly beginning: Index;
  /** Nothing from the cursor up to here is to be sent; absent: nobody has looked. */
  readonly sought?: Index;
  readonly attempts: number;
  readonly retryAt: number | null;
}

/** What an operator sees of a state. A fault of the journal stands before one of the destination: nothing moves without a journal. */
export function statusOf(state: State, journalFault: Fault | null, facts: StatusFacts): DestinationStatus {
  const { account } = state;
  const { cursor } = account.live;
  const fault = journalFault ?? state.halted ?? state.fault ?? detachedFault(account);
  const { side, taken, repeats, quarantine } = account;
  return {
    state: nameOf(state, journalFault),
    cursor,
    lag: Math.max(0, facts.size - (facts.sought ?? cursor)),
    head: headOf(state),
    error: fault === null ? null : { code: fault.code, message: fault.message, action: ERROR_CODES[fault.code].action },
    nextRetryAt: facts.retryAt,
    counters: { ...taken, repeats, attempts: facts.attempts },
    quarantine,
    neededFrom: neededFrom(account),
    lacks: state.lacksFrom === null ? null : { from: state.lacksFrom, through: (cursor - 1) as Index },
    detached: account.detached === null ? null : { from: cursor, through: account.detached.through },
    checkpoint: null,
    side: side === null ? null : { kind: side.kind, name: side.name, from: side.from, through: side.through, cursor: side.cursor },
  };
}

/** Tells the operators' log when a destination stops, fails, or takes entries again. */
export function report({ name: destination, ports, observer }: DestinationOptions, before: State, state: State): void {
  const { halted, fault, account } = state;
  const { log } = ports;
  const detached = account.detached?.held === true && before.account.detached?.held !== true ? detachedFault(account) : null;
  const stopped = detached ?? (halted !== before.halted ? halted : null);
  if (stopped !== null) {
    observer?.halted?.({ destination, code: stopped.code });
    log.error('a destination halted', { destination, code: stopped.code, message: stopped.message });
  } else if (fault !== null && halted === null && fault.code !== before.fault?.code) {
    log.warn('a destination is failing', { destination, code: fault.code, message: fault.message });
  } else if (fault === null && before.fault !== null && detached === null) log.info('a destination takes entries again', { destination });
}

function nameOf(state: State, journalFault: Fault | null): DestinationStatus['state'] {
  if (state.draining) return 'draining';
  if (journalFault?.remedy === 'halt') return 'halted';
  if (state.account.detached?.held === true) return 'detached';
  if (state.halted !== null) return state.halted.code === 'LEDGER_PRUNED' ? 'detached' : 'halted';
  if (state.account.paused) return 'paused';
  return state.backOff !== 0 || journalFault !== null ? 'waiting' : 'running';
}

function detachedFault({ detached, live }: Account): Fault | null {
  if (detached?.held !== true) return null;
  const message = `entries ${live.cursor} to ${detached.through} went from the ledger before the destination took them`;
  return { code: 'DESTINATION_DETACHED', message, remedy: 'halt', unknown: false };
}

function headOf(state: State): DestinationStatus['head'] {
  const first = batchesOf(state, activeLane(state)).find((batch) => batch.phase !== 'taken');
  if (first === undefined) return null;
  const { from, through, count, phase, doubt, tries } = first;
  return { from, through, count, inFlight: phase === 'flying', inDoubt: doubt, attempts: tries };
}
