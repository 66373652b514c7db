import { formatVerifierKey, type VerifierKey } from '../tlog/key.ts';

/** An entry that says that one key of the log took the place of another. */
interface Rotation {
  readonly index: number;
  readonly old: VerifierKey;
  readonly next: VerifierKey;
}

/**
 * Which keys of the log are trusted: those that were given, and those that are tied to them by an entry `key.rotated` which a head of one
 * of
 * the two keys covers. So whoever holds any one key can follow to the others, and nobody without a key can add one.
 */
export class KeyChain {
  readonly #given: readonly VerifierKey[];
  readonly #rotations: Rotation[] = [];
  /** By verifier key: the largest head that it signed and that the entries add up to. */
  readonly #proved = new Map<string, number>();

  constructor(given: readonly VerifierKey[]) {
    this.#given = given;
  }

  /** An entry says that `next` took the place of `old`. Nothing is trusted yet. */
  rotate(rotation: Rotation): void {
    this.#rotations.push(rotation);
  }

  /** Whether an entry in `[from, end)` replaced a key: the first head behind it is always looked at. */
  rotatedWithin(from: number, end: number): boolean {
    return this.#rotations.some(({ index }) => index >= from && index < end);
  }

  /** Every key of the log that is named anywhere, trusted or not. */
  named(): readonly VerifierKey[] {
    const keys = new Map<string, VerifierKey>();
    for (const key of [...this.#given, ...this.#rotations.flatMap(({ old, next }) => [old, next])]) keys.set(formatVerifierKey(key), key);
    return [...keys.values()];
  }

  /** The key that has to sign a head of this size; `null` where no entry says which. */
  expected(size: number): VerifierKey | null {
    const before = this.#rotations.findLast(({ index }) => index < size);
    return before?.next ?? this.#rotations[0]?.old ?? null;
  }

  /** A head of this size is signed by the key, and the entries add up to it. */
  prove(key: VerifierKey, size: number): void {
    const name = formatVerifierKey(key);
    this.#proved.set(name, Math.max(size, this.#proved.get(name) ?? 0));
  }

  /** The keys that are trusted after everything was read, and the rotations that lead to no trusted key. */
  resolve(): { readonly trusted: ReadonlySet<string>; readonly unproved: readonly Rotation[] } {
    const trusted = new Set(this.#given.map(formatVerifierKey));
    const covers = (key: VerifierKey, index: number): boolean => {
      const name = formatVerifierKey(key);
      return trusted.has(name) && (this.#proved.get(name) ?? 0) > index;
    };
    for (let before = -1; before !== trusted.size; ) {
      before = trusted.size;
      for (const { index, old, next } of this.#rotations) {
        if (!covers(old, index) && !covers(next, index)) continue;
        trusted.add(formatVerifierKey(old));
        trusted.add(formatVerifierKey(next));
      }
    }
    const unproved = this.#rotations.filter(
      ({ old, next }) => trusted.has(formatVerifierKey(old)) !== trusted.has(formatVerifierKey(next)),
    );
    return { trusted, unproved };
  }
}
