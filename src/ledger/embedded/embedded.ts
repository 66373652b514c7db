import { WaybillError } from '../../contracts/errors.ts';
import type { Ledger } from '../../contracts/ledger.ts';
import type { Disk, Ports } from '../../contracts/ports.ts';
import type { Index } from '../../contracts/units.ts';
import { identityOf } from './layout.ts';
import { embeddedLedger } from './ledger.ts';
import type { EmbeddedOptions, LedgerFacts } from './options.ts';
import { readLedgerFacts } from './options.ts';
import type { Prunable } from './pruning.ts';
import type { Recovered } from './recovery.ts';
import { recover } from './recovery.ts';
import type { Scrubbed } from './scrub.ts';
import type { OpenSegment, SpaceLimits } from './space.ts';

/** What the ledger takes on the disk, in bytes. */
export interface SpaceUse {
  readonly used: number;
  readonly limit: number;
  /** Bytes of frames that were placed since the ledger was opened: with the time since then, how fast it grows. */
  readonly placed: number;
}

/** The ledger in a directory of its own on this machine. */
export interface EmbeddedLedger extends Ledger {
  /**
   * Checks the segments that are full, a slice at a time, and resolves when all of them hold. Rejects with `LEDGER_CORRUPT`, which names
   * file and offset.
   */
  scrub(signal: AbortSignal): Promise<Scrubbed>;
  space(): SpaceUse;
  /** Changes how much the ledger may take from now on; `null`: what the disk has. Who waits for room is looked at again. */
  changeLimit(limitBytes: number | null): void;
  /** The segments that are full, oldest first: retention removes whole ones. */
  full(): readonly FullSegment[];
  /**
   * What `prune(to)` would remove now: the segments that end at or below `to`, as far as no recovery needs anything of them; `null` for
   * none. Nothing of it changes by itself, so that it can be declared first.
   */
  prunable(to: Index): Prunable | null;
  /**
   * Removes the oldest segments, those that end at or below `to` and that no recovery needs. `beginning()` moves at once and before
   * anything is removed; who reads below it gets `LEDGER_PRUNED`. Whatever a crash leaves undone is done by the next start, what a disk
   * refuses by the next call.
   */
  prune(to: Index): Promise<void>;
}

/** A segment that nothing more is written to: its entries are `first … end - 1`. */
export interface FullSegment {
  readonly first: Index;
  readonly end: Index;
  readonly bytes: number;
}

const MIB = 1024 * 1024;

/**
 * Opens a ledger for this process alone, after bringing it back from whatever ended the last one. Rejects with `LEDGER_MISSING` when
 * there is none, with `LEDGER_LOCKED` while another process has it open, with `LEDGER_ORIGIN` or `LEDGER_FORMAT` when it is not the one
 * that was meant, and with `LEDGER_CORRUPT`, having changed nothing, when bytes changed that were promised.
 */
export async function openEmbeddedLedger(options: EmbeddedOptions, ports: Pick<Ports, 'disk' | 'clock' | 'log'>): Promise<EmbeddedLedger> {
  const { disk, clock, log } = ports;
  const { path } = options;
  await readFacts(disk, options);
  const lock = await disk.lock(`${path}/lock`);
  try {
    const facts = await readFacts(disk, options);
    const identity = identityOf(facts.id);
    // Who created the ledger may have died before its name was durable, and from here on entries depend on it.
    await disk.syncDirectory(path);
    const recovered = await recover(disk, path, identity, log);
    // What was prepared has no name in the order yet, and holds nothing.
    for (const left of [`${path}/segments/prepared`, `${path}/snapshots/new`])
      if ((await disk.length(left)) !== null) await disk.remove(left);
    return embeddedLedger({
      origin: facts.origin,
      path,
      identity,
      disk,
      clock,
      log,
      limits: limitsOf(options),
      ringBytes: options.ringBytes ?? 48 * MIB,
      groupBytes: options.groupBytes ?? 4 * MIB,
      recovered,
      current: await openTail(disk, recovered),
      fullBytes: await lengthsOf(
        disk,
        recovered.segments.slice(0, -1).map((segment) => segment.path),
      ),
      snapshotBytes: await lengthsOf(
        disk,
        (await disk.list(`${path}/snapshots`)).map((name) => `${path}/snapshots/${name}`),
      ),
      unlock: () => lock.release(),
    });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function readFacts(disk: Disk, { origin, path }: EmbeddedOptions): Promise<LedgerFacts> {
  const facts = await readLedgerFacts(disk, path);
  if (facts === null) throw new WaybillError('LEDGER_MISSING', `${path} holds no ledger`);
  if (facts.origin !== origin) throw new WaybillError('LEDGER_ORIGIN', `the ledger in ${path} is ${facts.origin} and not ${origin}`);
  return facts;
}

function limitsOf(options: EmbeddedOptions): SpaceLimits {
  const segmentBytes = options.segmentBytes ?? 64 * MIB;
  return {
    limitBytes: options.limitBytes ?? Number.MAX_SAFE_INTEGER,
    segmentBytes,
    reservedBytes: options.reservedBytes ?? 4 * MIB,
    aheadBytes: options.aheadBytes ?? Math.min(8 * MIB, Math.max(64 * 1024, segmentBytes >>> 3)),
  };
}

async function openTail(disk: Disk, { tail, tailIndex }: Recovered): Promise<OpenSegment> {
  const { ordinal, first, path } = tail.segment;
  const file = await disk.open(path, 'existing');
  return { ordinal, file, index: tailIndex, first, tail: tail.at, allocated: Math.max(tail.at, await file.length()), named: true };
}

async function lengthsOf(disk: Disk, paths: readonly string[]): Promise<readonly number[]> {
  const lengths: number[] = [];
  for (const path of paths) lengths.push((await disk.length(path)) ?? 0);
  return lengths;
}
