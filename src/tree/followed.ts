import type { Ledger } from '../contracts/ledger.ts';

/** What the tree needs of the ledger. */
export type FollowedLedger = Pick<Ledger, 'origin' | 'read' | 'size' | 'beginning' | 'waitBeyond' | 'register'>;
