import { assert } from '../../contracts/assert.ts';
import { WaybillError } from '../../contracts/errors.ts';
import type { Journal, PastRecord, Register } from '../../contracts/ledger.ts';
import type { Index } from '../../contracts/units.ts';
import { frameBytes, KIND, RECORD_BYTES_MAX } from './layout.ts';
import type { ClaimedRoom, Space } from './space.ts';
import type { LedgerState } from './state.ts';
import type { CommitStream } from './stream.ts';

/** What records need: room, a place in the commit stream, and the state that they add up to. */
export interface RecordOptions {
  readonly space: Space;
  readonly stream: CommitStream;
  readonly state: LedgerState;
  /** Why nothing more is taken, once that is so. */
  readonly refusal: () => Error | null;
}

/** Puts records beside the entries into the commit stream, each in a frame of its own, in the order of the calls. */
export class RecordWriter {
  readonly #options: RecordOptions;
  #waiting = 0;

  constructor(options: RecordOptions) {
    this.#options = options;
  }

  /** True while a record waits for room: then the state does not yet hold what was asked for. */
  get waiting(): boolean {
    return this.#waiting > 0;
  }

  /**
   * Applies and places a record, and resolves once it is durable. `check` runs just before, when the order is settled, and may refuse by
   * throwing; `settled` runs when the record is durable.
   */
  write(
    kind: typeof KIND.journal | typeof KIND.register,
    fields: readonly string[],
    check: () => void = () => undefined,
    settled: () => void = () => undefined,
  ): Promise<void> {
    const text = JSON.stringify(fields);
    const payload = Buffer.from(text);
    assert(payload.length <= RECORD_BYTES_MAX, `a record of ${payload.length} bytes is too long`);
    const place = (room: ClaimedRoom): Promise<void> => {
      try {
        check();
        return this.#place(kind, text, payload, settled);
      } catch (error) {
        return Promise.reject(error);
      } finally {
        room.release();
      }
    };
    const refusal = this.#options.refusal();
    if (refusal !== null) return Promise.reject(refusal);
    const bytes = frameBytes(payload.length);
    // A record that came later must not overtake one that waits.
    const room = this.#waiting === 0 ? this.#options.space.claim(bytes, 'control') : null;
    return room !== null ? place(room) : this.#wait(bytes, place);
  }

  async #wait(bytes: number, place: (room: ClaimedRoom) => Promise<void>): Promise<void> {
    this.#waiting++;
    let room: ClaimedRoom;
    try {
      room = await this.#options.space.reserve(bytes, 'control');
    } finally {
      this.#waiting--;
    }
    const refusal = this.#options.refusal();
    if (refusal !== null) {
      room.release();
      throw refusal;
    }
    await place(room);
  }

  #place(kind: typeof KIND.journal | typeof KIND.register, text: string, payload: Buffer, settled: () => void): Promise<void> {
    const { stream, state } = this.#options;
    if (kind === KIND.journal) state.applyJournal(text);
    else state.applyRegister(text);
    return new Promise((resolve, reject) => {
      const resolved = (): void => {
        settled();
        resolve();
      };
      stream.appendRecord(kind, payload, { resolve: resolved, reject });
    });
  }
}

/** Reads the past of a key from the segments. */
export type Past = (key: string, from: Index, signal: AbortSignal) => AsyncIterable<PastRecord>;

/** The delivery journal over the commit stream. */
export class EmbeddedJournal implements Journal {
  readonly #state: LedgerState;
  readonly #records: RecordWriter;
  readonly #past: Past;
  readonly #folds = new Map<string, { readonly fold: () => string; readonly needs: (() => Index) | undefined }>();

  constructor(state: LedgerState, records: RecordWriter, past: Past) {
    this.#state = state;
    this.#records = records;
    this.#past = past;
  }

  load(key: string): { readonly state: string | null; readonly records: readonly string[] } {
    return this.#state.load(key);
  }

  keys(): readonly string[] {
    return this.#state.journalKeys();
  }

  append(key: string, record: string): Promise<void> {
    return this.#records.write(KIND.journal, ['append', key, record]);
  }

  compact(key: string, fold: () => string, needs?: () => Index): void {
    this.#folds.set(key, { fold, needs });
  }

  forget(key: string): Promise<void> {
    this.#folds.delete(key);
    return this.#records.write(KIND.journal, ['forget', key]);
  }

  history(key: string, from: Index, signal: AbortSignal): AsyncIterable<PastRecord> {
    return this.#past(key, from, signal);
  }

  /**
   * Asks those who registered for the state of their keys. While a record waits for room their state is ahead of the journal, and the
   * records stay.
   */
  foldAll(): void {
    if (this.#records.waiting) return;
    for (const [key, { fold, needs }] of this.#folds) this.#state.fold(key, fold, needs);
  }
}

/** The register over the commit stream: what is read is durable, what is compared with is the newest. */
export class EmbeddedRegister implements Register {
  readonly #state: LedgerState;
  readonly #records: RecordWriter;
  readonly #durable: Map<string, string>;

  constructor(state: LedgerState, records: RecordWriter) {
    this.#state = state;
    this.#records = records;
    this.#durable = new Map(state.register);
  }

  get(key: string): string | null {
    return this.#durable.get(key) ?? null;
  }

  set(key: string, value: string, expected: string | null): Promise<void> {
    const check = (): void => {
      const newest = this.#state.register.get(key) ?? null;
      if (newest === expected) return;
      throw new WaybillError('REGISTER_CONFLICT', `the register value of ${key} is not the expected one`);
    };
    return this.#records.write(KIND.register, ['set', key, value], check, () => this.#durable.set(key, value));
  }
}
