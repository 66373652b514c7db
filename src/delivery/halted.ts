import { WaybillError } from '../contracts/errors.ts';
import type { Index } from '../contracts/units.ts';
import { newAccount } from './account.ts';
import type { Destination, DestinationStatus } from './destination.ts';
import type { Fault } from './state.ts';
import { statusOf } from './status.ts';
import { openState } from './step.ts';

/**
 * A destination that cannot be opened until a person acts: it does nothing, says why, and costs the others nothing. Nobody knows what it
 * needs, so it needs everything.
 */
export class HaltedDestination implements Destination {
  readonly name: string;
  readonly asked: Promise<void> = Promise.resolve();
  readonly failed: Promise<unknown> = new Promise(() => {});
  readonly #fault: Fault;
  readonly #size: () => number;

  constructor(name: string, error: WaybillError, size: () => number) {
    const { code, message, remedy, unknown } = error;
    this.name = name;
    this.#fault = { code, message, remedy, unknown };
    this.#size = size;
  }

  status(): DestinationStatus {
    const state = { ...openState(newAccount(0 as Index, 0), 0), halted: this.#fault };
    return statusOf(state, null, { size: this.#size() as never, beginning: 0 as Index, attempts: 0, retryAt: null });
  }

  pause(): Promise<never> {
    return this.#refuse();
  }

  resume(): Promise<never> {
    return this.#refuse();
  }

  retry(): Promise<never> {
    return this.#refuse();
  }

  detach(): Promise<never> {
    return this.#refuse();
  }

  replay(): Promise<never> {
    return this.#refuse();
  }

  replayable(): Promise<never> {
    return this.#refuse();
  }

  recoverable(): Promise<never> {
    return this.#refuse();
  }

  recover(): Promise<never> {
    return this.#refuse();
  }

  redeliver(): Promise<never> {
    return this.#refuse();
  }

  waive(): Promise<never> {
    return this.#refuse();
  }

  cancel(): Promise<never> {
    return this.#refuse();
  }

  drain(): Promise<boolean> {
    return Promise.resolve(true);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #refuse(): Promise<never> {
    return Promise.reject(new WaybillError('COMMAND_REFUSED', `${this.name} is not open: ${this.#fault.message}`));
  }
}
