import { setFlagsFromString } from 'node:v8';

/**
 * Tells the engine when to collect, for a process whose memory is mostly buffers outside of the heap: request bodies, batches, the ledger's
 * newest entries. By default every 64 MB of buffers force a full collection, although they come and go without ever filling the heap:
 * 40 full collections for 200,000 events, a quarter of all the work. Here buffers count with the heap, and the two may double before a full
 * collection. Call it before there is any load.
 */
export function collectByTotalMemory(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString('--heap-growing-percent=100');
}
