import { assert } from '../../src/contracts/assert.ts';
import type { Batch } from '../../src/contracts/entry.ts';
import { WaybillError } from '../../src/contracts/errors.ts';
import type { Journal, Ledger, PastRecord, Register, Room, Run } from '../../src/contracts/ledger.ts';
import type { Index, Position, Size } from '../../src/contracts/units.ts';
import { asIndex, asSize } from '../../src/contracts/units.ts';

interface StoredRun {
  readonly source: string;
  readonly partition: string | null;
  readonly position: Position | null;
  readonly closesPartition: boolean;
  readonly moves: Run['moves'];
  readonly entries: readonly Buffer[];
}

/** What outlives a crash. */
interface Kept {
  readonly runs: readonly StoredRun[];
  readonly states: ReadonlyMap<string, string>;
  readonly records: ReadonlyMap<string, readonly string[]>;
  readonly past: readonly Past[];
}

/** A record, or the forgetting of its key, and how many entries had been numbered then. */
interface Past {
  readonly key: string;
  readonly size: number;
  readonly what: PastRecord;
}

/**
 * A ledger in memory that is honest about the two sizes: what is appended is assigned at once, and durable only after a flush. `hold` stops
 * the flushing until `flush`, so that a test decides when something becomes durable; `crash` is what would be there after a loss of power.
 */
export class MemoryLedger implements Ledger {
  readonly origin = 'test.example/log';
  readonly journal: Journal;
  readonly register: Register;
  readonly failed: Promise<Error>;
  limitBytes = Number.MAX_SAFE_INTEGER;
  reservedBytes = 0;
  readonly #runs: StoredRun[];
  readonly #entries: Buffer[] = [];
  readonly #states: Map<string, string>;
  readonly #records: Map<string, readonly string[]>;
  readonly #past: Past[];
  readonly #folds = new Map<string, { readonly fold: () => string; readonly always: boolean }>();
  readonly #waiting: { readonly size: number; settle(error: Error | null): void }[] = [];
  readonly #waiters: { readonly size: number; resolve(size: Size): void; reject(error: Error): void }[] = [];
  #durableRuns: number;
  #durable: number;
  #beginning = 0;
  #bytes = 0;
  #held = false;
  #failure: Error | null = null;
  #fail: (error: Error) => void = () => undefined;

  constructor(kept: Kept = { runs: [], states: new Map(), records: new Map(), past: [] }) {
    this.#runs = [...kept.runs];
    this.#states = new Map(kept.states);
    this.#records = new Map(kept.records);
    this.#past = [...kept.past];
    for (const run of this.#runs) this.#entries.push(...run.entries);
    this.#durableRuns = this.#runs.length;
    this.#durable = this.#entries.length;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.journal = this.#makeJournal();
    const facts = new Map<string, string>();
    this.register = {
      get: (key) => facts.get(key) ?? null,
      async set(key, value, expected) {
        if ((facts.get(key) ?? null) !== expected) throw new WaybillError('REGISTER_CONFLICT', `${key} changed`);
        facts.set(key, value);
      },
    };
  }

  async reserve(_count: number, bytes: number, purpose: 'events' | 'control' = 'events'): Promise<Room> {
    if (this.#failure !== null) throw new WaybillError('LEDGER_FAILED', 'the ledger has failed', { cause: this.#failure });
    const limit = purpose === 'control' ? this.limitBytes + this.reservedBytes : this.limitBytes;
    if (this.#bytes + bytes > limit) throw new WaybillError('LEDGER_FULL', `the ledger holds ${this.#bytes} bytes, of ${limit}`);
    return { bytes, release: () => undefined };
  }

  append(run: Run, expected: Size, room: Room): Promise<Index> {
    if (this.#failure !== null) return Promise.reject(new WaybillError('LEDGER_FAILED', 'the ledger has failed'));
    if (expected !== this.assigned())
      return Promise.reject(new WaybillError('LEDGER_FENCED', `expected size ${expected}, found ${this.assigned()}`));
    assert(run.bytes.length <= room.bytes, `a run of ${run.bytes.length} bytes fits its room of ${room.bytes}`);
    const { source, partition, position, closesPartition = false, moves } = run;
    const entries = Array.from({ length: run.count }, (_, k) => Buffer.from(run.bytes.subarray(run.offsets[k], run.offsets[k + 1])));
    assert(moves === undefined || this.positions(moves.to).size === 0, 'positions are moved to where none are');
    this.#runs.push({ source, partition, position, closesPartition, moves, entries });
    this.#entries.push(...entries);
    this.#bytes += run.bytes.length;
    const first = asIndex(expected);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ size: this.#runs.length, settle: (error) => (error === null ? resolve(first) : reject(error)) });
      if (!this.#held) setImmediate(() => this.flush());
    });
  }

  assigned(): Size {
    return asSize(this.#entries.length);
  }

  size(): Size {
    return asSize(this.#durable);
  }

  beginning(): Index {
    return asIndex(this.#beginning);
  }

  async read(from: Index, limits: { readonly entries: number; readonly bytes: number }): Promise<Batch> {
    if (from < this.#beginning) throw new WaybillError('LEDGER_PRUNED', `entry ${from} is below ${this.#beginning}`);
    const picked: Buffer[] = [];
    let bytes = 0;
    for (let index = from as number; index < this.#durable && picked.length < limits.entries; index++) {
      const entry = this.#entries[index] as Buffer;
      if (picked.length > 0 && bytes + entry.length > limits.bytes) break;
      picked.push(entry);
      bytes += entry.length;
    }
    const starts = new Uint32Array(picked.length);
    const ends = new Uint32Array(picked.length);
    let at = 0;
    for (const [k, entry] of picked.entries()) {
      starts[k] = at;
      at += entry.length;
      ends[k] = at;
    }
    return { first: from, count: picked.length, bytes: Buffer.concat(picked), starts, ends };
  }

  waitBeyond(size: Size, signal: AbortSignal): Promise<Size> {
    if (this.#durable > size) return Promise.resolve(this.size());
    return new Promise((resolve, reject) => {
      this.#waiters.push({ size, resolve, reject });
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }

  positions(source: string): ReadonlyMap<string, Position> {
    const all = new Map<string, Map<string, Position>>();
    for (const { source: owner, partition, position, closesPartition, moves } of this.#runs) {
      const positions = all.get(owner) ?? new Map<string, Position>();
      all.set(owner, positions);
      if (position !== null) positions.set(partition ?? '', position);
      if (closesPartition) positions.delete(partition ?? '');
      if (moves === undefined) continue;
      all.set(moves.to, all.get(moves.from) ?? new Map());
      all.delete(moves.from);
    }
    return all.get(source) ?? new Map();
  }

  sequence(source: string): number {
    let n = 0;
    for (const run of this.#runs) if (run.source === source) n += run.entries.length;
    return n;
  }

  async close(): Promise<void> {
    this.flush();
  }

  /** Nothing becomes durable until `flush`. */
  hold(): void {
    this.#held = true;
  }

  /** Goes on flushing by itself. */
  release(): void {
    this.#held = false;
    this.flush();
  }

  /** Makes everything that was appended durable. */
  flush(): void {
    if (this.#failure !== null) return;
    this.#durableRuns = this.#runs.length;
    this.#durable = this.#entries.length;
    for (const waiting of this.#waiting.splice(0)) waiting.settle(null);
    for (const waiter of this.#waiters.slice()) {
      if (this.#durable <= waiter.size) continue;
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.resolve(this.size());
    }
  }

  /** Fails for good, as after an error of the disk. */
  fail(error: Error): void {
    this.#failure = error;
    for (const waiting of this.#waiting.splice(0)) waiting.settle(new WaybillError('LEDGER_FAILED', 'a flush failed', { cause: error }));
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new WaybillError('LEDGER_FAILED', 'a flush failed', { cause: error }));
    this.#fail(error);
  }

  /**
   * Asks everybody who can fold, and has a record to fold away or entries to need less, for the state, as the ledger does when it writes
   * a snapshot.
   */
  snapshot(): void {
    for (const [key, { fold, always }] of this.#folds) {
      if (!always && !this.#records.has(key)) continue;
      this.#states.set(key, fold());
      this.#records.delete(key);
    }
  }

  /** The ledger that is opened again after a crash at this moment: what was not durable is lost. */
  crash(): MemoryLedger {
    const kept = { states: this.#states, records: this.#records, past: this.#past };
    return new MemoryLedger({ runs: this.#runs.slice(0, this.#durableRuns), ...kept });
  }

  /** Forgets the entries below `index`, as retention does. */
  prune(index: number): void {
    this.#beginning = index;
  }

  /** Appends as a second writer would, past the sequencer. */
  intrude(): void {
    const entries = [Buffer.from('{}')];
    this.#runs.push({ source: 'intruder', partition: null, position: null, closesPartition: false, moves: undefined, entries });
    this.#entries.push(...entries);
  }

  /** Every assigned entry as text. */
  texts(): string[] {
    return this.#entries.map((entry) => entry.toString());
  }

  /** The runs in order: source, position and how many entries. */
  runs(): { source: string; position: string | null; count: number }[] {
    return this.#runs.map(({ source, position, entries }) => ({ source, position, count: entries.length }));
  }

  async *#history(key: string, from: Index, signal: AbortSignal): AsyncGenerator<PastRecord> {
    if (from < this.#beginning) throw new WaybillError('LEDGER_PRUNED', `entry ${from} is below ${this.#beginning}`);
    for (const past of this.#past) {
      signal.throwIfAborted();
      if (past.key === key && past.size > from) yield past.what;
    }
  }

  #makeJournal(): Journal {
    const states = this.#states;
    const records = this.#records;
    return {
      load: (key) => ({ state: states.get(key) ?? null, records: records.get(key) ?? [] }),
      keys: () => [...new Set([...states.keys(), ...records.keys()])],
      append: async (key, record) => {
        records.set(key, [...(records.get(key) ?? []), record]);
        this.#past.push({ key, size: this.assigned(), what: { kind: 'record', record } });
      },
      compact: (key, fold, needs) => {
        this.#folds.set(key, { fold, always: needs !== undefined });
      },
      forget: async (key) => {
        states.delete(key);
        records.delete(key);
        this.#past.push({ key, size: this.assigned(), what: { kind: 'forgotten' } });
      },
      history: (key, from, signal) => this.#history(key, from, signal),
    };
  }
}
