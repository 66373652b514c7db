import type { DestinationStatus } from '../api/shapes.ts';
import { type History, rateOf } from '../live/samples.ts';
import { countText, durationText, entriesText } from '../words/numbers.ts';

/** What a state looks like: each has a shape of its own, so that it is read without colour. */
export type Mark = 'still' | 'moving' | 'catching' | 'waiting' | 'paused' | 'halted' | 'unknown';

/** A destination as the picture shows it. */
export interface DestinationView {
  readonly name: string;
  readonly mark: Mark;
  /** The state in a few words. */
  readonly words: string;
  readonly lag: number;
  readonly cursor: number;
  /** Entries a second that it takes now. */
  readonly rate: number;
  /** How far it is behind, in words. */
  readonly behind: string;
  /** The batch that everything behind it waits for, or what comes next. */
  readonly head: string;
  readonly error: DestinationStatus['error'];
  /** Batches that it may have twice. */
  readonly repeats: number;
  /** How many ranges are set aside. */
  readonly setAside: number;
}

/** What the words depend on beside the status. `now` is in milliseconds since 1970. */
export interface DestinationFacts {
  readonly history: History;
  /** Whether the server answers now; otherwise all of this is how it was. */
  readonly live: boolean;
  readonly now: number;
}

/** Less than this is the ordinary way of a batch and no queue. */
const FOLLOWING_SECONDS = 2;
const FOLLOWING_MIN = 50;

/** Puts what an operator needs to know about a destination into words. */
export function destinationView(name: string, status: DestinationStatus, { history, now, live }: DestinationFacts): DestinationView {
  const rate = rateOf(history, ({ destinations }) => destinations[name]?.cursor);
  const inflow = rateOf(history, ({ ledger }) => ledger.durable);
  const queued = status.lag > Math.max(FOLLOWING_MIN, inflow * FOLLOWING_SECONDS);
  return {
    name,
    mark: live ? markOf(status, queued, rate) : 'unknown',
    words: live ? wordsOf(status, queued, { rate, inflow, now }) : 'not known',
    lag: status.lag,
    cursor: status.cursor,
    rate: live ? rate : 0,
    behind: status.lag === 0 ? 'nothing behind' : `${entriesText(status.lag)} behind`,
    head: headOf(status),
    error: status.error,
    repeats: status.counters.repeats,
    setAside: status.quarantine?.length ?? 0,
  };
}

/** Whether its last attempt failed: between two attempts it waits, and during one it is running, which must not flicker. */
function isFailing({ state, error }: DestinationStatus): boolean {
  return state === 'waiting' || (state === 'running' && error !== null);
}

function markOf(status: DestinationStatus, queued: boolean, rate: number): Mark {
  const { state } = status;
  if (isFailing(status)) return 'waiting';
  if (state === 'paused' || state === 'draining') return 'paused';
  if (state !== 'running') return 'halted';
  if (queued) return 'catching';
  return rate > 0 ? 'moving' : 'still';
}

function wordsOf(
  status: DestinationStatus,
  queued: boolean,
  { rate, inflow, now }: { readonly rate: number; readonly inflow: number; readonly now: number },
): string {
  if (isFailing(status)) {
    const ms = (status.next_retry_at ?? now) - now;
    return ms > 0 ? `waiting, tries again in ${durationText(ms)}` : 'waiting, tries again now';
  }
  switch (status.state) {
    case 'running':
      if (!queued) return rate > 0 ? 'delivering' : 'up to date';
      return rate > inflow ? `catching up, about ${durationText((status.lag / (rate - inflow)) * 1_000)} left` : 'behind';
    case 'paused':
      return 'paused by an operator';
    case 'draining':
      return 'finishing what is in flight';
    case 'halted':
      return 'stopped, needs a person';
    case 'detached':
      return 'detached, its next entries are gone';
    default:
      return status.state;
  }
}

function headOf({ head, cursor, lag, side, error }: DestinationStatus): string {
  if (side !== undefined && side !== null)
    return `${side.kind} of ${countText(side.from)} to ${countText(side.through)}, at ${countText(side.cursor)}`;
  if (head === null) return lag === 0 ? `next is ${countText(cursor)}` : `next batch begins at ${countText(cursor)}`;
  const range = head.from === head.through ? `entry ${countText(head.from)}` : `${countText(head.from)} to ${countText(head.through)}`;
  if (head.in_flight && error === null) return `sending ${range}`;
  const tries = head.attempts === 0 ? '' : head.attempts === 1 ? ', tried once' : `, tried ${countText(head.attempts)} times`;
  const doubt = head.in_doubt ? ', its answer was lost' : '';
  return `first in line: ${range}${tries}${doubt}`;
}

/** How many entries the rails show: a round number that holds the longest queue. */
export function railSpan(lags: readonly number[]): number {
  const longest = Math.max(100, ...lags.map((lag) => lag * 1.15));
  const power = 10 ** Math.floor(Math.log10(longest));
  return ([1, 2, 5].find((step) => step * power >= longest) ?? 10) * power;
}
