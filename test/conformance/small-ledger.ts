import type { Disk, Log, Ports } from '../../src/contracts/ports.ts';
import { createEmbeddedLedger } from '../../src/ledger/embedded/create.ts';
import { type EmbeddedLedger, openEmbeddedLedger } from '../../src/ledger/embedded/embedded.ts';
import type { EmbeddedOptions } from '../../src/ledger/embedded/options.ts';
import { append, simpleRun } from './ledger-workload.ts';
import type { MemoryDisk } from './memory-disk.ts';

/** A ledger so small that segments end, groups are cut and memory is given back all the time. */
export const OPTIONS = {
  origin: 'test.example/audit',
  path: '/ledger',
  limitBytes: null,
  segmentBytes: 8_192,
  reservedBytes: 4_096,
  ringBytes: 65_536,
  aheadBytes: 8_192,
  groupBytes: 16_384,
} as const satisfies EmbeddedOptions;

const SILENT: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The ports of a ledger on this disk: nothing else of the world matters to it. */
export function portsOf(disk: Disk, log: Log = SILENT): Pick<Ports, 'disk' | 'clock' | 'random' | 'log'> {
  const clock = {
    now: () => 1_796_000_000_000,
    monotonic: () => 0,
    sleep: async (_ms: number, signal?: AbortSignal) => signal?.throwIfAborted(),
  };
  const random = { next: () => 0.5, bytes: (count: number) => Uint8Array.from({ length: count }, (_, k) => (k * 37 + 11) & 0xff) };
  return { disk, clock, random, log };
}

/** Creates a ledger and opens it. */
export async function newLedger(disk: Disk, options: EmbeddedOptions = OPTIONS): Promise<EmbeddedLedger> {
  await createEmbeddedLedger(options, portsOf(disk));
  return openEmbeddedLedger(options, portsOf(disk));
}

/** Opens a ledger that is there. */
export function reopen(disk: Disk, options: EmbeddedOptions = OPTIONS): Promise<EmbeddedLedger> {
  return openEmbeddedLedger(options, portsOf(disk));
}

/** Lets what is under way go on for so many turns. */
export async function turns(count: number): Promise<void> {
  for (let k = 0; k < count; k++) await Promise.resolve();
}

/** Appends runs until there are so many segments. */
export async function fillSegments(ledger: EmbeddedLedger, disk: MemoryDisk, segments: number): Promise<void> {
  while (disk.files().filter((name) => name.endsWith('.seg')).length < segments) await append(ledger, simpleRun('app', 64, 120));
}
