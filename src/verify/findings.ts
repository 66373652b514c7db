/** What a verification can find. `docs/operating.md` and the table of attacks in `docs/guarantees.md` are held against this table. */
export const FINDINGS = {
  HEAD_MISSING: {
    means: 'No signed head was found, so nothing vouches for these entries.',
    action: 'Take a copy that has its signed head, or give one that you hold with --head FILE.',
  },
  HEAD_INVALID: {
    means: 'A head is not what the key that it names has signed: it was changed or made up.',
    action: 'Keep the copy as evidence, and verify another one.',
  },
  KEY_UNKNOWN: {
    means: 'A head is signed by a key that is not trusted here.',
    action: 'Get the verifier key from whoever runs the log, by another way than this copy, and give it with --key.',
  },
  KEY_REPLACED: {
    means: 'A head is signed only by a key that had been replaced before: it may have been stolen.',
    action: 'Ask whoever runs the log about the rotation that is named, and do not trust what this head covers beyond it.',
  },
  KEY_UNPROVED: {
    means: 'An entry says that the key was replaced, and no head of the other key covers that entry: anybody could have written it.',
    action: 'Get the newest verifier key from whoever runs the log, by another way than this copy, and give it with --key as well.',
  },
  ORIGIN_OTHER: {
    means: 'Something here belongs to another log.',
    action: 'Check which log was to be verified, and take the foreign file out.',
  },
  ENTRIES_CHANGED: {
    means: 'Entries are not those that were signed: one was changed, removed, put in or moved.',
    action: 'Keep the copy as evidence, and compare the named entry with another copy: an export, a destination, a backup.',
  },
  ENTRIES_MISSING: {
    means: 'Entries in the middle are not there.',
    action: 'Restore the named file from another copy and verify again.',
  },
  HISTORY_REWRITTEN: {
    means: 'Two heads contradict each other: there were two histories of this log, and somebody with its key signed both.',
    action: 'Keep both heads: together they are the proof. Find out who had the key.',
  },
  CUT_OFF: {
    means: 'A signed head covers more entries than are there: the end was cut off, or this is an older copy.',
    action: 'Take a newer copy. If there is none, the named entries are lost: `waybill restore` rebuilds them from a destination.',
  },
  TAIL_UNSEALED: {
    means: 'There are entries behind the newest head: no signature covers them yet, so nobody can tell whether they were changed.',
    action: 'Start the log once, which signs them, or let it run, and verify again; up to the newest head everything was checked.',
  },
  FILE_MISSING: {
    means: 'A file that belongs to the copy is not there.',
    action: 'Restore it from another copy and verify again.',
  },
  FILE_EXTRA: {
    means: 'A file is there that does not belong to the copy, so nobody vouches for it.',
    action: 'Find out who put it there. An export that was interrupted leaves such files: run it once more.',
  },
  BYTES_EXTRA: {
    means: 'A file is longer than what belongs to it.',
    action: 'Restore the file from another copy and verify again.',
  },
  BYTES_DAMAGED: {
    means: 'Bytes of a file are not what was written.',
    action: 'Restore the file from another copy and verify again. Where it happens again, test the disk.',
  },
  WRITE_UNFINISHED: {
    means: 'Bytes behind the last whole entry are from a write that was cut short, which nobody was told of; or somebody added them.',
    action: 'Start the log once, which removes an unfinished write, and verify again.',
  },
  HASH_CHANGED: {
    means: 'The entries are those that were signed, and a stored hash of them is not: proofs made from it would fail.',
    action:
      'Restore the file from another copy. Beside a ledger, stop it and remove the directory `tree/packs`: the next start makes it anew.',
  },
  ENTRY_MALFORMED: {
    means: 'An entry does not have the form that docs/formats/entry-v1.md fixes.',
    action: 'Find out which program wrote it: Waybill does not.',
  },
  SEQUENCE_BROKEN: {
    means: 'The numbers of a source have a gap or come twice, which no ledger writes.',
    action: 'Compare with another copy. Where the heads match, what wrote the ledger made a mistake: please report it.',
  },
  TIME_BACKWARDS: {
    means: 'An entry says that it was received before the one in front of it, which no ledger writes.',
    action: 'Compare with another copy. Where the heads match, what wrote the ledger made a mistake: please report it.',
  },
  IDENTITY_TWICE: {
    means: 'One identity of a source has two entries, which no ledger writes.',
    action: 'Compare with another copy. Where the heads match, what wrote the ledger made a mistake: please report it.',
  },
  WITNESS_MISSING: {
    means: 'The newest head does not have the cosignatures that the policy asks for.',
    action: 'Verify again once the witnesses have signed, or ask them what they have seen of this log.',
  },
  COSIGNATURE_INVALID: {
    means: 'A cosignature is not what the named witness has signed.',
    action: 'Ask the witness for its own copy of the head, and keep this one as evidence.',
  },
  PROOF_INVALID: {
    means: 'The proof does not lead from this entry to the signed head.',
    action: 'Check that the entry has exactly the bytes that were delivered, without a line feed at its end; else ask for a new proof.',
  },
  FORMAT_UNKNOWN: {
    means: 'A file cannot be read as what its name says.',
    action: 'Verify with the version that wrote it or a newer one; if that was this one, restore the file from another copy.',
  },
} as const satisfies Record<string, { readonly means: string; readonly action: string }>;

/** One of the findings in the table. */
export type FindingCode = keyof typeof FINDINGS;

/** One thing that is not as it should be. */
export interface Finding {
  readonly code: FindingCode;
  /** What exactly, with the place. It never holds an event's content. */
  readonly message: string;
  /** The lowest index whose bytes or position are in question, the first one of a missing range; `null` where no entry is. */
  readonly index: number | null;
  /** The file, relative to the copy; `null` where it is not about one. */
  readonly file: string | null;
}

/** How many findings of one code are kept; all are counted. */
const KEPT_EACH = 20;

/** What was found so far: the first of each kind in full, and how many there were. */
export class Findings {
  readonly #kept: Finding[] = [];
  readonly #counts = new Map<FindingCode, number>();
  #lowest: Finding | null = null;

  add(code: FindingCode, message: string, place: { readonly index?: number | null; readonly file?: string | null } = {}): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    const finding: Finding = { code, message, index: place.index ?? null, file: place.file ?? null };
    if (count <= KEPT_EACH) this.#kept.push(finding);
    // The lowest place is kept however many came before it.
    if (finding.index !== null && finding.index < (this.#lowest?.index ?? Number.POSITIVE_INFINITY)) this.#lowest = finding;
  }

  /** Those that were kept, those with the lowest index first. */
  list(): readonly Finding[] {
    const place = ({ index }: Finding): number => index ?? Number.POSITIVE_INFINITY;
    const kept = this.#lowest === null || this.#kept.includes(this.#lowest) ? this.#kept : [this.#lowest, ...this.#kept];
    return kept.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
  }

  /** How many there were of each kind. */
  counts(): Readonly<Partial<Record<FindingCode, number>>> {
    return Object.fromEntries(this.#counts);
  }

  /** The lowest index that is in question, and the finding that says so; `null` where there is none. */
  lowest(): Finding | null {
    return this.#lowest;
  }

  get none(): boolean {
    return this.#kept.length === 0;
  }
}
