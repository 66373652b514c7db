/**
 * The entry of the background threads: every job that there is, by name. Threads are of the runtime; only this folder knows all the parts
 * that have jobs.
 */
import { identityJobs } from '../ledger/identities/jobs.ts';
import { openDisk } from '../runtime/disk.ts';
import { treeJobs } from '../tree/grow.ts';

/** The background jobs by name. */
export const jobs: Readonly<Record<string, (input: unknown) => Promise<unknown>>> = { ...identityJobs(openDisk()), ...treeJobs };
