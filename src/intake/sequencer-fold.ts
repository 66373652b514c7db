/**
 * What the intake remembers beside identities: the names of sources, the marks of producers, and the keys of control entries. It is a
 * fold of the durable entries in their order. The ledger keeps the folded state with its snapshots; at a start the entries above it are
 * folded again, so that state and ledger never disagree, whatever a crash took; retention keeps what would be folded again.
 */
import { assert } from '../contracts/assert.ts';
import type { Batch } from '../contracts/entry.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Index, Size } from '../contracts/units.ts';
import { asIndex, asSize, CONTROL_SOURCE } from '../contracts/units.ts';
import { checkBody } from './check.ts';
import type { EntryParts } from './envelope-read.ts';
import { readEntry, receivedAtOf } from './envelope-read.ts';
import type { NamesFold, NamesRow } from './names.ts';
import { createNames } from './names.ts';
import type { DueGap, GapFacts, ProducerMark, ProducerRow, Producers } from './producers.ts';
import { createProducers, producerKey } from './producers.ts';
import { asBuffer } from './sequencer-work.ts';

/** What an entry adds to the fold; most entries add nothing. */
export type Observed =
  | { readonly kind: 'seq'; readonly source: string; readonly mark: ProducerMark; readonly receivedAtMs: number }
  | {
      readonly kind: 'control';
      readonly index: Index;
      readonly id: string;
      readonly type: unknown;
      readonly due: DueGap | null;
      readonly renamed: Renamed | null;
    };

/** That a source has another name from an entry on. */
export interface Renamed {
  readonly from: string;
  readonly to: string;
}

/** The fold of the durable entries. */
export interface IntakeFold {
  readonly producers: Producers;
  readonly names: NamesFold;
  /** The index of the control entry with this identity, as far back as `CONTROL_KEYS_MAX` of them. */
  controlEntry(id: string): Index | undefined;
  /** The newest entry about a step of the clock that no operator has confirmed; `null` when the clock can be trusted. */
  clockDoubt(): Index | null;
  /**
   * Notes that the next `count` entries were numbered, and what they add. It adds them once the function that it returns has been called,
   * and all that were numbered before have become durable too.
   */
  numbered(first: Index, count: number, observed: readonly Observed[]): () => void;
  /** The state as text, for a snapshot of the ledger. */
  text(): string;
}

/** The type of the control entry by which an operator confirms the clock after a step. */
export const CLOCK_CONFIRMED = 'clock.confirmed';

/** The type of the control entry from which on a source has another name. */
export const SOURCE_RENAMED = 'source.renamed';

/** The journal key of the state. */
export const FOLD_KEY = 'intake';

/** How many keys of control entries are kept, the newest ones. A repetition comes from a crash, so it is never far away. */
export const CONTROL_KEYS_MAX = 10_000;

interface FoldState {
  readonly v: 1;
  readonly size: number;
  readonly notTracked: number;
  readonly producers: readonly ProducerRow[];
  readonly controls: readonly (readonly [string, number])[];
  /** Absent in states of before retention. */
  readonly clockDoubt?: number | null;
  /** Absent in states of before sources could be renamed. */
  readonly names?: readonly NamesRow[];
}

type FoldLedger = Pick<Ledger, 'size' | 'beginning' | 'read' | 'journal'>;

const READ_LIMITS = { entries: 8_192, bytes: 4 << 20 };
const PRODUCER_FIELD = Buffer.from('"producer"');

/** Reads the state and folds what lies above it. From then on the ledger asks for the state when it writes a snapshot. */
export async function openFold(ledger: FoldLedger): Promise<IntakeFold> {
  const fold = createFold(loadState(ledger));
  for (let from = fold.size(); from < ledger.size(); from = fold.size()) {
    const batch = await ledger.read(asIndex(from), READ_LIMITS);
    fold.numbered(batch.first, batch.count, observeBatch(batch))();
  }
  const needs = () => asIndex(fold.size());
  ledger.journal.compact(FOLD_KEY, () => fold.text(), needs);
  return fold;
}

/** The identity of a control entry with a key. Those without one have a UUID, which has no colon. */
export function controlId(type: string, key: string): string {
  return `${type}:${key}`;
}

/** What a control entry adds. */
export function observeControl(index: Index, id: string, event: Readonly<Record<string, unknown>>): Observed {
  const type = event['type'];
  const isGap = type === 'producer.gap' || type === 'producer.gap_closed';
  const due: DueGap | null = isGap ? { type, facts: event as unknown as GapFacts } : null;
  return { kind: 'control', index, id, type, due, renamed: type === SOURCE_RENAMED ? (event as unknown as Renamed) : null };
}

function loadState(ledger: FoldLedger): FoldState {
  const { state } = ledger.journal.load(FOLD_KEY);
  if (state === null) return { v: 1, size: ledger.beginning(), notTracked: 0, producers: [], controls: [] };
  const loaded = JSON.parse(state) as FoldState;
  if (loaded.v !== 1)
    throw new WaybillError('JOURNAL_INVALID', `the state of the intake has version ${String(loaded.v)}; this program reads version 1`);
  assert(loaded.size <= ledger.size(), `the state of the intake covers ${loaded.size} entries of ${ledger.size()}`);
  return { ...loaded, size: Math.max(loaded.size, ledger.beginning()) };
}

function createFold(state: FoldState): IntakeFold & { size(): Size } {
  const names = createNames(state.names ?? []);
  const producers = createProducers(names);
  producers.restore(state.producers, state.notTracked);
  const controls = new Map<string, Index>(state.controls.map(([id, index]) => [id, asIndex(index)]));
  let clockDoubt: Index | null = state.clockDoubt === undefined || state.clockDoubt === null ? null : asIndex(state.clockDoubt);
  let size = state.size;
  let numberedSize = state.size;
  /** Runs in the order of their numbers, as long as one before them, or they themselves, may still be lost. */
  const waiting: { readonly count: number; readonly observed: readonly Observed[]; durable: boolean }[] = [];

  function observe(observed: Observed): void {
    if (observed.kind === 'seq') {
      const { source, mark, receivedAtMs } = observed;
      producers.observe(producerKey(names.first(source), mark.id, mark.epoch), mark.seq, receivedAtMs);
      return;
    }
    if (observed.renamed !== null) names.renamed(observed.renamed.from, observed.renamed.to);
    if (observed.due !== null) producers.declared(observed.due);
    if (observed.type === 'clock') clockDoubt = observed.index;
    if (observed.type === CLOCK_CONFIRMED) clockDoubt = null;
    if (!observed.id.includes(':')) return;
    controls.set(observed.id, observed.index);
    const [oldest] = controls.keys();
    if (controls.size > CONTROL_KEYS_MAX && oldest !== undefined) controls.delete(oldest);
  }

  return {
    producers,
    names,
    size: () => asSize(size),
    controlEntry: (id) => controls.get(id),
    clockDoubt: () => clockDoubt,
    numbered(first, count, observed) {
      assert(first === numberedSize, `runs follow each other: entry ${first} came at ${numberedSize}`);
      numberedSize = first + count;
      const run = { count, observed, durable: false };
      waiting.push(run);
      return () => {
        run.durable = true;
        for (let head = waiting[0]; head?.durable === true; head = waiting[0]) {
          waiting.shift();
          size += head.count;
          for (const one of head.observed) observe(one);
        }
      };
    },
    text() {
      const { notTracked } = producers.status();
      return JSON.stringify({
        v: 1,
        size,
        notTracked,
        producers: producers.rows(),
        controls: [...controls],
        clockDoubt,
        names: names.rows(),
      } satisfies FoldState);
    },
  };
}

/** What the entries of a batch add, read from their bytes. */
function observeBatch(batch: Batch): Observed[] {
  const bytes = asBuffer(batch.bytes);
  const observed: Observed[] = [];
  for (let k = 0; k < batch.count; k++) {
    const parts = readEntry(bytes, batch.starts[k] as number, batch.ends[k] as number);
    if (parts.source === CONTROL_SOURCE) {
      const event = JSON.parse(bytes.toString('utf8', parts.eventStart, parts.eventEnd)) as Record<string, unknown>;
      const id = JSON.parse(`"${bytes.toString('utf8', parts.idStart, parts.idEnd)}"`) as string;
      observed.push(observeControl(asIndex(batch.first + k), id, event));
    } else if (parts.schema === 'waybill/1') {
      const mark = producerOf(bytes, parts);
      if (mark !== undefined) observed.push({ kind: 'seq', source: parts.source, mark, receivedAtMs: receivedAtOf(bytes, parts) });
    }
  }
  return observed;
}

/** The same check that found it when the event came in, so that both times find the same. */
function producerOf(bytes: Buffer, { eventStart, eventEnd }: EntryParts): ProducerMark | undefined {
  const event = bytes.subarray(eventStart, eventEnd);
  if (!event.includes(PRODUCER_FIELD)) return undefined;
  return checkBody(Buffer.from(event), 'object', { schema: 'waybill/1', idField: null }).producers.get(0);
}
