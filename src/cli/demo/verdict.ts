import { createHash } from 'node:crypto';
import { countText } from '../terminal.ts';

/** What one place holds, in the form in which places are compared. */
export interface Holding {
  readonly place: string;
  readonly count: number;
  readonly first: number | null;
  readonly last: number | null;
  /** Whether the indexes go up by one, without a hole, a repeat or a step back. */
  readonly inOrder: boolean;
  /** SHA-256 over every line: index and entry, byte for byte. */
  readonly sha256: string;
}

/** How the lines of a place differ from the ledger's. */
export interface Difference {
  /** Entries of the ledger that are not there, and those that are there more than once, by how often. */
  readonly lost: number;
  readonly repeated: number;
  /** Entries that stand behind one with a higher index. */
  readonly outOfOrder: number;
  /** Lines that are no line of the ledger, byte for byte. */
  readonly changed: number;
}

/** One thing that the demo checked. */
export interface Finding {
  readonly what: string;
  readonly found: string;
  readonly good: boolean;
}

/** Looks through the lines `{"index":i,"entry":{…}}` that a place holds. */
export function holdingOf(place: string, lines: readonly string[]): Holding {
  const hash = createHash('sha256');
  let first: number | null = null;
  let last: number | null = null;
  let inOrder = true;
  for (const line of lines) {
    const index = indexOf(line);
    first ??= index;
    if (Number.isNaN(index) || (last !== null && index !== last + 1)) inOrder = false;
    last = index;
    hash.update(line).update('\n');
  }
  return { place, count: lines.length, first, last, inOrder, sha256: hash.digest('hex') };
}

/** Counts how a place differs from the ledger, whose line `i` has the index `i`. */
export function differenceOf(ledger: readonly string[], lines: readonly string[]): Difference {
  const seen = new Set<number>();
  let repeated = 0;
  let outOfOrder = 0;
  let changed = 0;
  let highest = -1;
  for (const line of lines) {
    const index = indexOf(line);
    if (ledger[index] !== line) changed += 1;
    if (seen.has(index)) repeated += 1;
    else if (index < highest) outOfOrder += 1;
    seen.add(index);
    if (index > highest) highest = index;
  }
  const lost = ledger.reduce((count, _line, index) => (seen.has(index) ? count : count + 1), 0);
  return { lost, repeated, outOfOrder, changed };
}

/** Compares every destination with the ledger: count, indexes, order and bytes. */
export function compareHoldings(ledger: Holding, destinations: readonly Holding[]): Finding[] {
  const whole = ledger.count > 0 && ledger.inOrder && ledger.first === 0;
  return [
    {
      what: 'the ledger numbers its entries without a hole',
      found: `${countText(ledger.count)} entries, 0 to ${countText(ledger.last ?? 0)}`,
      good: whole,
    },
    ...destinations.map((held) => {
      const same = held.inOrder && held.count === ledger.count && held.first === ledger.first && held.sha256 === ledger.sha256;
      return {
        what: `${held.place} holds the ledger, byte for byte and in order`,
        found: `${countText(held.count)} of ${countText(ledger.count)}`,
        good: same,
      };
    }),
  ];
}

/** Looks every acknowledged event up in the ledger: there once, with the bytes that were sent. */
export function lookUpAcknowledged(lines: readonly string[], acknowledged: ReadonlyMap<string, string>): Finding {
  const seen = new Map<string, number>();
  let exact = 0;
  for (const line of lines) {
    const { entry } = JSON.parse(line) as { readonly entry: { readonly source: string; readonly id: string } };
    if (entry.source === 'waybill') continue;
    const times = (seen.get(entry.id) ?? 0) + 1;
    seen.set(entry.id, times);
    const sent = acknowledged.get(entry.id);
    if (times === 1 && sent !== undefined && line.endsWith(`"event":${sent}}}`)) exact += 1;
  }
  const once = [...seen.values()].every((times) => times === 1);
  return {
    what: 'every acknowledged event is in the ledger once, unchanged',
    found: `${countText(exact)} of ${countText(acknowledged.size)}`,
    good: once && exact === acknowledged.size && seen.size === acknowledged.size,
  };
}

/** Looks for the declared hole in a producer's numbers. */
export function lookUpGaps(lines: readonly string[], lost: number): Finding {
  const gaps = lines.filter((line) => line.includes('"source":"waybill"') && line.includes('"producer.gap"'));
  return { what: 'every event that a producer lost is declared', found: `${gaps.length} of ${lost}`, good: gaps.length === lost };
}

function indexOf(line: string): number {
  return Number(/^\{"index":(\d+),"entry":\{/.exec(line)?.[1] ?? Number.NaN);
}
