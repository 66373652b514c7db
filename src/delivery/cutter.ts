import type { Ledger } from '../contracts/ledger.ts';
import type { Clock } from '../contracts/ports.ts';
import type { Index, Size } from '../contracts/units.ts';
import type { Intent } from './account.ts';
import { type Cut, type CutLimits, type CutRules, cutNext } from './cut.ts';
import type { CutEvent, CutOrder } from './state.ts';

/** After how long a range with nothing to send goes as a batch without records, where that can be carried. */
export const IDLE_MS = 60_000;

/** Why a wait ends that is over anyway. */
const ENOUGH = 'the wait is over';

/** What a cutter needs, and whom it tells. */
export interface CutterOptions {
  readonly ledger: Pick<Ledger, 'read' | 'size' | 'waitBeyond'>;
  readonly clock: Clock;
  readonly limits: CutLimits;
  /** How long a batch that is not full waits for more; 0: not at all. */
  readonly waitMs: number;
  /** The rules of an epoch. */
  rules(epoch: number): CutRules;
  /** The original cut that accounts for an index. */
  original(index: Index): Promise<Intent>;
  /** Called with the answer to an order; there is no body for an original cut, which is made when it is sent. */
  onCut(event: CutEvent, cut: Cut | null): void;
  /** Called when there is nothing to cut yet. */
  onWaiting(): void;
  onError(error: unknown): void;
}

/** Carries out one cut order at a time: waits for entries, reads and cuts them. A new order ends the one before. */
export class Cutter {
  readonly #options: CutterOptions;
  #order: CutOrder | null = null;
  #running = new AbortController();
  #waiting = false;
  #urged: (() => void) | null = null;
  #nothing: Cut | null = null;
  /** The size of an entry on average, as the last batch had it: it tells how much backlog fills a batch. */
  #entryBytes = 512;

  constructor(options: CutterOptions) {
    this.#options = options;
  }

  /** True while a batch that is waited for is being made: its intent is on the way to the journal. */
  get soon(): boolean {
    return this.#order !== null && !this.#order.ahead && !this.#waiting;
  }

  /**
   * Up to where everything from `cursor` on was looked at and nothing of it is to be sent: it waits to ride on the next batch. Otherwise
   * `cursor` itself.
   */
  unwantedUpTo(cursor: Index): Index {
    if (this.#nothing?.from !== cursor || this.#nothing.omitted.detached > 0) return cursor;
    return (this.#nothing.through + 1) as Index;
  }

  /** Takes an order, or `null` to do nothing. The same number again means that the order has grown urgent. */
  order(order: CutOrder | null): void {
    const urgent = order !== null && order.number === this.#order?.number;
    this.#order = order;
    if (urgent) {
      this.#urged?.();
      return;
    }
    this.#running.abort(ENOUGH);
    this.#nothing = null;
    if (order === null) return;
    this.#running = new AbortController();
    this.#waiting = false;
    void this.#run(order.number, this.#running.signal);
  }

  async #run(number: number, signal: AbortSignal): Promise<void> {
    try {
      const answer = await this.#answer(number, signal);
      // Nothing may be told about an order that was withdrawn while it was being carried out.
      if (signal.aborted) return;
      this.#order = null;
      this.#nothing = null;
      this.#options.onCut(...answer);
    } catch (error) {
      if (signal.aborted) return;
      this.#order = null;
      this.#options.onError(error);
    }
  }

  async #answer(number: number, signal: AbortSignal): Promise<[CutEvent, Cut | null]> {
    const order = this.#current(signal);
    if (order.original) {
      const { through, count, sha256, omit, gone, epoch, checkpoint } = await this.#options.original(order.from);
      return [{ type: 'cut', number, through, count, sha256, omit, gone, epoch, checkpoint }, null];
    }
    if (order.ahead && !this.#fills(order)) await this.#urgency(signal);
    const cut = await this.#make(order, signal);
    if (cut.count > 0) this.#entryBytes = cut.body.length / cut.count;
    const { from, through, count, sha256, omitted } = cut;
    const gone = omitted.detached === 0 ? null : ((from + omitted.detached - 1) as Index);
    return [{ type: 'cut', number, through, count, sha256, omit: omitted.quarantined, gone, epoch: order.epoch }, cut];
  }

  /**
   * Cuts as soon as there is something to send. What has nothing to send is accounted for by the next batch, or after a while by itself.
   */
  async #make(order: CutOrder, signal: AbortSignal): Promise<Cut> {
    const { ledger, limits } = this.#options;
    const rules = this.#options.rules(order.epoch);
    let nothing: Cut | null = null;
    let idleAt = Number.POSITIVE_INFINITY;
    for (;;) {
      const at = nothing === null ? order.from : nothing.through + 1;
      if (ledger.size() <= at && !(await this.#growth(at as Size, idleAt, signal)) && nothing !== null) return nothing;
      if (nothing === null && this.#options.waitMs > 0) await this.#linger(order, signal);
      const cut = await cutNext(ledger, order, rules, limits, nothing);
      signal.throwIfAborted();
      if (cut.count > 0 || cut.through === order.limit) return cut;
      if (nothing === null && order.empty) idleAt = this.#options.clock.monotonic() + IDLE_MS;
      nothing = cut;
      this.#nothing = cut;
    }
  }

  /** Waits for more entries until a point in time. Answers whether there are. */
  async #growth(size: Size, until: number, signal: AbortSignal): Promise<boolean> {
    const { ledger, clock } = this.#options;
    const left = until - clock.monotonic();
    if (left <= 0) return false;
    this.#waiting = true;
    this.#options.onWaiting();
    const done = new AbortController();
    const stop = (): void => done.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const waits = [ledger.waitBeyond(size, done.signal).then(() => true)];
      if (left !== Number.POSITIVE_INFINITY) waits.push(clock.sleep(left, done.signal).then(() => false));
      return await Promise.race(waits);
    } finally {
      signal.removeEventListener('abort', stop);
      // A reason of its own would be a new error with its stack, for every batch.
      done.abort(ENOUGH);
      this.#waiting = false;
    }
  }

  /** Where it is configured, a batch that is not full waits for more. */
  async #linger(order: CutOrder, signal: AbortSignal): Promise<void> {
    const { ledger, clock, waitMs } = this.#options;
    const until = clock.monotonic() + waitMs;
    while (order.limit === null && order.fences.length === 0 && !this.#fills(order)) {
      if (!(await this.#growth(ledger.size(), until, signal))) return;
    }
  }

  /** Whether the backlog is enough to fill a batch, as far as one can tell without reading it. */
  #fills(order: CutOrder): boolean {
    const { ledger, limits } = this.#options;
    const backlog = ledger.size() - order.from;
    return order.limit !== null || backlog >= limits.entries || backlog * this.#entryBytes >= limits.bytes;
  }

  async #urgency(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#urged = resolve;
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    this.#urged = null;
  }

  #current(signal: AbortSignal): CutOrder {
    if (this.#order === null) throw signal.reason;
    return this.#order;
  }
}
