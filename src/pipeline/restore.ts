/**
 * Rebuilds a ledger that was lost from what a destination or an export kept. Nothing is guessed: entries come byte for byte to the
 * indexes that they had, or nothing is made. The work is done beside the place and renamed at the end, so that a ledger is there wholly or
 * not at all.
 */
import { dirname } from 'node:path';
import { WaybillError } from '../contracts/errors.ts';
import type { Run } from '../contracts/ledger.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Index, Position } from '../contracts/units.ts';
import { asIndex, asSize, CONTROL_SOURCE } from '../contracts/units.ts';
import { journalKey, recordsText } from '../delivery/records.ts';
import { createEmbeddedLedger } from '../ledger/embedded/create.ts';
import type { EmbeddedLedger } from '../ledger/embedded/embedded.ts';
import { openEmbeddedLedger } from '../ledger/embedded/embedded.ts';
import type { Edge } from '../tlog/edge.ts';
import { EMPTY_EDGE, growEdge, rootHash } from '../tlog/edge.ts';
import { sha256 } from '../tree/grow.ts';
import { type HeadRecord, type KeyRanges, recordHead, recordKeys } from '../tree/head-register.ts';
import { envelopeAt } from './restore-envelope.ts';

/** An entry as a destination holds it. */
export interface KeptEntry {
  readonly index: Index;
  readonly bytes: Uint8Array;
}

/** A head of the tree that is known to have been: the root over the first `size` entries, in base64. */
export interface KnownHead {
  readonly size: number;
  readonly root: string;
}

/** What is rebuilt, and from what. */
export interface RestoreOptions {
  readonly origin: string;
  /** Where the ledger is to be. Nothing may be there. */
  readonly into: string;
  readonly segmentBytes: number;
  readonly reservedBytes: number;
  readonly entries: AsyncIterable<KeptEntry>;
  /** Heads that are known: the entries have to fit each of them. Without any, what is missing at the end cannot be noticed. */
  readonly heads: readonly KnownHead[];
  /**
   * The name of the log that had these entries, when it ended because its last ones are lost for good: this one goes on under a name of its
   * own, and its first own entry says so. A known head beyond the entries is then what was lost, and no fault. `null`: it is the same log.
   */
  readonly continues: string | null;
  /** The signed head and the keys that the log had: they go on. `null`: none are known, and the first head is signed as in a new log. */
  readonly signed: { readonly head: HeadRecord; readonly keys: KeyRanges } | null;
  /** The destination that holds the entries and goes on where they end; `null`: none. */
  readonly destination: string | null;
  readonly onProgress: (entries: number) => void;
}

/** What was rebuilt. */
export interface Restored {
  readonly size: number;
  /** The root over all entries, in base64. */
  readonly root: string;
  /** How many entries each source has. */
  readonly sources: Readonly<Record<string, number>>;
}

const RUN_ENTRIES = 1_024;
const RUN_BYTES = 1 << 20;
const PROGRESS_EVERY = 100_000;

/**
 * Rebuilds the ledger. Rejects with `LEDGER_EXISTS` when something is there, with `RESTORE_INCOMPLETE` when entries are missing, with
 * `RESTORE_INVALID` when one is not as a ledger wrote it, and with `RESTORE_MISMATCH` when the tree is not that of the known head. What a
 * failure or a crash leaves beside the place is removed by the next call.
 */
export async function restoreLedger(options: RestoreOptions, ports: Pick<Ports, 'disk' | 'clock' | 'random' | 'log'>): Promise<Restored> {
  const { disk } = ports;
  const { origin, into, segmentBytes, reservedBytes } = options;
  const beside = `${into}.restoring`;
  if ((await disk.list(into)).length > 0) throw new WaybillError('LEDGER_EXISTS', `${into} is not empty`);
  await removeLeft(beside, ports);
  await createEmbeddedLedger({ origin, path: beside }, ports);
  const place = { origin, path: beside, limitBytes: null, segmentBytes, reservedBytes };
  const ledger = await openEmbeddedLedger(place, ports);
  let restored: Restored;
  try {
    restored = await fill(ledger, options, ports);
    if (options.signed !== null) {
      await recordKeys(ledger.register, options.signed.keys);
      await recordHead(ledger.register, options.signed.head);
    }
    if (options.destination !== null) {
      const began = { type: 'began', v: 1, cursor: asIndex(restored.size), at: ports.clock.now() } as const;
      await ledger.journal.append(journalKey(options.destination), recordsText(1, [began]));
    }
  } finally {
    await ledger.close();
  }
  await disk.makeDirectory(dirname(into));
  await disk.rename(beside, into);
  await disk.syncDirectory(dirname(into));
  return restored;
}

async function removeLeft(beside: string, { disk }: Pick<Ports, 'disk'>): Promise<void> {
  if ((await disk.list(beside)).length === 0) return;
  // Another one may be at work there.
  await (await disk.lock(`${beside}/lock`)).release();
  for (const directory of [`${beside}/segments`, `${beside}/snapshots`, beside])
    for (const name of await disk.list(directory)) {
      const path = `${directory}/${name}`;
      if (path !== `${beside}/segments` && path !== `${beside}/snapshots`) await disk.remove(path);
    }
}

async function fill(ledger: EmbeddedLedger, options: RestoreOptions, { clock }: Pick<Ports, 'clock'>): Promise<Restored> {
  const { entries, heads, continues, onProgress } = options;
  const filling = new Filling(ledger, heads);
  let told = 0;
  for await (const entry of entries) {
    await filling.take(entry);
    if (filling.next - told < PROGRESS_EVERY) continue;
    told = filling.next;
    onProgress(told);
  }
  if (continues === null) await filling.refuseIncomplete();
  else await filling.continue(continues, clock.now());
  return filling.end();
}

/** Gathers neighbouring entries of one source and partition into runs, and grows the tree beside them. */
class Filling {
  /** The index that is needed next. */
  next = 0;
  readonly #ledger: EmbeddedLedger;
  #heads: readonly KnownHead[];
  readonly #counts = new Map<string, number>();
  #edge: Edge = EMPTY_EDGE;
  #run: (Pick<Run, 'source' | 'partition'> & { position: Position | null; readonly moves: Run['moves'] }) | null = null;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #receivedAt = '';

  constructor(ledger: EmbeddedLedger, heads: readonly KnownHead[]) {
    this.#ledger = ledger;
    this.#heads = heads;
  }

  async take({ index, bytes }: KeptEntry): Promise<void> {
    if (index > this.next) throw missing(this.next, index);
    if (index < this.next) throw invalid(index, `it comes after entry ${this.next - 1}`);
    const { source, n, partition, position, receivedAt, moves } = envelopeAt(index, bytes);
    const expected = this.#counts.get(source) ?? 0;
    if (n !== expected) throw invalid(index, `it is number ${n} of source ${source}, where ${expected} is next`);
    if (receivedAt < this.#receivedAt) throw invalid(index, 'it was received before the entry in front of it');
    const run = this.#run;
    const fits = run !== null && run.source === source && run.partition === partition && moves === undefined;
    if (!fits || this.#parts.length === RUN_ENTRIES || this.#bytes + bytes.length > RUN_BYTES) await this.#append();
    this.#run ??= { source, partition, position, moves };
    this.#run.position = position;
    // What a destination hands out may be a view of memory that it uses again.
    this.#parts.push(Uint8Array.from(bytes));
    this.#bytes += bytes.length;
    this.#counts.set(source, n + 1);
    this.#receivedAt = receivedAt;
    this.next++;
    for (const head of this.#heads.filter(({ size }) => size === this.next)) {
      await this.#append();
      this.#compare(head);
    }
  }

  /** Rejects with `RESTORE_INCOMPLETE` when a known head covers more entries than there are. */
  async refuseIncomplete(): Promise<void> {
    const beyond = this.#beyond();
    if (beyond === null) return;
    throw new WaybillError('RESTORE_INCOMPLETE', `there are ${this.next} entries, and the known head covers ${beyond.size}`);
  }

  /** Writes the entry that says which log ended here, with which head, and what of it was lost. */
  async continue(origin: string, now: number): Promise<void> {
    await this.#append();
    const { next: size } = this;
    const known = this.#beyond();
    // What is beyond was in the other log: here something else comes to its place.
    this.#heads = [];
    const lost = known === null ? null : { from: size, through: known.size - 1 };
    const event = JSON.stringify({ type: 'log.continued', origin, size, root: this.#root(), lost, known_head: known });
    const clock = new Date(now).toISOString();
    const receivedAt = clock > this.#receivedAt ? clock : this.#receivedAt;
    const head = `{"v":1,"source":"${CONTROL_SOURCE}","n":${this.#counts.get(CONTROL_SOURCE) ?? 0},"partition":null,"position":null`;
    const id = JSON.stringify(`log.continued:${origin}`);
    const text = `${head},"received_at":"${receivedAt}","id":${id},"schema":"waybill/control","event":${event}}`;
    await this.take({ index: asIndex(size), bytes: Buffer.from(text) });
  }

  async end(): Promise<Restored> {
    await this.#append();
    return { size: this.next, root: this.#root(), sources: Object.fromEntries(this.#counts) };
  }

  /** The largest known head, when it covers entries that are not there. */
  #beyond(): KnownHead | null {
    const largest = this.#heads.toSorted((a, b) => a.size - b.size).at(-1);
    return largest !== undefined && largest.size > this.next ? largest : null;
  }

  #root(): string {
    return Buffer.from(rootHash(sha256, this.#edge), 'latin1').toString('base64');
  }

  #compare({ size, root }: KnownHead): void {
    if (this.#root() === root) return;
    throw new WaybillError('RESTORE_MISMATCH', `the root over the first ${size} entries is ${this.#root()} and not ${root}`);
  }

  async #append(): Promise<void> {
    if (this.#run === null) return;
    const { source, partition, position, moves } = this.#run;
    if (moves !== undefined && this.#ledger.positions(moves.to).size > 0) throw invalid(this.next - 1, `${moves.to} had places before`);
    const bytes = Buffer.concat(this.#parts);
    const offsets = new Uint32Array(this.#parts.length + 1);
    for (const [k, part] of this.#parts.entries()) offsets[k + 1] = (offsets[k] as number) + part.length;
    const count = this.#parts.length;
    const room = await this.#ledger.reserve(count, bytes.length);
    const run = { source, partition, position, ...(moves === undefined ? {} : { moves }), bytes, offsets, count };
    await this.#ledger.append(run, asSize(this.#ledger.assigned()), room);
    this.#edge = growEdge(sha256, this.#edge, bytes, offsets.subarray(0, count), offsets.subarray(1));
    this.#run = null;
    this.#parts = [];
    this.#bytes = 0;
  }
}

function missing(from: number, next: number): WaybillError {
  const which = next === from + 1 ? `entry ${from} is` : `entries ${from} to ${next - 1} are`;
  return new WaybillError('RESTORE_INCOMPLETE', `${which} missing`);
}

function invalid(index: number, what: string): WaybillError {
  return new WaybillError('RESTORE_INVALID', `entry ${index} cannot be taken over: ${what}`);
}
