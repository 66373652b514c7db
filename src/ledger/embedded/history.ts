import { WaybillError } from '../../contracts/errors.ts';
import type { PastRecord } from '../../contracts/ledger.ts';
import type { Disk } from '../../contracts/ports.ts';
import { damaged, FLAG, FRAME_HEADER_BYTES, KIND, SEGMENT_HEADER_BYTES } from './layout.ts';
import { openSegment, type SegmentPlace } from './reader.ts';
import { type Frame, scanFrames } from './scan.ts';

/** What reading the past needs of the ledger. */
export interface HistoryOptions {
  readonly disk: Disk;
  readonly salt: number;
  /** The segments as they are now, oldest first. */
  readonly segments: () => readonly SegmentPlace[];
  /** The segment that holds an entry, and a byte in it from which on its frame is found. */
  readonly locate: (index: number) => Promise<{ readonly segment: SegmentPlace; readonly at: number }>;
}

/** How many records are gathered before they are handed out. */
const GATHERED_MAX = 64;

/** The durable records of a journal key that were appended once the entry `from` had been numbered, as `Journal.history` has it. */
export async function* readHistory(
  { disk, salt, segments, locate }: HistoryOptions,
  key: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<PastRecord> {
  const first = await locate(from);
  for (let place: SegmentPlace | undefined = first.segment, at = first.at; place !== undefined; at = SEGMENT_HEADER_BYTES) {
    const ordinal: number = place.ordinal;
    yield* segmentHistory(disk, salt, place, at, new KeyFilter(key, from), signal);
    place = segments().find((segment) => segment.ordinal > ordinal);
    if (place !== undefined && place.ordinal !== ordinal + 1)
      throw new WaybillError('LEDGER_PRUNED', `what was recorded below entry ${place.first} was removed while it was read`);
  }
}

async function* segmentHistory(
  disk: Disk,
  salt: number,
  place: SegmentPlace,
  start: number,
  filter: KeyFilter,
  signal: AbortSignal,
): AsyncGenerator<PastRecord> {
  const file = await openSegment(disk, place);
  try {
    const end = Math.min(place.end, await file.length());
    for (let at = start; at < end && !filter.sealed; ) {
      const next = await scanFrames(
        file,
        at,
        end,
        salt,
        (frame) => filter.take(frame),
        async () => signal.throwIfAborted(),
      );
      signal.throwIfAborted();
      if (next < end && !filter.sealed && !filter.full) throw damaged(place.path, next, 'a frame was changed or is missing');
      yield* filter.found.splice(0);
      at = next;
    }
  } finally {
    await file.close();
  }
}

/** Picks the frames of one key, without parsing those of others. */
class KeyFilter {
  /** What was found and not handed out yet. */
  readonly found: PastRecord[] = [];
  /** True once the seal that ends the segment was found. */
  sealed = false;
  readonly #from: number;
  readonly #appended: Buffer;
  readonly #forgotten: Buffer;

  constructor(key: string, from: number) {
    this.#from = from;
    this.#appended = Buffer.from(`["append",${JSON.stringify(key)},`);
    this.#forgotten = Buffer.from(JSON.stringify(['forget', key]));
  }

  /** True when what was found has to be handed out before more is taken. */
  get full(): boolean {
    return this.found.length >= GATHERED_MAX;
  }

  /** Takes the next frame in, or answers false when it has to wait or does not belong to the segment. */
  take({ header, window, inWindow }: Frame): boolean {
    if (this.sealed || this.full) return false;
    this.sealed = header.kind === KIND.seal && (header.flags & FLAG.segmentEnd) !== 0;
    if (header.kind !== KIND.journal || header.first <= this.#from) return true;
    const at = inWindow + FRAME_HEADER_BYTES;
    const payload = window.bytes.subarray(at, at + header.payloadBytes);
    if (this.#forgotten.equals(payload)) {
      this.found.push({ kind: 'forgotten' });
    } else if (this.#appended.equals(payload.subarray(0, this.#appended.length))) {
      const [, , record] = JSON.parse(payload.toString('utf8')) as [string, string, string];
      this.found.push({ kind: 'record', record });
    }
    return true;
  }
}
