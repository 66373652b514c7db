import { WaybillError } from '../../contracts/errors.ts';
import type { Position } from '../../contracts/units.ts';
import { asPosition, PARTITIONS_MAX } from '../../contracts/units.ts';

/** What the first part of a run says beside its entries. */
export interface RunMeta {
  readonly source: string;
  readonly partition: string | null;
  readonly position: Position | null;
  readonly closes?: true;
  /** The names of a source before and after: its positions are those of the second one from here on. */
  readonly moves?: readonly [string, string];
}

/** The state of one journal key: what was folded, and the records since. */
interface JournalKey {
  state: string | null;
  records: string[];
  /** The first entry that who goes on from the state has to read; absent: none. */
  needs?: number;
}

/** A journal key as a snapshot holds it. */
export interface JournalKeyJson {
  readonly state: string | null;
  readonly records: readonly string[];
  readonly needs?: number;
}

/** The state as a snapshot holds it. Pairs instead of objects: a partition may have any name. */
export interface StateJson {
  readonly sequences: readonly (readonly [string, number])[];
  readonly positions: readonly (readonly [string, readonly (readonly [string, Position])[]])[];
  readonly journal: readonly (readonly [string, JournalKeyJson])[];
  readonly register: readonly (readonly [string, string])[];
}

const NO_POSITIONS: ReadonlyMap<string, Position> = new Map();

/**
 * What all frames up to some frame add up to. The same frames always give the same state: recovery and normal work go through the same
 * calls.
 */
export class LedgerState {
  readonly #sequences: Map<string, number>;
  readonly #positions: Map<string, Map<string, Position>>;
  readonly #journal: Map<string, JournalKey>;
  readonly register: Map<string, string>;

  constructor(json: StateJson = { sequences: [], positions: [], journal: [], register: [] }) {
    this.#sequences = new Map(json.sequences);
    this.#positions = new Map(json.positions.map(([source, positions]) => [source, new Map(positions)]));
    this.#journal = new Map(json.journal.map(([key, known]) => [key, { ...known, records: [...known.records] }]));
    this.register = new Map(json.register);
  }

  /** How many entries a source has. */
  sequence(source: string): number {
    return this.#sequences.get(source) ?? 0;
  }

  /** Where each open partition of a source resumes. */
  positions(source: string): ReadonlyMap<string, Position> {
    return this.#positions.get(source) ?? NO_POSITIONS;
  }

  /** True when the run opens no partition beyond those that a source may have, and moves no positions to where others are. */
  admits(meta: RunMeta): boolean {
    if (meta.moves !== undefined && this.positions(meta.moves[1]).size > 0) return false;
    const positions = this.#positions.get(meta.source);
    return positions === undefined || positions.size < PARTITIONS_MAX || positions.has(meta.partition ?? '') || meta.position === null;
  }

  /** Takes in a whole run. */
  applyRun(meta: RunMeta, count: number): void {
    if (count > 0) this.#sequences.set(meta.source, this.sequence(meta.source) + count);
    if (meta.moves !== undefined) this.#move(meta.moves);
    const partition = meta.partition ?? '';
    if (meta.closes === true) {
      this.#positions.get(meta.source)?.delete(partition);
      return;
    }
    if (meta.position === null) return;
    let positions = this.#positions.get(meta.source);
    if (positions === undefined) {
      positions = new Map();
      this.#positions.set(meta.source, positions);
    }
    positions.set(partition, meta.position);
  }

  #move([from, to]: readonly [string, string]): void {
    const positions = this.#positions.get(from);
    if (positions === undefined) return;
    this.#positions.delete(from);
    this.#positions.set(to, positions);
  }

  /** Takes in the payload of a journal frame. */
  applyJournal(payload: string): void {
    const [verb, key, record] = parseStrings(payload);
    if (verb === 'forget' && key !== undefined) {
      this.#journal.delete(key);
    } else if (verb === 'append' && key !== undefined && record !== undefined) {
      const known = this.#journal.get(key);
      if (known === undefined) this.#journal.set(key, { state: null, records: [record] });
      else known.records.push(record);
    } else {
      throw new WaybillError('JOURNAL_INVALID', `the journal holds a record of the unknown kind ${JSON.stringify(verb)}`);
    }
  }

  /** Takes in the payload of a register frame. */
  applyRegister(payload: string): void {
    const [verb, key, value] = parseStrings(payload);
    if (verb !== 'set' || key === undefined || value === undefined) {
      throw new WaybillError('JOURNAL_INVALID', `the register holds a record of the unknown kind ${JSON.stringify(verb)}`);
    }
    this.register.set(key, value);
  }

  /** What is known under a journal key. */
  load(key: string): { readonly state: string | null; readonly records: readonly string[] } {
    const known = this.#journal.get(key);
    return known === undefined ? { state: null, records: [] } : { state: known.state, records: [...known.records] };
  }

  /** Every journal key. */
  journalKeys(): readonly string[] {
    return [...this.#journal.keys()];
  }

  /**
   * Replaces the records of a key by the state that they fold to, so that the records may go. A state that needs entries is replaced also
   * without records, so that it needs fewer of them.
   */
  fold(key: string, fold: () => string, needs?: () => number): void {
    const known = this.#journal.get(key);
    if (needs === undefined) {
      if (known !== undefined && known.records.length > 0) this.#journal.set(key, { state: fold(), records: [] });
    } else {
      this.#journal.set(key, { state: fold(), records: [], needs: needs() });
    }
  }

  /** The state as a snapshot holds it. */
  toJson(): StateJson {
    return {
      sequences: [...this.#sequences],
      positions: [...this.#positions].map(([source, positions]) => [source, [...positions]]),
      journal: [...this.#journal],
      register: [...this.register],
    };
  }
}

/** Reads the meta of a run. */
export function parseRunMeta(text: string): RunMeta {
  const { source, partition, position, closes, moves } = JSON.parse(text) as RunMeta;
  const base = { source, partition, position: position === null ? null : asPosition(position) };
  return { ...base, ...(closes === true ? { closes } : {}), ...(moves === undefined ? {} : { moves }) };
}

function parseStrings(payload: string): readonly (string | undefined)[] {
  const value: unknown = JSON.parse(payload);
  return Array.isArray(value) && value.every((part) => typeof part === 'string') ? value : [];
}
