import type { Status } from '../api/shapes.ts';

/** A status, and when it was seen, in milliseconds of a clock that only goes forward. */
export interface Sample {
  readonly at: number;
  readonly status: Status;
}

/** The samples of the last minute, the newest last. */
export type History = readonly Sample[];

/** How far back the history goes. */
export const HISTORY_MS = 60_000;
/** Over which time a rate is taken: long enough to be calm, short enough to be now. */
export const RATE_MS = 3_000;

/** Adds a sample and lets go of what is too old. */
export function withSample(history: History, sample: Sample): History {
  return [...history.filter(({ at }) => at > sample.at - HISTORY_MS && at < sample.at), sample];
}

/**
 * How fast a count grows now, in a second; 0 while that cannot be told. A count that fell began anew with its process, so only what came
 * after that is looked at.
 */
export function rateOf(history: History, pick: (status: Status) => number | undefined): number {
  const last = history.at(-1);
  if (last === undefined) return 0;
  const to = pick(last.status);
  if (to === undefined) return 0;
  let first = last;
  let from = to;
  for (const sample of history.toReversed()) {
    const value = pick(sample.status);
    if (value === undefined || value > from || last.at - sample.at > RATE_MS) break;
    first = sample;
    from = value;
  }
  return last.at === first.at ? 0 : ((to - from) * 1_000) / (last.at - first.at);
}

/**
 * How much a count grew in each of `buckets` equal parts of the last minute, as a rate in a second; the newest last. Before the first
 * sample it is 0.
 */
export function seriesOf(history: History, buckets: number, pick: (status: Status) => number | undefined): number[] {
  const series = Array.from({ length: buckets }, () => 0);
  const end = history.at(-1)?.at ?? 0;
  const width = HISTORY_MS / buckets;
  for (const [place, sample] of history.entries()) {
    const before = history[place - 1];
    if (before === undefined) continue;
    const grown = (pick(sample.status) ?? 0) - (pick(before.status) ?? 0);
    const bucket = buckets - 1 - Math.min(buckets - 1, Math.floor((end - sample.at) / width));
    if (grown > 0) series[bucket] = (series[bucket] ?? 0) + (grown * 1_000) / width;
  }
  return series;
}
