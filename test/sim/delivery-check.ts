import { hash } from 'node:crypto';
import { CONTROL_SOURCE } from '../../src/contracts/units.ts';
import type { ControlChoice } from '../../src/delivery/records.ts';
import type { CheckpointWatch } from './checkpoint-check.ts';
import type { KnownTaken } from './known.ts';
import type { ReadEntry } from './ledger-check.ts';
import { type Attempt, type Inspector, indexOf, type Receiver, recordsOf } from './receiver.ts';
import type { World } from './world.ts';

/** What one destination has been sent so far, as a range of indexes that grows. */
interface Progress {
  /** The index that has to come next. */
  frontier: number;
  /** The batches that moved it, in order. */
  readonly line: Attempt[];
}

/** Watches every destination while it happens: nothing overtakes, nothing is left out, nothing is cut anew, nothing known is sent again. */
export class DeliveryWatch implements Inspector {
  readonly #world: World;
  readonly #known: KnownTaken;
  readonly #checkpoints: CheckpointWatch;
  readonly #progress = new Map<string, Progress>();
  /** How often a batch arrived that had arrived before. */
  repeats = 0;

  constructor(world: World, known: KnownTaken, checkpoints: CheckpointWatch) {
    this.#world = world;
    this.#known = known;
    this.#checkpoints = checkpoints;
  }

  /** A process sends a batch, whatever comes of it. */
  sent(receiver: Receiver, attempt: Attempt): void {
    const name = `${receiver.name} ${attempt.from}..${attempt.through}`;
    checkForm(attempt, (message) => this.#world.fail(`${name} ${message}`));
    if (attempt.replay !== null) return;
    const gone = this.#known.goneThrough(receiver.name);
    if (attempt.omitted.detached > 0 && attempt.from + attempt.omitted.detached - 1 > gone)
      this.#world.fail(`${name} says that ${attempt.omitted.detached} entries are gone, and the journal does not`);
    const original = receiver.recovers && receiver.attempts.some((earlier) => earlier !== attempt && sameCut(earlier, attempt));
    if (original) return;
    if (this.#known.has(receiver.name, attempt.from, attempt.through))
      this.#world.fail(`${name} is sent again although it is known to be taken${receiver.recovers ? ', and in another cut' : ''}`);
    for (const earlier of receiver.attempts) {
      if (earlier === attempt || earlier.forgotten || earlier.through < attempt.from || earlier.from > attempt.through) continue;
      // What was in doubt when the ledger let go of its beginning is cut anew behind that.
      if (earlier.from <= gone && earlier.answer !== 'taken') continue;
      if (earlier.answer === 'taken' && earlier.life === attempt.life) this.#world.fail(`${name} is sent again after it was taken`);
      if (!conditional(receiver) && !sameCut(earlier, attempt) && !refused(receiver, earlier)) {
        this.#world.fail(`${name} was cut anew: ${earlier.from}..${earlier.through} ${earlier.id} may have arrived`);
      }
    }
  }

  /** A destination keeps a batch. */
  applied(receiver: Receiver, attempt: Attempt): void {
    this.#checkpoints.applied(receiver, attempt);
    if (attempt.replay !== null) return;
    const name = `${receiver.name} keeps ${attempt.from}..${attempt.through}`;
    if (receiver.lost !== null) this.#world.fail(`${name} although it has lost what came before`);
    if (receiver.kind === 'objects') return;
    const progress = this.#progress.get(receiver.name) ?? { frontier: attempt.from, line: [] };
    this.#progress.set(receiver.name, progress);
    if (attempt.from > progress.frontier) this.#world.fail(`${name} before ${progress.frontier}`);
    else if (attempt.from === progress.frontier) {
      progress.frontier = attempt.through + 1;
      progress.line.push(attempt);
    } else if (receiver.kind === 'liar' || this.#cutBehindGone(receiver, attempt)) this.#repeat(progress, attempt);
    else if (receiver.kind === 'none' && receiver.applied.some((earlier) => earlier !== attempt && sameCut(earlier, attempt)))
      this.repeats += 1;
    else this.#world.fail(`${name} after it had all to ${progress.frontier}`);
  }

  /** A checkpoint has come to a destination. */
  checkpoint(receiver: Receiver, note: string): void {
    this.#checkpoints.arrived(receiver, note);
  }

  /** What a destination lost for good has to come again. */
  forgotten(receiver: Receiver, index: number): void {
    this.#known.forget(receiver.name, index);
    const progress = this.#progress.get(receiver.name);
    if (progress === undefined) return;
    progress.frontier = Math.min(progress.frontier, index);
    progress.line.splice(0, progress.line.length, ...progress.line.filter(({ from }) => from < index));
  }

  /** What was in doubt when the ledger let go of its beginning is cut anew behind that, so its end may be there already. */
  #cutBehindGone(receiver: Receiver, attempt: Attempt): boolean {
    const gone = this.#known.goneThrough(receiver.name);
    const doubts = receiver.applied.filter((earlier) => earlier !== attempt && earlier.from <= gone && earlier.through >= attempt.from);
    return attempt.from <= gone || doubts.length > 0;
  }

  /** A liar keeps what it has; it may even get the rest of a batch with it. */
  #repeat(progress: Progress, attempt: Attempt): void {
    this.repeats += 1;
    if (attempt.through < progress.frontier) return;
    progress.frontier = attempt.through + 1;
    progress.line.push(attempt);
  }

  /** The batches of a destination in the order of the ledger, without repeats. */
  lineOf(receiver: Receiver): readonly Attempt[] {
    if (receiver.kind === 'objects') return receiver.applied.filter(({ replay }) => replay === null).sort((a, b) => a.from - b.from);
    return this.#progress.get(receiver.name)?.line ?? [];
  }
}

/** What is expected of a destination at the end. */
export interface Expected {
  readonly start: number;
  readonly size: number;
  /** Which control entries it was to get, under any configuration that there was. A batch goes by one of them. */
  readonly controls: readonly ControlChoice[];
  /** It may leave out what it refuses. */
  readonly quarantine: boolean;
  /** Entries that were declared to be gone before it got them. */
  readonly gone: ReadonlySet<number>;
}

/** Compares what a destination keeps with the ledger, byte for byte and index for index. */
export function checkDestination(
  receiver: Receiver,
  line: readonly Attempt[],
  entries: readonly ReadEntry[],
  expected: Expected,
): string[] {
  const faults: string[] = [];
  let next = expected.start;
  for (const batch of line) {
    if (receiver.kind === 'objects') next = pastUnwanted(receiver, next, batch.from, entries, expected);
    const doubts = line.filter(({ from, through }) => from < batch.from && through >= batch.from && expected.gone.has(from));
    const again = receiver.kind === 'liar' || expected.gone.has(batch.from) || doubts.length > 0;
    if (batch.from > next || (batch.from < next && !again)) {
      faults.push(`${receiver.name} has ${batch.from}..${batch.through} where ${next} comes next`);
    }
    faults.push(...checkBatch(receiver, batch, entries, expected));
    next = Math.max(next, batch.through + 1);
  }
  next = pastUnwanted(receiver, next, expected.size, entries, expected);
  if (next < expected.size) faults.push(`${receiver.name} has everything to ${next} of ${expected.size}`);
  return faults;
}

/** Skips what a destination does not get: at the end, and between two batches where no batch without a record can be carried. */
function pastUnwanted(
  receiver: Receiver,
  next: number,
  end: number,
  entries: readonly ReadEntry[],
  { controls, quarantine, gone }: Expected,
): number {
  let at = next;
  while (at < end) {
    const entry = entries[at] as ReadEntry;
    const left = gone.has(at) || controls.some((control) => unwanted(entry, receiver.name, control));
    if (!left && !(quarantine && poisonous(receiver, entry))) break;
    at += 1;
  }
  return at;
}

function poisonous(receiver: Receiver, { line }: ReadEntry): boolean {
  return receiver.poison.some((text) => line.includes(text));
}

/** A batch was cut under one configuration: what is wrong with it under the one that fits best. */
function checkBatch(receiver: Receiver, batch: Attempt, entries: readonly ReadEntry[], expected: Expected): string[] {
  const all = expected.controls.map((control) => checkBatchUnder(control, receiver, batch, entries, expected));
  return all.reduce((best, faults) => (faults.length < best.length ? faults : best));
}

function checkBatchUnder(
  choice: ControlChoice,
  receiver: Receiver,
  batch: Attempt,
  entries: readonly ReadEntry[],
  expected: Expected,
): string[] {
  const faults: string[] = [];
  const name = `${receiver.name} ${batch.from}..${batch.through}`;
  const records = new Map(recordsOf(batch.body).map((record) => [indexOf(record), record]));
  const quarantined = new Set<number>(batch.omitted.quarantined);
  let control = 0;
  for (let index = batch.from; index <= batch.through; index++) {
    const entry = entries[index];
    const record = records.get(index);
    if (entry === undefined) faults.push(`${name} accounts for ${index}, which the ledger does not have`);
    else if (index < batch.from + batch.omitted.detached) {
      if (record !== undefined) faults.push(`${name} has ${index}, which it says is gone`);
      if (!expected.gone.has(index)) faults.push(`${name} leaves ${index} out as gone, and nobody declared that`);
    } else if (record !== undefined) {
      if (record.trimEnd() !== `{"index":${index},"entry":${entry.line}}`)
        faults.push(`${name} has other bytes than the ledger at ${index}`);
      if (quarantined.has(index)) faults.push(`${name} has ${index}, which it says is set aside`);
      if (unwanted(entry, receiver.name, choice)) faults.push(`${name} has the control entry ${index}, which it is not to get`);
    } else if (quarantined.has(index)) {
      if (!expected.quarantine) faults.push(`${name} leaves ${index} out and is not allowed to`);
      if (!poisonous(receiver, entry)) faults.push(`${name} leaves ${index} out and nobody refused it`);
    } else if (unwanted(entry, receiver.name, choice)) control += 1;
    else faults.push(`${name} leaves ${index} out and does not say so`);
  }
  if (control !== batch.omitted.control)
    faults.push(`${name} says that ${batch.omitted.control} control entries are left out; ${control} are`);
  return faults;
}

/** True for a control entry that a destination of this choice does not get. */
export function unwanted({ entry }: ReadEntry, destination: string, control: ControlChoice): boolean {
  if (entry.source !== CONTROL_SOURCE || control === 'all') return false;
  return control === 'none' || (entry.event as { readonly destination?: unknown }).destination !== destination;
}

/** What a batch must be by itself, whatever came before. */
function checkForm(attempt: Attempt, fail: (message: string) => void): void {
  const { from, through, count, omitted, body, sha256 } = attempt;
  if (through < from) fail('ends before it begins');
  if (count + omitted.filtered + omitted.quarantined.length + omitted.control + omitted.detached !== through - from + 1)
    fail('does not account for its range');
  const records = recordsOf(body);
  if (records.length !== count) fail(`has ${records.length} records and says ${count}`);
  let last = from - 1;
  for (const record of records) {
    const index = indexOf(record);
    if (index <= last || index > through) fail(`has index ${index} after ${last}`);
    last = index;
  }
  if (sha256 !== '' && sha256 !== hash('sha256', body, 'hex')) fail('has another hash than its body');
}

function conditional(receiver: Receiver): boolean {
  return receiver.kind === 'position' || receiver.kind === 'liar';
}

function sameCut(a: Attempt, b: Attempt): boolean {
  return (
    a.from === b.from &&
    a.through === b.through &&
    a.id === b.id &&
    a.sha256 === b.sha256 &&
    a.count === b.count &&
    a.checkpoint === b.checkpoint
  );
}

/** What a destination refused it certainly does not have: only then may its entries be cut in another way. */
function refused(receiver: Receiver, cut: Attempt): boolean {
  const last = receiver.attempts.findLast((attempt) => attempt.id === cut.id && attempt.answer !== 'open' && attempt.answer !== 'lost');
  return last?.code === 'SINK_REFUSED_ENTRY';
}
