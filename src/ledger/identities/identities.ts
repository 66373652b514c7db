import { assert } from '../../contracts/assert.ts';
import { WaybillError } from '../../contracts/errors.ts';
import type { Identities, Ledger } from '../../contracts/ledger.ts';
import type { Ports } from '../../contracts/ports.ts';
import { asIndex, asSize, CONTROL_SOURCE, type Index, type Size } from '../../contracts/units.ts';
import { Compaction } from './compaction.ts';
import { EnvelopeReader } from './envelope.ts';
import { Fingerprint } from './fingerprint.ts';
import { Flusher } from './flusher.ts';
import { insist, messageOf } from './insist.ts';
import { Memtable } from './memtable.ts';
import { RunStore } from './run-store.ts';

/** Where the index lies and how much memory it may take. */
export interface IdentitiesOptions {
  /** A directory of its own. */
  readonly path: string;
  /** Memory for everything together; 64 MiB when absent. Where it is scarce, look-ups go to the disk more often. */
  readonly memoryBytes?: number;
  /** How many identities are gathered in memory before they are written; 131,072 when absent. */
  readonly memtableEntries?: number;
}

/** What the index needs of the ledger. */
export type IdentitiesLedger = Pick<Ledger, 'size' | 'assigned' | 'read' | 'beginning'>;

/** What the index needs of the outside. The jobs of `identityJobs` have to be known to `background`. */
export type IdentitiesPorts = Pick<Ports, 'background' | 'clock' | 'disk' | 'log' | 'random'>;

/** How far reading the ledger has come: entries below `at` of `through` are in. */
export interface IdentitiesProgress {
  readonly at: Size;
  readonly through: Size;
}

/** What the index looks like now. */
export interface IdentitiesFacts {
  /** How many identities are in runs. */
  readonly entries: number;
  readonly runs: number;
  readonly memoryBytes: number;
  readonly rebuilding: boolean;
  /**
   * Identities of entries below it are not known, because the index was lost after retention had removed those entries; 0 while all of them
   * are known. It counts since the index was opened.
   */
  readonly forgottenBelow: Index;
}

/** An index of identities that was opened. */
export interface OpenIdentities extends Identities {
  /**
   * `null` when more can be added. Otherwise the caller has to wait before it accepts more: the disk is slower than the events,
   * or the index is being rebuilt. It resolves when that may have ended, so it is asked again.
   */
  ready(): Promise<void> | null;
  /** The identities of all entries below it are on disk. Retention must not remove an entry at or above it. */
  watermark(): Size;
  /** Begins to write what is only in memory, so that the watermark moves on. */
  persist(): void;
  facts(): IdentitiesFacts;
}

const MEMORY_BYTES = 64 * 1024 * 1024;
const MEMTABLE_ENTRIES = 131_072;

/** How many full memtables may wait to be written. */
const FROZEN_MAX = 2;

/** Everything that is not a memtable, a fence or a filter. */
const MEMORY_APART = 64 * 1024;

const REPLAY_LIMITS = { entries: 4096, bytes: 1 << 20 };
const DURABLE_WAIT_MS = 5;

const NOTHING: readonly Index[] = [];

/**
 * Opens the index of identities in a directory and brings it up to the ledger: what lies above its watermark is read from there.
 * An index that is missing, damaged, or of another ledger is rebuilt from the first entry on. Rejects with `LEDGER_REWOUND` when it is
 * ahead of the ledger.
 */
export async function openIdentities(
  options: IdentitiesOptions,
  ledger: IdentitiesLedger,
  ports: IdentitiesPorts,
  onProgress: (progress: IdentitiesProgress) => void = () => {},
): Promise<OpenIdentities> {
  const index = new IdentityIndex(options, ledger, ports);
  try {
    await index.open(onProgress);
  } catch (error) {
    await index.close();
    throw error;
  }
  return index;
}

class IdentityIndex implements OpenIdentities {
  readonly #ledger: IdentitiesLedger;
  readonly #ports: IdentitiesPorts;
  readonly #memtableEntries: number;
  readonly #store: RunStore;
  readonly #flusher: Flusher;
  readonly #compaction: Compaction;
  readonly #closing = new AbortController();
  #isOpen = true;
  /** How many readings of the ledger have begun: only the last one may add. */
  #replays = 0;
  readonly #hits: number[] = [];
  #fingerprint: Fingerprint;
  #active: Memtable;
  #spare: Memtable | null = null;
  #forgottenBelow = asIndex(0);
  /** Set while the index is being rebuilt. */
  #rebuilding: Promise<void> | null = null;
  #room: PromiseWithResolvers<void> | null = null;

  constructor(options: IdentitiesOptions, ledger: IdentitiesLedger, ports: IdentitiesPorts) {
    this.#ledger = ledger;
    this.#ports = ports;
    this.#memtableEntries = options.memtableEntries ?? MEMTABLE_ENTRIES;
    const tables = (FROZEN_MAX + 1) * Memtable.bytesFor(this.#memtableEntries);
    this.#store = new RunStore(options.path, (options.memoryBytes ?? MEMORY_BYTES) - tables - MEMORY_APART, ports);
    this.#flusher = new Flusher(this.#store, ledger, ports, (table) => this.#onFlushed(table));
    this.#compaction = new Compaction(this.#store, ports, (reason) => this.#rebuild(reason));
    this.#fingerprint = new Fingerprint(this.#store.seed);
    this.#active = new Memtable(this.#memtableEntries);
  }

  async open(onProgress: (progress: IdentitiesProgress) => void): Promise<void> {
    const reason = await this.#store.load(this.#ledger);
    if (reason !== null) {
      this.#ports.log.warn('the index of identities is rebuilt', { reason });
      await this.#store.reset();
    }
    this.#fingerprint = new Fingerprint(this.#store.seed);
    this.#compaction.consider();
    await this.#replay(onProgress);
    // A merge may have met damage meanwhile; then the rebuild has put an end to this reading and began its own.
    while (this.#rebuilding !== null) await this.#rebuilding;
  }

  find(source: string, bytes: Uint8Array, start: number, end: number): readonly Index[] {
    assert(this.#isOpen, 'an identity was looked up after the index was closed');
    if (this.#rebuilding !== null) throw rebuildingError();
    const fingerprint = this.#fingerprint;
    fingerprint.of(source, bytes, start, end);
    const { high, low } = fingerprint;
    const hits = this.#hits;
    this.#active.collect(high, low, hits);
    const frozen = this.#flusher.frozen;
    for (let at = 0; at < frozen.length; at++) frozen[at]!.collect(high, low, hits);
    const runs = this.#store.runs;
    for (let at = 0; at < runs.length; at++) if (runs[at]!.mayHold(high, low)) this.#search(at, high, low);
    return hits.length === 0 ? NOTHING : this.#takeHits();
  }

  add(source: string, bytes: Uint8Array, start: number, end: number, index: Index): void {
    assert(this.#isOpen, 'an identity was added after the index was closed');
    // A rebuild ends only when it has read every entry that was numbered, this one too.
    if (this.#rebuilding === null) this.#remember(source, bytes, start, end, index);
  }

  ready(): Promise<void> | null {
    return this.#rebuilding ?? this.#roomForMore();
  }

  watermark(): Size {
    return this.#store.watermark;
  }

  persist(): void {
    if (this.#isOpen && this.#rebuilding === null && this.#active.count > 0) this.#freeze();
  }

  facts(): IdentitiesFacts {
    const tables = [this.#active, ...this.#flusher.frozen, ...(this.#spare === null ? [] : [this.#spare])];
    return {
      entries: this.#store.runs.reduce((sum, run) => sum + run.entries, 0),
      runs: this.#store.runs.length,
      memoryBytes: tables.reduce((sum, table) => sum + table.bytes, this.#store.bytes + MEMORY_APART),
      rebuilding: this.#rebuilding !== null,
      forgottenBelow: this.#forgottenBelow,
    };
  }

  /** What is in memory is written as well if that can be done now; if not, the next start reads it from the ledger. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#closing.abort();
    this.#wake();
    await this.#rebuilding;
    await this.#stopBackground();
    // A rebuild that was stopped half-way stays set: what it had read so far is not the index.
    if (this.#rebuilding === null) await this.#flushRest();
    await this.#store.close();
  }

  /** The flusher first: its last run may be what a merge was waiting for. */
  async #stopBackground(): Promise<void> {
    await this.#flusher.stop();
    await this.#compaction.stop();
  }

  async #flushRest(): Promise<void> {
    try {
      for (const table of [...this.#flusher.frozen, this.#active]) {
        if (table.count > 0 && !(await this.#flusher.flushOnce(table))) return;
      }
    } catch (error) {
      this.#ports.log.warn('the newest identities could not be written and are read from the ledger at the next start', {
        reason: messageOf(error),
      });
    }
  }

  /** `null` while full memtables are written as fast as they come. */
  #roomForMore(): Promise<void> | null {
    if (!this.#isOpen) return null;
    if (this.#active.count < this.#memtableEntries || this.#flusher.frozen.length < FROZEN_MAX) return null;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  #remember(source: string, bytes: Uint8Array, start: number, end: number, index: number): void {
    const fingerprint = this.#fingerprint;
    fingerprint.of(source, bytes, start, end);
    this.#active.add(fingerprint.high, fingerprint.low, index);
    if (this.#active.count >= this.#memtableEntries) this.#freeze();
  }

  /** Hands a full memtable over, if there is room for one more. If not it grows; who asks `ready` keeps it from growing far. */
  #freeze(): void {
    if (this.#flusher.frozen.length >= FROZEN_MAX) return;
    const full = this.#active;
    this.#active = this.#spare ?? new Memtable(this.#memtableEntries);
    // Indexes go on where the last table ended, which the table checks.
    this.#active.highest = full.highest;
    this.#spare = null;
    this.#flusher.push(full);
  }

  #onFlushed(table: Memtable): void {
    if (table.bytes === Memtable.bytesFor(this.#memtableEntries) && this.#spare === null) {
      table.clear();
      this.#spare = table;
    }
    if (this.#active.count >= this.#memtableEntries) this.#freeze();
    this.#wake();
    this.#compaction.consider();
  }

  #search(at: number, high: number, low: number): void {
    try {
      this.#store.runs[at]!.collect(high, low, this.#hits);
    } catch (error) {
      this.#hits.length = 0;
      this.#rebuild(messageOf(error));
      throw rebuildingError();
    }
  }

  #takeHits(): readonly Index[] {
    const found = [...new Set(this.#hits)].sort((a, b) => b - a).map(asIndex);
    this.#hits.length = 0;
    return found;
  }

  /** Rebuilds the index while the process runs. Until it is done nothing is looked up, so that nothing is taken twice. */
  #rebuild(reason: string): void {
    if (this.#rebuilding !== null || !this.#isOpen) return;
    this.#ports.log.error('the index of identities is damaged and is rebuilt', { reason });
    this.#rebuilding = this.#startOver();
  }

  async #startOver(): Promise<void> {
    try {
      await insist('rebuild', () => this.#rebuildOnce(), this.#ports, this.#closing.signal);
      this.#ports.log.info('the index of identities is complete again');
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
    }
  }

  async #rebuildOnce(): Promise<void> {
    this.#replays++;
    await this.#stopBackground();
    this.#flusher.clear();
    this.#active = new Memtable(this.#memtableEntries);
    await this.#store.reset();
    this.#fingerprint = new Fingerprint(this.#store.seed);
    this.#wake();
    await this.#replay(() => {});
  }

  /**
   * Reads from the ledger what lies above the watermark, until every entry that has been numbered is in.
   * It ends early when another reading takes its place.
   */
  async #replay(onProgress: (progress: IdentitiesProgress) => void): Promise<void> {
    const { clock, log } = this.#ports;
    const { signal } = this.#closing;
    const reader = new EnvelopeReader();
    const mine = ++this.#replays;
    let at: number = Math.max(this.#store.watermark, this.#ledger.beginning());
    if (at > this.#store.watermark) {
      this.#forgottenBelow = asIndex(at);
      log.warn('the identities of entries that the ledger no longer keeps are forgotten', {
        from: this.#store.watermark,
        below: at,
      });
    }
    if (at < this.#ledger.assigned()) log.info('the index of identities reads the ledger', { from: at, through: this.#ledger.assigned() });
    for (;;) {
      signal.throwIfAborted();
      if (mine !== this.#replays) return;
      if (at >= this.#ledger.assigned()) break;
      if (at >= this.#ledger.size()) {
        await clock.sleep(DURABLE_WAIT_MS, signal);
        continue;
      }
      const batch = await this.#ledger.read(asIndex(at), REPLAY_LIMITS);
      if (mine !== this.#replays) return;
      for (let place = 0; place < batch.count; place++) {
        if (!reader.read(batch.bytes, batch.starts[place]!, batch.ends[place]!)) {
          throw new WaybillError('LEDGER_CORRUPT', `entry ${at + place} does not begin like an entry`);
        }
        if (reader.source !== CONTROL_SOURCE) this.#remember(reader.source, batch.bytes, reader.idStart, reader.idEnd, at + place);
      }
      at += batch.count;
      onProgress({ at: asSize(at), through: this.#ledger.size() });
      await this.#roomForMore();
    }
    // In the same turn as the last look at the ledger: what is added from here on is remembered at once, as `add` wants it.
    this.#rebuilding = null;
  }

  /** Lets those go on who wait for room; they ask again. */
  #wake(): void {
    this.#room?.resolve();
    this.#room = null;
  }
}

function rebuildingError(): WaybillError {
  return new WaybillError('IDENTITIES_REBUILDING', 'the index of identities is being rebuilt', { retryAfterMs: 5_000 });
}
