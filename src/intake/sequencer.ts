import { assert } from '../contracts/assert.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Index } from '../contracts/units.ts';
import { asIndex, CONTROL_SOURCE, NAME_PATTERN } from '../contracts/units.ts';
import { checkBody } from './check.ts';
import type { Checked } from './checked.ts';
import { createEnvelopeWriter } from './envelope.ts';
import { createIdMaker } from './envelope-id.ts';
import { readEntry, receivedAtOf } from './envelope-read.ts';
import type { NamedSource, SourceNames } from './names.ts';
import { refuseNames, refuseRename, unknownSource } from './names.ts';
import type { ProducersStatus } from './producers.ts';
import { declareGaps } from './producers-declare.ts';
import type { ClockStep, ReceivedAt } from './received-at.ts';
import { openReceivedAt } from './received-at.ts';
import type { RefusedEvents } from './refused.ts';
import { openRefused } from './refused.ts';
import type { IntakeIdentities, Sequencer } from './sequencer-append.ts';
import { createSequencer } from './sequencer-append.ts';
import type { ControlEntries, ControlFact } from './sequencer-control.ts';
import { createControlEntries } from './sequencer-control.ts';
import { CLOCK_CONFIRMED, openFold, SOURCE_RENAMED } from './sequencer-fold.ts';
import { createPlaceTable } from './sequencer-places.ts';
import type { SourceRules, Submission, Submitted } from './sequencer-submission.ts';
import { asBuffer } from './sequencer-work.ts';
import type { BodyShape } from './split.ts';

/** What an intake is made of. The ledger and the identities stay the caller's to close, after the intake. */
export interface IntakeOptions {
  readonly ledger: Ledger;
  readonly identities: IntakeIdentities;
  readonly ports: Pick<Ports, 'clock' | 'random' | 'disk' | 'log'>;
  readonly sources: ReadonlyMap<string, SourceRules>;
  /** How long a hole in a producer's numbers may stay open before it is declared, for sources that do not say it themselves. */
  readonly gapAfterMs?: number;
  /** The directory for the bytes of events that nobody could be refused. */
  readonly refusedPath: string;
}

/** What one source has been answered since the start. */
export interface SourceCounts {
  readonly accepted: number;
  readonly duplicates: number;
  /** Things found wrong with events, conflicts included. */
  readonly rejected: number;
  readonly conflicts: number;
}

/** The intake as `status` shows it. */
export interface IntakeStatus {
  readonly sources: ReadonlyMap<string, SourceCounts & { readonly entries: number }>;
  readonly producers: ProducersStatus;
  readonly refusedBytes: number;
}

/** Everything that becomes an entry goes through here. */
export interface Intake extends Sequencer {
  /** Checks the events of a body by the rules of a source (`checkBody`). The body belongs to the intake from then on. */
  check(source: string, body: Uint8Array, shape: BodyShape, countMax?: number): Checked;
  /**
   * Appends the events of a submission and resolves once everything that the answer names is durable. Nothing is in the ledger, and nothing
   * will be, when it rejects with `LEDGER_FULL`, `OVERLOADED`, `SOURCE_UNKNOWN` or the signal's reason; the signal does nothing once the
   * events have their place.
   */
  submit(submission: Submission, signal: AbortSignal): Promise<Submitted>;
  /** Appends a control entry. With a key it is written once, also across crashes: then the index of the entry that is there is returned. */
  control(type: string, facts: Readonly<Record<string, unknown>>, key?: string): Promise<Index>;
  /**
   * Takes events of these sources, and of no others, by these rules from now on. What was submitted before goes its way under the rules
   * that it was checked by, so whoever checks events has to submit them without a wait in between.
   */
  changeSources(sources: ReadonlyMap<string, SourceRules>): void;
  readonly names: SourceNames;
  /**
   * Declares that the source `from` is called `to` from now on: identities, positions and the numbers of its producers go with it, all of
   * them with the one entry that says so. Nothing of the source may be read meanwhile; what was submitted goes its way under the old name.
   * Resolves with false when that is so already. Rejects with `RENAME_REFUSED`, and changes nothing, where there is nothing to take
   * over, and where `to` is a source of its own.
   */
  rename(from: string, to: string): Promise<boolean>;
  /** Rejects with `RENAME_REFUSED` when one of these sources cannot have its name, by `rename` or because another one gave it up. */
  refuseNames(sources: readonly NamedSource[]): void;
  /**
   * The newest entry about a step of the clock that nobody has confirmed since, also over restarts; `null` when the clock can be trusted.
   * A step that was noticed counts from that moment on, with the place that its entry can have at the earliest.
   */
  clockDoubt(): Index | null;
  /**
   * Looks at the clock at this moment and declares a step, also when no event comes in that would have it noticed. Resolves with what
   * `clockDoubt` says then: a time that was read before can be relied on when that is `null`.
   */
  checkClock(): Promise<Index | null>;
  /** Declares that an operator has looked at the clock: it is right. */
  confirmClock(): Promise<Index>;
  readonly refused: RefusedEvents;
  status(): IntakeStatus;
  /** Resolves with the reason once a promise of this program was broken in the background, and never otherwise: the process has to stop. */
  readonly failed: Promise<unknown>;
  /** Ends the work in the background. What was submitted before goes its way. */
  close(): Promise<void>;
}

const GAP_AFTER_MS = 30_000;
const WRITER_KEEPS_BYTES = 4 << 20;

/** Opens the intake of a ledger: reads what the last entries say and declares a clock that is behind them. */
export async function openIntake(options: IntakeOptions): Promise<Intake> {
  const { ledger, identities, ports } = options;
  const { clock, log } = ports;
  const sources = new Map<string, SourceRules>();
  changeTo(sources, options.sources);
  const fold = await openFold(ledger);
  const refused = await openRefused(options.refusedPath, ports.disk);
  const receivedAt = openReceivedAt(clock, await lastReceivedAt(ledger));
  const ids = createIdMaker(clock, ports.random);
  const writer = createEnvelopeWriter(ids, WRITER_KEEPS_BYTES);
  const controls = createControlEntries({ ledger, writer, receivedAt, ids, fold });
  const clockNotes = createClockNotes(receivedAt, controls, log);
  const noteClock = () => clockNotes.note();
  const counts = createCounts(sources);
  const table = createPlaceTable(Math.floor(ports.random.next() * 0x1_0000_0000));
  const { add: count } = counts;
  const parts = { ledger, identities, clock, sources, writer, receivedAt, table, fold, noteClock, count };
  const sequencer = createSequencer(parts);
  await noteClock();

  const closing = new AbortController();
  const gapAfterMs = (source: string) => sources.get(source)?.gapAfterMs ?? options.gapAfterMs ?? GAP_AFTER_MS;
  const everyMs = () => Math.max(10, Math.min(...[...sources.keys(), ''].map(gapAfterMs)) / 8);
  const now = () => receivedAt.peek();
  const control = (fact: ControlFact) => controls.append(fact);
  const clockDoubt = () => (clockNotes.untold() ? asIndex(ledger.assigned()) : fold.clockDoubt());
  const failed = Promise.withResolvers<unknown>();
  const gaps = { clock, log, producers: fold.producers, now, gapAfterMs, everyMs, control };
  const declaring = declareGaps(gaps, closing.signal).catch((error: unknown) => failed.resolve(error));

  return {
    refused,
    failed: failed.promise,
    sequence: (submission, signal) => sequencer.sequence(submission, signal),
    check(source, body, shape, countMax) {
      const rules = sources.get(source);
      if (rules === undefined) throw unknownSource(source, fold.names);
      return checkBody(body, shape, rules, countMax);
    },
    submit: async (submission, signal) => (await sequencer.sequence(submission, signal)).durable,
    names: fold.names,
    async rename(from, to) {
      if (fold.names.current(from) === to) return false;
      refuseRename(from, to, ledger, fold.names);
      await controls.append({ type: SOURCE_RENAMED, facts: { from, to }, moves: { from, to } });
      return true;
    },
    refuseNames: (named) => refuseNames(named, ledger, fold.names),
    clockDoubt,
    async checkClock() {
      await noteClock();
      return clockDoubt();
    },
    confirmClock: () => controls.append({ type: CLOCK_CONFIRMED, facts: { clock: fold.clockDoubt(), wall: timeText(clock.now()) } }),
    control: (type, facts, key) => controls.append({ type, facts, ...(key === undefined ? {} : { key }) }),
    changeSources: (changed) => changeTo(sources, changed),
    status: () => ({ sources: counts.all(ledger), producers: fold.producers.status(), refusedBytes: refused.bytes() }),
    async close() {
      closing.abort();
      await declaring;
    },
  };
}

function changeTo(sources: Map<string, SourceRules>, changed: ReadonlyMap<string, SourceRules>): void {
  for (const name of changed.keys()) assert(NAME_PATTERN.test(name) && name !== CONTROL_SOURCE, `a source may be named ${name}`);
  sources.clear();
  for (const [name, rules] of changed) sources.set(name, rules);
}

async function lastReceivedAt(ledger: Ledger): Promise<number | null> {
  const last = asIndex(ledger.size() - 1);
  if (last < ledger.beginning()) return null;
  const { bytes, starts, ends } = await ledger.read(last, { entries: 1, bytes: 1 });
  const entry = asBuffer(bytes);
  return receivedAtOf(entry, readEntry(entry, starts[0] as number, ends[0] as number));
}

/** A step of the clock becomes a control entry before anything is stamped with the new time; without room for one, as soon as there is. */
function createClockNotes(receivedAt: ReceivedAt, controls: ControlEntries, log: Ports['log']) {
  let open: ClockStep | null = null;
  let telling = 0;

  async function declare(step: ClockStep): Promise<void> {
    const facts = {
      cause: step.cause,
      wall: timeText(step.wall),
      expected: timeText(step.expected),
      step_ms: Math.round(step.wall - step.expected),
    };
    telling += 1;
    try {
      await controls.append({ type: 'clock', facts });
      log.warn('the clock of this machine stepped', facts);
    } catch (error) {
      if (!isWaybillError(error) || error.remedy !== 'retry') throw error;
      open ??= step;
    } finally {
      telling -= 1;
    }
  }

  return {
    note(): Promise<void> | null {
      const step = open ?? receivedAt.step();
      open = null;
      return step === null ? null : declare(step);
    },
    /** Whether a step was noticed whose entry is not in the ledger yet. */
    untold: () => open !== null || telling > 0,
  };
}

function timeText(ms: number): string {
  return new Date(Math.max(-8.64e15, Math.min(8.64e15, ms))).toISOString();
}

/** Counts of every source that there has been since the start. Those of a source that was removed are there again when it comes back. */
function createCounts(sources: ReadonlyMap<string, SourceRules>) {
  const counts = new Map<string, Record<keyof SourceCounts, number>>();
  function countOf(source: string): Record<keyof SourceCounts, number> {
    const count = counts.get(source) ?? { accepted: 0, duplicates: 0, rejected: 0, conflicts: 0 };
    counts.set(source, count);
    return count;
  }
  return {
    add: (source: string, { accepted, duplicates, rejected }: Submitted): void => {
      const count = countOf(source);
      count.accepted += accepted;
      count.duplicates += duplicates.length;
      count.rejected += rejected.length;
      for (const { code } of rejected) if (code === 'IDENTITY_CONFLICT' || code === 'PRODUCER_SEQ_CONFLICT') count.conflicts += 1;
    },
    all: (ledger: Ledger) => new Map([...sources.keys()].map((name) => [name, { ...countOf(name), entries: ledger.sequence(name) }])),
  };
}
