import type { CodeFacts } from './delivery-errors.ts';

/** The errors of `waybill witness`: rows of the closed table in `errors.ts`. */
export const WITNESS_CODES = {
  WITNESS_MISSING: {
    remedy: 'halt',
    means: 'The directory of the witness does not hold what it has signed.',
    action:
      'If this witness is new, run `waybill witness init`. If it is not, put the directory back: one that has forgotten what it signed ' +
      'would sign another history. Where it is lost for good, give the new one another name and key, and tell those who trust the old one.',
  },
  WITNESS_INVALID: {
    remedy: 'halt',
    means: 'What the witness has signed cannot be read, or belongs to another witness.',
    action:
      'Nothing was changed, and nothing is signed. Correct `path`, or put the directory back from a copy that is not older than the last ' +
      'head. Where there is none, give the witness another name and key.',
  },
  WITNESS_KEY_INVALID: {
    remedy: 'halt',
    means: 'The private key of the witness is not where its configuration says, or it is no key of a witness of this name.',
    action:
      'If this witness is new, run `waybill witness init`, which makes it. If it is not, put the key back from its copy: nobody trusts ' +
      'the signatures of another one.',
  },
  WITNESS_LOCKED: {
    remedy: 'halt',
    means: 'Another process runs this witness.',
    action: 'Stop the other process, or give this one a directory, a name and a key of its own.',
  },
} as const satisfies Record<string, CodeFacts>;
