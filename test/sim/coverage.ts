/**
 * Everything that goes wrong in the simulation or is done to it, and what has to be seen happening. What is never counted was never tested.
 */
export const MISFORTUNES = [
  'kill',
  'power cut',
  'pause',
  'restart in order',
  'disk full',
  'clock stepped',
  'clock stepped while down',
  'destination down',
  'destination lost data',
  'zombie',
  'reload',
  'reload that fails',
  'kill in a rotation of segments',
  'kill while a snapshot is written',
  'kill while identities are written',
  'kill while the tree is stored',
  'kill in a rotation of a file',
  'snapshot lost',
  'identities lost',
  'identities damaged while running',
  'tree lost',
  'segment removed',
  'segment changed',
  'segment cut off',
  'damage refused at the start',
  'damage met by a reader',
  'damage found by the scrub',
  'entries removed by retention',
  'newest snapshot lost after a removal',
  'partition closed',
  'head proved to continue another',
  'ledger lost and restored',
  'kill in a restore',
] as const;

/** One of them. */
export type Misfortune = (typeof MISFORTUNES)[number];

/** How often each of them happened. */
export class Coverage {
  readonly #counts = new Map<Misfortune, number>();

  /** Counts one of them. */
  add(misfortune: Misfortune, times = 1): void {
    this.#counts.set(misfortune, this.of(misfortune) + times);
  }

  /** Takes over what happened elsewhere. */
  include(other: Coverage): void {
    for (const misfortune of MISFORTUNES) this.add(misfortune, other.of(misfortune));
  }

  of(misfortune: Misfortune): number {
    return this.#counts.get(misfortune) ?? 0;
  }

  /** Those that never happened. */
  get never(): readonly Misfortune[] {
    return MISFORTUNES.filter((misfortune) => this.of(misfortune) === 0);
  }

  /** One line for a reader, and for `parse`. */
  toString(): string {
    return MISFORTUNES.map((misfortune) => `${misfortune} ${this.of(misfortune)}`).join(', ');
  }

  /** What `toString` wrote. */
  static parse(line: string): Coverage {
    const coverage = new Coverage();
    for (const part of line.split(', ')) {
      const misfortune = MISFORTUNES.find((name) => part.startsWith(`${name} `) && /^\d+$/.test(part.slice(name.length + 1)));
      if (misfortune !== undefined) coverage.add(misfortune, Number(part.slice(misfortune.length + 1)));
    }
    return coverage;
  }
}
