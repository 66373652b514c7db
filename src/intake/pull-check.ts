import type { Fault } from '../contracts/entry.ts';
import type { SourceEvent } from '../contracts/source.ts';
import type { Checked } from './checked.ts';
import { asBuffer, fault } from './sequencer-work.ts';
import type { BodyShape } from './split.ts';

/** Checks a body by the rules of one source. */
export type CheckOne = (body: Uint8Array, shape: BodyShape) => Checked;

const LF = 0x0a;
const CR = 0x0d;
const NEWLINE = Buffer.from('\n');

/**
 * Checks the events of a pull source: what comes out has one row for each event, in their order.
 * They are checked as lines of one body. Where an event has a line break in it, or is blank, each is checked by itself, because lines
 * would be counted differently.
 */
export function checkEvents(events: readonly SourceEvent[], check: CheckOne): Checked {
  const pieces = events.map(({ bytes, start, end }) => asBuffer(bytes).subarray(start, end));
  if (pieces.every(isOneLine) && events.every((event) => event.fault === undefined))
    return check(Buffer.concat(pieces.flatMap((piece) => [piece, NEWLINE])), 'lines');
  return joinChecked(
    pieces.map((piece, at) => {
      const found = events[at]?.fault;
      return found === undefined ? checkSingle(piece, check) : faulty(piece, [found]);
    }),
  );
}

function isOneLine(piece: Buffer): boolean {
  return !piece.includes(LF) && !piece.includes(CR) && piece.some((byte) => byte !== 0x20 && byte !== 0x09);
}

/** An event that is not JSON at all is a body that cannot be read; among others it is one event with a fault. */
function checkSingle(piece: Buffer, check: CheckOne): Checked {
  const body = Buffer.concat([piece, NEWLINE]);
  const checked = check(body, 'object');
  if (checked.unreadable === undefined && checked.count === 1) return checked;
  const { at, message } = checked.unreadable ?? { at: 0, message: 'the event is empty' };
  return faulty(piece, [fault('EVENT_NOT_JSON', `${message} (at byte ${at})`)]);
}

/** One event that cannot become an entry. */
function faulty(piece: Buffer, faults: readonly Fault[]): Checked {
  const none = new Uint32Array(1);
  return {
    bytes: piece,
    count: 1,
    starts: none,
    ends: new Uint32Array([piece.length]),
    idStarts: none,
    idEnds: none,
    faults: new Map([[0, faults]]),
    producers: new Map(),
  };
}

function joinChecked(singles: readonly Checked[]): Checked {
  const count = singles.length;
  const columns = {
    starts: new Uint32Array(count),
    ends: new Uint32Array(count),
    idStarts: new Uint32Array(count),
    idEnds: new Uint32Array(count),
  };
  const faults = new Map<number, readonly Fault[]>();
  const producers = new Map<number, NonNullable<ReturnType<Checked['producers']['get']>>>();
  let base = 0;
  for (const [at, single] of singles.entries()) {
    for (const name of ['starts', 'ends', 'idStarts', 'idEnds'] as const) columns[name][at] = (single[name][0] as number) + base;
    const found = single.faults.get(0);
    if (found !== undefined) faults.set(at, found);
    const producer = single.producers.get(0);
    if (producer !== undefined) producers.set(at, producer);
    base += single.bytes.length;
  }
  return { bytes: Buffer.concat(singles.map(({ bytes }) => bytes)), count, ...columns, faults, producers };
}
