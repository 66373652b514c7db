import { identityJobs } from '../../src/ledger/identities/jobs.ts';
import { openDisk } from '../../src/runtime/disk.ts';

/** The background jobs of the measurement of identities. */
export const jobs = identityJobs(openDisk());
