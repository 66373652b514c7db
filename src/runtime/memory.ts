import { setFlagsFromString } from 'node:v8';

/**
 * Counts memory outside of the heap (request bodies, batches) with the heap when the engine decides to collect.
 * By default every 64 MB of such memory force a full collection, although it comes and goes without ever filling the heap:
 * under load that was forty full collections for 200,000 events, and with this ten. Call it before there is any load.
 */
export function collectByTotalMemory(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}
