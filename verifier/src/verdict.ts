/** What the page says in the end. */
export interface Verdict {
  /**
   * `verified`: everything that was asked holds, under a key that was given. `unconfirmed`: it holds under the key that came with the copy,
   * which proves nothing as long as nobody compared it. `failed`: it does not hold.
   */
  readonly kind: 'verified' | 'unconfirmed' | 'failed';
  /** One sentence. */
  readonly title: string;
  /** What it means, and what to do. */
  readonly what: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/** Something that does not hold. The page shows it. */
export class Fault extends Error {
  readonly facts: Verdict['facts'];

  constructor(message: string, facts: Verdict['facts'] = []) {
    super(message);
    this.facts = facts;
  }

  /** The verdict that it ends with. */
  verdict(what: string): Verdict {
    return { kind: 'failed', title: this.message, what, facts: this.facts };
  }
}
