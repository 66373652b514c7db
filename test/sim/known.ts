/** What the delivery journal is known to hold for good, over all lives of the process: which batches of the live stream were taken. */
export class KnownTaken {
  readonly #ranges = new Map<string, (readonly [from: number, through: number])[]>();

  readonly #gone = new Map<string, number>();

  readonly #starts = new Map<string, number>();

  /** A record of a destination became durable. */
  note(destination: string, text: string): void {
    const [, ...records] = JSON.parse(text) as [number, ...JournalLine[]];
    const ranges = this.#ranges.get(destination) ?? [];
    this.#ranges.set(destination, ranges);
    for (const { type, lane, from, through, cursor } of records) {
      if (type === 'began' && cursor !== undefined) this.#starts.set(destination, cursor);
      if ((type === 'detached' || type === 'attached') && through !== undefined)
        this.#gone.set(destination, Math.max(this.goneThrough(destination), through));
      if ((type === 'taken' || type === 'adopted') && lane === 'live' && from !== undefined && through !== undefined)
        ranges.push([from, through]);
    }
  }

  /** Everything that a destination had from an index on is lost. */
  forget(destination: string, index: number): void {
    const kept = (this.#ranges.get(destination) ?? []).filter(([from]) => from < index);
    this.#ranges.set(
      destination,
      kept.map(([from, through]) => [from, Math.min(through, index - 1)] as const),
    );
  }

  /** Through which index the journal says that the ledger has let go of what a destination needs; -1: of nothing. */
  goneThrough(destination: string): number {
    return this.#gone.get(destination) ?? -1;
  }

  /** Where a destination began, as its journal says; `null` before it has one. */
  startOf(destination: string): number | null {
    return this.#starts.get(destination) ?? null;
  }

  /** True when everything in [from, through] was taken by records that are durable. */
  has(destination: string, from: number, through: number): boolean {
    return this.#ranges.get(destination)?.some(([first, last]) => first <= from && last >= through) ?? false;
  }

  /** The index below which the destination certainly acknowledged everything. */
  below(destination: string): number {
    return Math.max(0, ...(this.#ranges.get(destination) ?? []).map(([, through]) => through + 1));
  }
}

interface JournalLine {
  readonly type: string;
  readonly lane?: string;
  readonly from?: number;
  readonly through?: number;
  readonly cursor?: number;
}
