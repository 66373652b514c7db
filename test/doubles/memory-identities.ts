import type { Identities } from '../../src/contracts/ledger.ts';
import type { Index } from '../../src/contracts/units.ts';

/** What an index with short fingerprints does: it answers with every entry whose fingerprint is the same. */
export class MemoryIdentities implements Identities {
  /** How many calls there were, so that a test can see that something was looked up. */
  finds = 0;
  readonly #found = new Map<string, Index[]>();
  readonly #fingerprint: (identity: string) => string;

  /** Without a fingerprint every identity is told from every other. */
  constructor(fingerprint: (identity: string) => string = (identity) => identity) {
    this.#fingerprint = fingerprint;
  }

  find(source: string, bytes: Uint8Array, start: number, end: number): readonly Index[] {
    this.finds += 1;
    return (this.#found.get(this.#key(source, bytes, start, end)) ?? []).toReversed();
  }

  add(source: string, bytes: Uint8Array, start: number, end: number, index: Index): void {
    const key = this.#key(source, bytes, start, end);
    this.#found.set(key, [...(this.#found.get(key) ?? []), index]);
  }

  async close(): Promise<void> {}

  /** Fills an empty index from entries as text, as a start does. */
  rebuild(entries: readonly string[]): void {
    for (const [index, text] of entries.entries()) {
      const { source, id } = JSON.parse(text) as { source: string; id: string };
      const bytes = Buffer.from(JSON.stringify(id).slice(1, -1));
      if (source !== 'waybill') this.add(source, bytes, 0, bytes.length, index as Index);
    }
  }

  #key(source: string, bytes: Uint8Array, start: number, end: number): string {
    return this.#fingerprint(`${source} ${Buffer.from(bytes.subarray(start, end)).toString()}`);
  }
}
