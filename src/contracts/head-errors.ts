import type { CodeFacts } from './delivery-errors.ts';

/** The errors of keys and signed heads: rows of the closed table in `errors.ts`. */
export const HEAD_CODES = {
  KEYS_MISSING: {
    remedy: 'halt',
    means: 'The private keys of the log are not where the configuration says.',
    action:
      'If this log never had keys, run `waybill init`: it makes them and changes nothing else. If it had, put them back from their copy: ' +
      'with new ones nobody who knows the old ones can check what comes.',
  },
  KEYS_EXPOSED: {
    remedy: 'halt',
    means: 'Others than the owner of the file can read or replace a private key, so its signatures would prove nothing.',
    action: 'Run `chmod 600` on the file that the message names, then start again.',
  },
  KEY_INVALID: {
    remedy: 'halt',
    means: 'What should be a private key of this log is none, or belongs to another log.',
    action:
      'Nothing was changed. Put the right key there, or give this log a directory of its own with `ledger.keys` and run ' +
      '`waybill init`.',
  },
  KEY_FOREIGN: {
    remedy: 'halt',
    means: 'The private key that is there is another one than the key that signs this log.',
    action:
      'Nothing was signed. Put the key back that the message names first, from its copy. To go over to another key, ' +
      'run `waybill key rotate`; if the old one is gone, `waybill key rotate --lost`.',
  },
  KEY_ROTATION_REFUSED: {
    remedy: 'halt',
    means: 'The key of the log cannot be changed this way. Nothing was changed.',
    action: 'Do what the message says, then run `waybill key rotate` again.',
  },
  SIGNING_FAILED: {
    remedy: 'retry',
    means: 'The key of the log could not be reached, so there are no newer heads. Events are accepted and delivered as before.',
    action: 'Look at what keeps the key; signing is tried again by itself.',
  },
  WITNESS_UNREACHABLE: {
    remedy: 'retry',
    means: 'A witness of the log could not be reached, or did not answer in its time.',
    action: 'Nothing to do if it comes back: it is asked again by itself.',
  },
  WITNESS_REFUSED: {
    remedy: 'halt',
    means: 'A witness refused to sign, or its answer is no cosignature of the key that the configuration has for it.',
    action:
      'Give the witness the verifier key of this log (`waybill key show`), and correct its `url` and `vkey`; it is asked again by itself.',
  },
  HEAD_UNWITNESSED: {
    remedy: 'retry',
    means: 'Witnesses that have to sign have not, so there are no newer heads. Events are accepted and delivered as before.',
    action: 'Repair the witnesses that `waybill status` names, or take `required` from them and restart.',
  },
  WITNESS_CONFLICT: {
    remedy: 'halt',
    means: 'A witness has signed a head of this log that the tree here does not continue: there are two histories of one log.',
    action:
      'No more heads are published. Keep both, and find out which one is right: two processes with one key, or an older copy of the ' +
      'ledger that was started. `waybill restore` rebuilds the one that has more. Only if the witness is wrong, take it out and restart.',
  },
} as const satisfies Record<string, CodeFacts>;
