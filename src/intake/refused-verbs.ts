import { hash } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { Position } from '../contracts/units.ts';
import { checkEvents } from './pull-check.ts';
import type { RefusedEvent, RefusedPlace } from './refused.ts';
import type { Intake } from './sequencer.ts';

/** What an operator's verbs on refused events work with. */
export type RefusedIntake = Pick<Intake, 'check' | 'submit' | 'control' | 'refused' | 'names'>;

/** What became of an event that was taken in again, place by place. */
export interface Retried {
  readonly sha256: string;
  /** How many new entries there are, and in how many places it was an entry already. */
  readonly accepted: number;
  readonly duplicates: number;
  /** The indexes of the entries, one for each place. */
  readonly entries: readonly number[];
}

/**
 * Takes a refused event in again, by the rules that its source has now, once for every place where it was refused. Where it has no identity
 * of its own it gets one of its place, so that a crash in between repeats nothing. When all of it is durable that is declared, and the
 * bytes are removed. Rejects with `REFUSED_UNKNOWN`, `SOURCE_UNKNOWN`, or `EVENTS_INVALID` with what is still wrong: then the bytes stay.
 */
export async function retryRefused(intake: RefusedIntake, sha256: string, signal: AbortSignal): Promise<Retried> {
  const { event, content } = await kept(intake, sha256);
  if (event.places.length === 0) {
    throw new WaybillError('COMMAND_REFUSED', `nobody knows from which source ${sha256} came; it can only be shown and discarded`);
  }
  const entries: number[] = [];
  let accepted = 0;
  for (const place of event.places) {
    const taken = await retryPlace(intake, place, sha256, content, signal);
    entries.push(taken.index);
    if (taken.isNew) accepted += 1;
  }
  await intake.control(
    'refused.retried',
    { sha256, bytes: event.bytes, places: entries.length, entries: entries.slice(0, 100) },
    keyOf(event),
  );
  await intake.refused.remove(sha256);
  return { sha256, accepted, duplicates: entries.length - accepted, entries };
}

/** Declares that a refused event is given up, then removes its bytes. Rejects with `REFUSED_UNKNOWN`. */
export async function discardRefused(intake: RefusedIntake, sha256: string): Promise<RefusedEvent> {
  const { event } = await kept(intake, sha256);
  const sources = [...new Set(event.places.map(({ source }) => intake.names.current(source)))].join(', ');
  await intake.control('refused.discarded', { sha256, bytes: event.bytes, places: event.places.length, sources }, keyOf(event));
  await intake.refused.remove(sha256);
  return event;
}

async function kept(intake: RefusedIntake, sha256: string): Promise<{ event: RefusedEvent; content: Uint8Array }> {
  const found = await intake.refused.read(sha256);
  if (found === null) throw new WaybillError('REFUSED_UNKNOWN', `no refused event with the SHA-256 ${sha256} is kept`);
  return found;
}

async function retryPlace(
  intake: RefusedIntake,
  { source, partition, position, nth, at }: RefusedPlace,
  sha256: string,
  content: Uint8Array,
  signal: AbortSignal,
): Promise<{ readonly index: number; readonly isNew: boolean }> {
  // The check writes into the bytes that it is given.
  const event = { position: position as Position | null, bytes: Buffer.from(content), start: 0, end: content.length };
  const name = intake.names.current(source);
  const checked = checkEvents([event], (body, shape) => intake.check(name, body, shape));
  const place = JSON.stringify([sha256, source, partition, position, nth, position === null ? at : 0]);
  const idempotencyKey = hash('sha256', place, 'base64url');
  const submitted = await intake.submit(
    { source: name, checked, partition, positions: [event.position], partial: false, idempotencyKey },
    signal,
  );
  const [fault] = submitted.rejected;
  if (fault !== undefined) throw new WaybillError('EVENTS_INVALID', `${sha256} is still refused: ${fault.code}: ${fault.message}`);
  const [duplicate] = submitted.duplicates;
  return { index: submitted.firstIndex ?? duplicate?.index ?? 0, isNew: duplicate === undefined };
}

/** The same event at the same places, also after a crash. */
function keyOf({ sha256, places }: RefusedEvent): string {
  return hash(
    'sha256',
    JSON.stringify([sha256, places.map(({ source, partition, position, nth, at }) => [source, partition, position, nth, at])]),
    'base64url',
  );
}
