import type { Journal } from '../contracts/ledger.ts';
import type { Clock } from '../contracts/ports.ts';
import { faultOf } from './fault.ts';
import { foldText } from './fold.ts';
import { type JournalRecord, recordsText } from './records.ts';
import type { Fault } from './state.ts';

/** How long to wait before a full journal is tried again. */
const FULL_WAIT_MS = 1_000;

/** What a writer needs, and whom it tells. */
export interface JournalWriterOptions {
  readonly journal: Pick<Journal, 'append' | 'compact' | 'load'>;
  readonly key: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called after records through this number became durable. */
  onDurable(through: number): void;
  /** Called with what keeps records from being written, and with `null` once it is over. `halt`: for good. */
  onFault(fault: Fault | null): void;
  /** Called with a broken invariant: nothing may be done after one. */
  onBroken(error: unknown): void;
}

/**
 * Writes the records of one destination in order. One entry is on its way at a time and takes along all that gathered meanwhile,
 * so a refused one can be written again without any record passing another.
 */
export class JournalWriter {
  readonly #options: JournalWriterOptions;
  #queue: JournalRecord[] = [];
  #first = 0;
  #writing = false;
  #last: Promise<void> = Promise.resolve();

  constructor(options: JournalWriterOptions) {
    this.#options = options;
  }

  /** True while a record is not durable. */
  get busy(): boolean {
    return this.#writing || this.#queue.length > 0;
  }

  /** Takes a record; it is written with the next `flush`. */
  add(record: JournalRecord, number: number): void {
    if (this.#queue.length === 0) this.#first = number;
    this.#queue.push(record);
  }

  /** Writes what was taken, unless an entry is on its way: then it follows by itself. */
  flush(): void {
    if (this.#writing || this.#queue.length === 0 || this.#options.signal.aborted) return;
    this.#begin();
  }

  /**
   * Writes what was taken and waits for it, with a last try where the journal was full. Once it resolves nothing more will ever be
   * written, so that the key can be opened anew; what is refused even then is lost, as in a crash.
   */
  async end(): Promise<void> {
    await this.#last;
    if (!this.#writing && this.#queue.length > 0) this.#begin();
    await this.#last;
    // From here on the journal alone counts: its owner may know more than was written.
    const { journal, key } = this.#options;
    journal.compact(key, () => foldText(journal.load(key)));
  }

  #begin(): void {
    this.#writing = true;
    this.#last = this.#write().catch((error: unknown) => this.#options.onBroken(error));
  }

  async #write(): Promise<void> {
    const { journal, key } = this.#options;
    const records = this.#queue;
    const through = this.#first + records.length - 1;
    this.#queue = [];
    const text = recordsText(this.#first, records);
    let refused = false;
    let ending = false;
    for (;;) {
      try {
        await journal.append(key, text);
        break;
      } catch (error) {
        const fault = faultOf(error, 'LEDGER_FAILED');
        this.#options.onFault(fault);
        // The writer stays busy: records that come after a lost one must never be written.
        if (fault.remedy !== 'retry' || ending) return;
        refused = true;
        // The end is tried once more at once: there may be space again, and an outcome that is lost makes its batch go a second time.
        ending = !(await this.#waited());
      }
    }
    this.#writing = false;
    if (refused) this.#options.onFault(null);
    this.#options.onDurable(through);
    this.flush();
  }

  /** Waits before the next try; false once the signal has ended it. */
  async #waited(): Promise<boolean> {
    const { clock, signal } = this.#options;
    try {
      await clock.sleep(FULL_WAIT_MS, signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }
}
