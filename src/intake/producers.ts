/**
 * Finds gaps in the numbers of producers. What it knows is a fold of the durable entries in their order and nothing else,
 * so that after a crash it is exactly what the ledger says. It never decides whether an event is accepted, but for one case:
 * a number that is certainly taken by another entry.
 *
 * Of each (source, producer, epoch) the numbers from `floor` to `mark` are known: each one is an entry, or lies in an open range.
 * Below the floor nothing is known: the first number that is seen may be any, and earlier ones may still be on their way.
 */

import type { SourceNames } from './names.ts';

/** Where a number of a producer is: the producer's name and epoch, as the event has them. */
export interface ProducerMark {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}

/** A declared gap: every number in it was missing when it was declared. */
export interface GapFacts {
  readonly source: string;
  readonly producer: string;
  readonly epoch: number;
  readonly from: number;
  readonly through: number;
}

/** A control entry that is due. */
export interface DueGap {
  readonly type: 'producer.gap' | 'producer.gap_closed';
  readonly facts: GapFacts;
}

/** How many producers and gaps there are. */
export interface ProducersStatus {
  readonly tracked: number;
  /** Numbers ranges that are open, declared or not. */
  readonly openRanges: number;
  /** Producers that are no longer followed: too many ranges were open, or too many other producers came after them. */
  readonly notTracked: number;
}

/** The bounds of what is kept in memory. */
export interface ProducerLimits {
  readonly producers: number;
  readonly rangesEach: number;
  readonly ranges: number;
}

/** The marks of all producers. */
export interface Producers {
  /** Whether the number certainly belongs to an entry. */
  taken(key: string, seq: number): boolean;
  /** Notes an entry that has become durable. */
  observe(key: string, seq: number, receivedAtMs: number): void;
  /** Notes a control entry that has become durable. */
  declared(due: DueGap): void;
  /** The control entries to write: for ranges that were opened at `openedBefore(source)` or earlier, and for gaps that were filled. */
  due(openedBefore: (source: string) => number): readonly DueGap[];
  status(): ProducersStatus;
  /** Everything it knows, for `restore`. */
  rows(): readonly ProducerRow[];
  restore(rows: readonly ProducerRow[], notTracked: number): void;
}

interface Gap {
  readonly from: number;
  readonly through: number;
  missing: number;
}

interface Range {
  from: number;
  through: number;
  readonly openedAt: number;
  gap: Gap | null;
}

interface Followed {
  floor: number;
  mark: number;
  /** Ascending and apart from each other. */
  ranges: Range[];
  gaps: Gap[];
  /** Too many ranges were open: this producer is let be. */
  lost: boolean;
}

/** One producer: key, floor, mark, lost, ranges as [from, through, opened at, place of its gap or -1], gaps as [from, through, missing]. */
export type ProducerRow = readonly [string, number, number, boolean, readonly (readonly number[])[], readonly (readonly number[])[]];

/** The bounds that DESIGN names, and one over all ranges, so that a fold of them stays small. */
export const PRODUCER_LIMITS: ProducerLimits = { producers: 100_000, rangesEach: 1_000, ranges: 200_000 };

/** The key of one producer's numbers. `source` is the first name of its source. */
export function producerKey(source: string, id: string, epoch: number): string {
  return `${source}\n${epoch}\n${id}`;
}

/** One number of one producer, as a word. */
export function seqClaim(key: string, seq: number): string {
  return `${key}\n${seq}`;
}

/** Makes an empty fold. A source that is renamed keeps the numbers of its producers. */
export function createProducers(names: Pick<SourceNames, 'first' | 'current'>, limits: ProducerLimits = PRODUCER_LIMITS): Producers {
  /** In the order of their last entry: the first one is the first to go. */
  const all = new Map<string, Followed>();
  /** Those that have a range or a gap. */
  const uneven = new Set<string>();
  let openRanges = 0;
  let notTracked = 0;

  function follow(key: string, seq: number): Followed {
    const followed = all.get(key) ?? { floor: seq, mark: seq, ranges: [], gaps: [], lost: false };
    all.delete(key);
    all.set(key, followed);
    if (all.size <= limits.producers) return followed;
    const [oldest] = all.keys();
    if (oldest !== undefined) forget(oldest);
    return followed;
  }

  function forget(key: string): void {
    const followed = all.get(key);
    openRanges -= followed?.ranges.length ?? 0;
    if (followed?.lost !== true) notTracked += 1;
    all.delete(key);
    uneven.delete(key);
  }

  function settle(key: string, followed: Followed, rangesBefore: number): void {
    openRanges += followed.ranges.length - rangesBefore;
    if (followed.ranges.length > limits.rangesEach || openRanges > limits.ranges) {
      openRanges -= followed.ranges.length;
      notTracked += 1;
      Object.assign(followed, { ranges: [], gaps: [], lost: true });
    }
    if (followed.ranges.length + followed.gaps.length > 0) uneven.add(key);
    else uneven.delete(key);
  }

  return {
    taken(key, seq) {
      const followed = all.get(key);
      return (
        followed !== undefined && !followed.lost && seq >= followed.floor && seq <= followed.mark && findRange(followed.ranges, seq) === -1
      );
    },
    observe(key, seq, receivedAtMs) {
      const followed = follow(key, seq);
      const before = followed.ranges.length;
      if (!followed.lost) takeSeq(followed, seq, receivedAtMs);
      settle(key, followed, before);
    },
    declared({ type, facts }) {
      const key = producerKey(names.first(facts.source), facts.producer, facts.epoch);
      const followed = all.get(key);
      if (followed === undefined || followed.lost) return;
      if (type === 'producer.gap') declareGap(followed, facts);
      else followed.gaps = followed.gaps.filter(({ from, through }) => from !== facts.from || through !== facts.through);
      settle(key, followed, followed.ranges.length);
    },
    due(openedBefore) {
      return [...uneven].flatMap((key) => dueOf(key, all.get(key), names, openedBefore));
    },
    status: () => ({ tracked: all.size, openRanges, notTracked }),
    rows: () => [...all].map(([key, followed]) => rowOf(key, followed)),
    restore(rows, lostBefore) {
      for (const row of rows) {
        const [key, followed] = followedOf(row);
        all.set(key, followed);
        settle(key, followed, 0);
      }
      notTracked = lostBefore;
    },
  };
}

function takeSeq(followed: Followed, seq: number, openedAt: number): void {
  const { ranges } = followed;
  if (seq > followed.mark) {
    if (seq > followed.mark + 1) ranges.push({ from: followed.mark + 1, through: seq - 1, openedAt, gap: null });
    followed.mark = seq;
  } else if (seq < followed.floor) {
    if (seq < followed.floor - 1) ranges.unshift({ from: seq + 1, through: followed.floor - 1, openedAt, gap: null });
    followed.floor = seq;
  } else {
    const place = findRange(ranges, seq);
    if (place !== -1) fillOne(ranges, place, seq);
  }
}

function fillOne(ranges: Range[], place: number, seq: number): void {
  const range = ranges[place] as Range;
  if (range.gap !== null) range.gap.missing -= 1;
  if (range.from === range.through) ranges.splice(place, 1);
  else if (seq === range.from) range.from += 1;
  else if (seq === range.through) range.through -= 1;
  else {
    ranges.splice(place + 1, 0, { from: seq + 1, through: range.through, openedAt: range.openedAt, gap: range.gap });
    range.through = seq - 1;
  }
}

/** The place of the range that holds the number, or -1. */
function findRange(ranges: readonly Range[], seq: number): number {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle] as Range;
    if (seq < range.from) high = middle - 1;
    else if (seq > range.through) low = middle + 1;
    else return middle;
  }
  return -1;
}

/** Entries that came between the decision and the declaration may have filled a part already, so the gap is what is still open of it. */
function declareGap(followed: Followed, { from, through }: GapFacts): void {
  const gap: Gap = { from, through, missing: 0 };
  for (const range of followed.ranges) {
    if (range.gap !== null || range.from < from || range.through > through) continue;
    range.gap = gap;
    gap.missing += range.through - range.from + 1;
  }
  followed.gaps.push(gap);
}

function dueOf(
  key: string,
  followed: Followed | undefined,
  names: Pick<SourceNames, 'current'>,
  openedBefore: (source: string) => number,
): DueGap[] {
  if (followed === undefined) return [];
  const [first = '', epoch = '', ...id] = key.split('\n');
  const source = names.current(first);
  const producer = { source, producer: id.join('\n'), epoch: Number(epoch) };
  const limit = openedBefore(source);
  const due: DueGap[] = [];
  for (const { from, through, openedAt, gap } of followed.ranges) {
    if (gap === null && openedAt <= limit) due.push({ type: 'producer.gap', facts: { ...producer, from, through } });
  }
  for (const { from, through, missing } of followed.gaps) {
    if (missing === 0) due.push({ type: 'producer.gap_closed', facts: { ...producer, from, through } });
  }
  return due;
}

function rowOf(key: string, { floor, mark, lost, ranges, gaps }: Followed): ProducerRow {
  const rangeRows = ranges.map(({ from, through, openedAt, gap }) => [from, through, openedAt, gap === null ? -1 : gaps.indexOf(gap)]);
  return [key, floor, mark, lost, rangeRows, gaps.map(({ from, through, missing }) => [from, through, missing])];
}

function followedOf([key, floor, mark, lost, rangeRows, gapRows]: ProducerRow): [string, Followed] {
  const gaps = gapRows.map(([from = 0, through = 0, missing = 0]) => ({ from, through, missing }));
  const ranges = rangeRows.map(([from = 0, through = 0, openedAt = 0, gap = -1]) => ({ from, through, openedAt, gap: gaps[gap] ?? null }));
  return [key, { floor, mark, lost, ranges, gaps }];
}
