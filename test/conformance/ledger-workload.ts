import assert from 'node:assert/strict';
import type { Ledger, Room, Run } from '../../src/contracts/ledger.ts';
import type { Position } from '../../src/contracts/units.ts';
import { asIndex, asPosition } from '../../src/contracts/units.ts';

/** The appending of a run. */
export interface RunOp {
  readonly kind: 'run';
  readonly source: string;
  readonly partition: string | null;
  readonly position: Position | null;
  readonly closes: boolean;
  readonly moves?: Run['moves'];
  readonly entries: readonly string[];
}

/** One call of a ledger. */
export type Op =
  | RunOp
  | { readonly kind: 'journal'; readonly key: string; readonly record: string }
  | { readonly kind: 'forget'; readonly key: string }
  | { readonly kind: 'register'; readonly key: string; readonly value: string };

/** Numbers in [0, 1) that are the same for the same seed. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A run as the ledger takes it. Its bytes do not begin where the buffer does. */
export function runOf(op: RunOp): Run {
  const bytes = Buffer.from(`before${op.entries.join('')}`);
  const offsets = new Uint32Array(op.entries.length + 1);
  let at = 'before'.length;
  for (const [k, entry] of op.entries.entries()) {
    offsets[k] = at;
    at += Buffer.byteLength(entry);
  }
  offsets[op.entries.length] = at;
  const { source, partition, position, closes, moves } = op;
  const count = op.entries.length;
  return { source, partition, position, closesPartition: closes, ...(moves === undefined ? {} : { moves }), bytes, offsets, count };
}

/** Appends a run at the end of a ledger, with room of its own. */
export async function append(ledger: Ledger, op: RunOp, purpose?: 'events' | 'control'): Promise<number> {
  const run = runOf(op);
  const room = await ledger.reserve(run.count, run.bytes.length, purpose);
  return ledger.append(run, ledger.assigned(), room);
}

/** A run of `count` entries of one source, each of `bytes` bytes. */
export function simpleRun(source: string, count: number, bytes = 40, position: string | null = null): RunOp {
  const entries = Array.from({ length: count }, (_, k) => `{"source":"${source}","k":${k},"pad":"`.padEnd(bytes - 2, 'x').concat('"}'));
  return { kind: 'run', source, partition: null, position: position === null ? null : asPosition(position), closes: false, entries };
}

/** A script of every kind of call, the same for the same seed. */
export function script(seed: number, length: number): readonly Op[] {
  const random = chance(seed);
  const counts = new Map<string, number>();
  const entries = (source: string, count: number, bytes: number): string[] =>
    Array.from({ length: count }, () => {
      const n = counts.get(source) ?? 0;
      counts.set(source, n + 1);
      return `{"source":"${source}","n":${n},"ü":"${'y'.repeat(Math.floor(random() * bytes))}"}`;
    });
  /** What the source with partitions is called at this place of the script. */
  let holder = 'db';
  const run = (source: string, partition: string | null, position: string | null, closes: boolean, texts: string[]): RunOp => ({
    kind: 'run',
    source,
    partition,
    position: position === null ? null : asPosition(position),
    closes,
    entries: texts,
  });
  return Array.from({ length }, (_, place): Op => {
    const draw = random();
    if (place === Math.floor(length / 2)) return run('bulk', null, 'bulk', false, entries('bulk', 800, 700));
    if (draw < 0.03) {
      const moves = holder === 'db' ? { from: 'db', to: 'lake' } : { from: 'lake', to: 'db' };
      holder = moves.to;
      return { ...run('app', null, null, false, entries('app', 1, 90)), moves };
    }
    if (draw < 0.3) return run('app', null, null, false, entries('app', 1 + Math.floor(random() * 9), 90));
    if (draw < 0.5)
      return run(holder, random() < 0.5 ? 'a' : 'b"\ud800', `p${place}`, random() < 0.1, entries(holder, Math.floor(random() * 60), 60));
    if (draw < 0.6) return run(holder, 'a', `e${place}`, random() < 0.1, []);
    if (draw < 0.68) return run('app', null, `w${place}`, false, entries('app', 260, 20));
    if (draw < 0.88) return { kind: 'journal', key: random() < 0.5 ? 'dest:a' : 'dest:b', record: `{"at":${place}}` };
    if (draw < 0.9) return { kind: 'forget', key: 'dest:b' };
    return { kind: 'register', key: random() < 0.5 ? 'head' : 'key', value: `value ${place}` };
  });
}

/** What a ledger holds, in a form that can be compared. */
export interface Content {
  readonly entries: readonly string[];
  readonly state: string;
}

/** Calls a ledger as a script says, and knows what it has to hold after any number of those calls. */
export class Script {
  readonly ops: readonly Op[];
  /** How many calls were made, and how many of the first ones were answered. */
  issued = 0;
  answered = 0;

  constructor(ops: readonly Op[]) {
    this.ops = ops;
  }

  /** The same script at the same place. */
  copy(): Script {
    const copy = new Script(this.ops);
    copy.issued = this.issued;
    copy.answered = this.answered;
    return copy;
  }

  /** Makes all calls that were not made yet. Several are under way at a time. */
  async play(ledger: Ledger, seed: number): Promise<void> {
    const random = chance(seed);
    for (const key of ['dest:a', 'dest:b']) ledger.journal.compact(key, () => JSON.stringify(this.#records(key, this.issued)));
    const pending: Promise<unknown>[] = [];
    while (this.issued < this.ops.length) {
      const op = this.ops[this.issued] as Op;
      const run = op.kind === 'run' ? runOf(op) : null;
      const room = run === null ? null : await roomAfter(pending, ledger, run);
      const place = this.issued++;
      const answer =
        run !== null && room !== null
          ? ledger.append(run, ledger.assigned(), room)
          : op.kind === 'journal'
            ? ledger.journal.append(op.key, op.record)
            : op.kind === 'forget'
              ? this.#forget(ledger, op.key)
              : op.kind === 'register'
                ? ledger.register.set(op.key, op.value, this.#register(op.key, place))
                : Promise.reject(new Error('a run without room'));
      pending.push(
        answer.then(() => {
          assert.equal(place, this.answered, 'calls are answered in their order');
          this.answered++;
        }),
      );
      if (random() < 0.4) await settled(pending);
    }
    await settled(pending);
  }

  /** Checks that a ledger holds what the first calls add up to, at least those that were answered, and returns how many that are. */
  check(content: Content): number {
    for (let calls = this.answered; calls <= this.issued; calls++) {
      if (this.#stateAfter(calls) !== content.state) continue;
      assert.deepEqual(content.entries, this.#entriesAfter(calls));
      return calls;
    }
    throw new assert.AssertionError({
      message: `no number of calls from ${this.answered} to ${this.issued} leads to ${content.state}`,
    });
  }

  #forget(ledger: Ledger, key: string): Promise<void> {
    const done = ledger.journal.forget(key);
    ledger.journal.compact(key, () => JSON.stringify(this.#records(key, this.issued)));
    return done;
  }

  #register(key: string, calls: number): string | null {
    const before = this.ops.slice(0, calls).findLast((op) => op.kind === 'register' && op.key === key);
    return before?.kind === 'register' ? before.value : null;
  }

  #records(key: string, calls: number): string[] {
    const records: string[] = [];
    for (const op of this.ops.slice(0, calls)) {
      if (op.kind === 'journal' && op.key === key) records.push(op.record);
      if (op.kind === 'forget' && op.key === key) records.length = 0;
    }
    return records;
  }

  #entriesAfter(calls: number): string[] {
    return this.ops.slice(0, calls).flatMap((op) => (op.kind === 'run' ? op.entries : []));
  }

  #stateAfter(calls: number): string {
    const sequences: Record<string, number> = { app: 0, db: 0, lake: 0, bulk: 0 };
    const positions: Record<string, Map<string, string>> = { app: new Map(), db: new Map(), lake: new Map(), bulk: new Map() };
    for (const op of this.ops.slice(0, calls)) {
      if (op.kind !== 'run') continue;
      sequences[op.source] = (sequences[op.source] ?? 0) + op.entries.length;
      if (op.moves !== undefined) {
        positions[op.moves.to] = positions[op.moves.from] as Map<string, string>;
        positions[op.moves.from] = new Map();
      }
      const known = positions[op.source] as Map<string, string>;
      if (op.closes) known.delete(op.partition ?? '');
      else if (op.position !== null) known.set(op.partition ?? '', op.position);
    }
    const journal = { 'dest:a': this.#records('dest:a', calls), 'dest:b': this.#records('dest:b', calls) };
    const register = { head: this.#register('head', calls), key: this.#register('key', calls) };
    return canonical(sequences, (source) => positions[source] ?? new Map(), journal, register);
  }
}

/** Everything that a ledger holds, read through its interface. */
export async function contentOf(ledger: Ledger): Promise<Content> {
  const entries: string[] = [];
  while (entries.length < ledger.size()) {
    const batch = await ledger.read(asIndex(entries.length), { entries: 100, bytes: 20_000 });
    assert.equal(batch.first, entries.length);
    assert.ok(batch.count > 0);
    for (let k = 0; k < batch.count; k++) entries.push(Buffer.from(batch.bytes.subarray(batch.starts[k], batch.ends[k])).toString());
  }
  const records = (key: string): string[] => {
    const { state, records: since } = ledger.journal.load(key);
    return [...(JSON.parse(state ?? '[]') as string[]), ...since];
  };
  const sequences = Object.fromEntries(['app', 'db', 'lake', 'bulk'].map((source) => [source, ledger.sequence(source)]));
  const register = { head: ledger.register.get('head'), key: ledger.register.get('key') };
  const journal = { 'dest:a': records('dest:a'), 'dest:b': records('dest:b') };
  return { entries, state: canonical(sequences, (source) => ledger.positions(source), journal, register) };
}

async function roomAfter(pending: readonly Promise<unknown>[], ledger: Ledger, run: Run): Promise<Room> {
  try {
    return await ledger.reserve(run.count, run.bytes.length);
  } catch (error) {
    await settled(pending);
    throw error;
  }
}

/** Waits for all calls, so that none is left behind, and then throws what the first failed one did. */
async function settled(calls: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(calls)).find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** The pairs of a map in the order of their keys. */
export function sortedPairs(map: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function canonical(
  sequences: Readonly<Record<string, number>>,
  positions: (source: string) => ReadonlyMap<string, string>,
  journal: Readonly<Record<string, readonly string[]>>,
  register: Readonly<Record<string, string | null>>,
): string {
  const sorted = Object.keys(sequences).map((source) => [source, sortedPairs(positions(source))]);
  return JSON.stringify({ sequences, positions: sorted, journal, register });
}
