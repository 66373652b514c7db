import { WaybillError } from '../contracts/errors.ts';
import type { DestinationOptions, SideRange, SideStarted } from './destination.ts';
import type { JournalWriter } from './journal-writer.ts';
import type { SideKind } from './records.ts';
import type { State, VerbEvent } from './state.ts';
import { refuseVerb } from './verbs.ts';

/** What an operator's verbs work on. */
export interface OperatorParts {
  readonly name: string;
  readonly ledger: Pick<DestinationOptions['ledger'], 'beginning' | 'size'>;
  /** Ends everything. */
  readonly closing: AbortSignal;
  /** Resolves once nothing more will be written to the journal. */
  readonly ended: Promise<void>;
  readonly writer: Pick<JournalWriter, 'busy'>;
  state(): State;
  dispatch(event: VerbEvent): void;
  /** Resolves once `condition` holds after a step, and rejects when delivery stops before. */
  until(condition: () => boolean): Promise<void>;
}

/** Carries out what an operator asks of one destination. */
export class Operator {
  readonly #parts: OperatorParts;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  /**
   * Does one thing. Resolves once `done` holds and everything that is known then is durable. Rejects with `COMMAND_REFUSED` where it cannot
   * be done now, also because the destination is being stopped or restarted.
   */
  async verb(event: VerbEvent, done: () => boolean = () => this.#parts.state().detaching === null): Promise<void> {
    const { ledger, closing, ended, writer } = this.#parts;
    if (closing.aborted) throw this.#stopping();
    const refusal = refuseVerb(this.#parts.state(), event, ledger.beginning(), ledger.size());
    if (refusal !== null) throw refusal;
    this.#parts.dispatch(event);
    try {
      await this.#parts.until(done);
      const { records } = this.#parts.state().account;
      await this.#parts.until(() => this.#parts.state().durable >= records);
    } catch (error) {
      if (!closing.aborted) throw error;
      // Closing writes what is known: then it was done all the same.
      await ended;
      if (!done() || writer.busy) throw this.#stopping();
    }
  }

  /** Begins to send old entries. Rejects like `verb`. */
  async side(kind: SideKind, { from, through, gone }: SideRange): Promise<SideStarted> {
    const begun = this.verb({ type: 'side', kind, from, through, gone });
    // By the time it is durable it may be over, and another one begun.
    const name = `${kind}-${this.#parts.state().account.sides}`;
    await begun;
    return { name, from, through };
  }

  /** The range, or a rejection where it could not be begun now. */
  allowed(kind: SideKind, range: SideRange): SideRange {
    const { ledger, closing } = this.#parts;
    if (closing.aborted) throw this.#stopping();
    const refused = refuseVerb(this.#parts.state(), { type: 'side', kind, ...range }, ledger.beginning(), ledger.size());
    if (refused !== null) throw refused;
    return range;
  }

  /** Waits for something that a verb has to know first. */
  async whileOpen<Out>(work: Promise<Out>): Promise<Out> {
    try {
      return await work;
    } catch (error) {
      throw this.#parts.closing.aborted ? this.#stopping() : error;
    }
  }

  #stopping(): WaybillError {
    return new WaybillError('COMMAND_REFUSED', `${this.#parts.name} is being stopped or restarted: ask again`);
  }
}
