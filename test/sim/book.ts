/** One event that the outside world made. `mark` is in its JSON, so that it is recognised wherever it turns up. */
export interface Item {
  readonly mark: number;
  readonly source: string;
  /** Its identity, or `null` when the pipeline assigns one. */
  readonly id: string | null;
  /** The exact JSON text; for an event that can never become an entry, whatever it is. */
  readonly text: string;
  readonly kind: 'good' | 'bad' | 'conflict';
  /** Where it sits in its pull source. */
  readonly place: { readonly partition: string; readonly ordinal: number } | null;
  /** The indexes that senders were told. They must all be one and the same, and the ledger's. */
  readonly told: Set<number>;
  /** True once somebody was told that it is durable. */
  promised: boolean;
  /** True once it was sent in a way that may have been taken. */
  sent: boolean;
  /** How many times the ledger may hold it: more than once only where it had no identity and was sent again. */
  allowed: number;
}

/**
 * Everything that the outside world made, and what it was told about it. The checkers compare the ledger with this and with nothing
 * else.
 */
export class Book {
  readonly items: Item[] = [];
  readonly #byIdentity = new Map<string, Item[]>();

  /** Notes a new event; `write` gets its mark and gives its text. */
  add(fields: Pick<Item, 'source' | 'id' | 'kind' | 'place'>, write: (mark: number) => string): Item {
    const mark = this.items.length;
    const item: Item = { ...fields, mark, text: write(mark), told: new Set(), promised: false, sent: false, allowed: 1 };
    this.items.push(item);
    if (item.id !== null) {
      const key = `${item.source} ${item.id}`;
      this.#byIdentity.set(key, [...(this.#byIdentity.get(key) ?? []), item]);
    }
    return item;
  }

  /** Every event with this identity, whatever its bytes. */
  sameIdentity(item: Item): readonly Item[] {
    return item.id === null ? [item] : (this.#byIdentity.get(`${item.source} ${item.id}`) ?? []);
  }
}
