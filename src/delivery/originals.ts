import { WaybillError } from '../contracts/errors.ts';
import type { Journal } from '../contracts/ledger.ts';
import type { Index } from '../contracts/units.ts';
import type { Intent } from './account.ts';
import { type JournalRecord, journalKey, parseRecords } from './records.ts';

/** So many cuts are kept beyond the one that was asked for: whoever recovers asks for one after the other. */
const AHEAD_MAX = 1_000;

/**
 * The batches of the live stream as they were cut, from the journal's past: what was lost is sent again in exactly these. It reads as
 * little
 * of the past as it can, and keeps what it read for the next question.
 */
export class Originals {
  readonly #journal: Pick<Journal, 'history'>;
  readonly #name: string;
  readonly #signal: AbortSignal;
  #cuts: readonly Intent[] = [];
  /** The first index that `#cuts` know about, and the first one that they do not. */
  #from = 0;
  #end = 0;

  constructor(journal: Pick<Journal, 'history'>, name: string, signal: AbortSignal) {
    this.#journal = journal;
    this.#name = name;
    this.#signal = signal;
  }

  /**
   * The batch that accounted for an index. One without records and without a hash stands for a stretch of which nothing was ever sent.
   * Rejects with `COMMAND_REFUSED` when the past does not know, and with `LEDGER_PRUNED` when it has gone.
   */
  async at(index: Index): Promise<Intent> {
    if (index < this.#from || index >= this.#end) await this.#read(index);
    const found = this.#cuts.find(({ from, through }) => from <= index && through >= index);
    if (found !== undefined) return found;
    const following = this.#cuts.find(({ from }) => from > index);
    if (following === undefined) {
      const message = `the journal does not know in which batch ${this.#name} was sent index ${index}`;
      throw new WaybillError('COMMAND_REFUSED', `${message}; \`waybill replay\` sends it as a new one`);
    }
    const through = (following.from - 1) as Index;
    return { from: index, through, count: 0, epoch: following.epoch, sha256: '', omit: [], gone: null, done: true };
  }

  async #read(index: Index): Promise<void> {
    const past = new Past();
    let whole = true;
    for await (const one of this.#journal.history(journalKey(this.#name), index, this.#signal)) {
      if (one.kind === 'forgotten') past.forget();
      else for (const record of parseRecords(one.record).records) past.take(record);
      whole = !past.holds(index, AHEAD_MAX);
      if (!whole) break;
    }
    const cuts = past.cuts();
    const last = cuts.at(-1);
    this.#cuts = cuts;
    this.#from = index;
    // The end of a past that was not read to its end is known as far as it is without a hole.
    this.#end = last === undefined ? index : whole ? last.through + 1 : past.knownTo(index);
  }
}

/** What records say about which batches were taken. */
class Past {
  readonly #open = new Map<Index, Intent>();
  readonly #taken = new Map<Index, Intent>();

  take(record: JournalRecord): void {
    if (record.type === 'target' && record.cursor !== null) return this.forget();
    if (!('lane' in record) || record.lane !== 'live') return;
    if (record.type === 'intent') {
      const { from, through, count, epoch, sha256, omit, gone, checkpoint } = record;
      this.#open.set(from, { from, through, count, epoch, sha256, omit, gone, checkpoint, done: true });
      return;
    }
    const intent = this.#open.get(record.from);
    if (record.type === 'taken' && intent !== undefined) this.#taken.set(record.from, intent);
    if (record.type === 'taken' || record.type === 'rejected' || record.type === 'withdrawn') this.#open.delete(record.from);
  }

  /** Everything so far belongs to another life of the destination. */
  forget(): void {
    this.#open.clear();
    this.#taken.clear();
  }

  /** Whether enough is known from `index` on. */
  holds(index: Index, most: number): boolean {
    return this.#taken.size > most && this.knownTo(index) > index;
  }

  /** The batches in the order of the ledger. */
  cuts(): readonly Intent[] {
    return [...this.#taken.values()].toSorted((a, b) => a.from - b.from);
  }

  /** The first index from `index` on that no batch is known for. */
  knownTo(index: Index): number {
    let end: number = index;
    for (const { from, through } of this.cuts()) if (from <= end) end = Math.max(end, through + 1);
    return end;
  }
}
